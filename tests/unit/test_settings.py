"""Settings: defaults, normalisation, one clear line for what is wrong, a key made once."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("TOCSIN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_live_in_the_working_folder(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home == tmp_path / ".tocsin"
    assert settings.database == f"sqlite+pysqlite:///{tmp_path}/.tocsin/tocsin.db"
    assert settings.is_sqlite
    assert (settings.port, settings.prefect_port, settings.host) == (7700, 7701, "127.0.0.1")
    assert settings.local_url == settings.links_url == "http://127.0.0.1:7700"


def test_paths_are_inside_the_home(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "h")
    names = {
        path.relative_to(tmp_path / "h").as_posix()
        for path in (
            settings.roster_file,
            settings.channels_file,
            settings.playbooks_dir,
            settings.logs_dir,
            settings.run_dir,
            settings.prefect_dir,
            settings.secret_file,
        )
    }
    assert names == {"roster.yaml", "channels.yaml", "playbooks", "logs", "run", "prefect", "secret.key"}


def test_home_stays_the_same_when_the_working_folder_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOCSIN_HOME", "data/../data")
    settings = load_settings()
    monkeypatch.chdir("/")
    assert settings.home == tmp_path / "data"


def test_an_argument_wins_over_the_environment_and_none_is_no_argument(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOCSIN_PORT", "7800")
    assert load_settings(port=7900).port == 7900
    assert load_settings(port=None).port == 7800


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
        ("sqlite:////var/t.db", "sqlite+pysqlite:////var/t.db"),
    ],
)
def test_database_url_gets_its_driver(given: str, used: str) -> None:
    assert load_settings(database_url=given).database == used


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "TOCSIN_PORT",
            "eighty",
            "TOCSIN_PORT: input should be a valid integer, unable to parse string as an integer",
        ),
        ("TOCSIN_PORT", "70000", "TOCSIN_PORT: input should be less than or equal to 65535"),
        (
            "TOCSIN_DATABASE_URL",
            "mysql://h/d",
            "TOCSIN_DATABASE_URL: must begin with sqlite:/// or postgresql://",
        ),
        (
            "TOCSIN_PUBLIC_URL",
            "tocsin.example.org",
            "TOCSIN_PUBLIC_URL: must be like https://tocsin.example.org, without ? or #",
        ),
        (
            "TOCSIN_PREFECT_PORT",
            "7700",
            "TOCSIN_PORT and TOCSIN_PREFECT_PORT are the same: give each a port of its own",
        ),
    ],
)
def test_a_wrong_value_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == line


def test_a_relative_database_file_is_that_of_the_working_folder(tmp_path: Path) -> None:
    assert load_settings(database_url="sqlite:///t.db").database == f"sqlite+pysqlite:///{tmp_path}/t.db"
    with pytest.raises(SettingsError, match="must name a file"):
        load_settings(database_url="sqlite://")


def test_a_password_shows_neither_in_the_repr_nor_in_the_error() -> None:
    assert "hush" not in repr(load_settings(database_url="postgresql://u:hush@h/d"))
    with pytest.raises(SettingsError) as caught:
        load_settings(database_url="mysql://u:hush@h/d")
    assert "hush" not in str(caught.value)


def test_every_setting_is_described() -> None:
    bare = [name for name, field in Settings.model_fields.items() if len(field.description or "") < 20]
    assert bare == []


def test_links_begin_with_the_public_url_without_a_slash() -> None:
    assert load_settings(public_url="https://t.example.org/ops/").links_url == "https://t.example.org/ops"


def test_the_local_address_of_an_open_listener_is_loopback() -> None:
    assert load_settings(host="0.0.0.0").local_url == "http://127.0.0.1:7700"  # noqa: S104
    assert load_settings(host="::1").local_url == "http://[::1]:7700"


def test_the_key_is_made_once_by_whoever_is_first_and_is_private(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "h")
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: settings.secret_key(), range(64)))
    assert len(keys) == 1
    assert stat.S_IMODE(settings.secret_file.stat().st_mode) == 0o600
    assert list(settings.home.iterdir()) == [settings.secret_file]


def test_a_broken_key_file_is_named_and_kept(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    settings.secret_file.write_text("short")
    with pytest.raises(SettingsError, match=r"secret\.key does not hold a signing key: remove it"):
        settings.secret_key()
    assert settings.secret_file.read_text() == "short"


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings(home=tmp_path / "file" / "home")
    with pytest.raises(SettingsError) as caught:
        settings.secret_key()
    assert "\n" not in str(caught.value)
    assert "secret.key" in str(caught.value)
