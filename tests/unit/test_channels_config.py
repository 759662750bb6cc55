"""A channel file either counts whole or is refused with file, line, reason and remedy, and never quoted."""

import os
from pathlib import Path

import pytest

from channels.config import secrets_of
from channels.directory import ChannelConfigError, ChannelDirectory

SECRET = "s3cr3tt0k3n"

BROKEN = [
    ("c.yaml", f"urls:\n  - json://h/{SECRET}:\n      tag: [alice\n", 4, "not valid YAML"),
    ("c.yaml", f"urls:\n\t- json://h/{SECRET}\n", 2, "not valid YAML"),
    ("c.yaml", f"urls:\n  - *{SECRET}\n", 2, "not valid YAML"),
    ("c.yaml", "just words", None, "not an Apprise configuration"),
    ("c.yaml", "", None, "not an Apprise configuration"),
    ("c.yaml", "version: 2\nurls:\n  - json://h\n", 1, "unknown version"),
    ("c.yaml", "version: 1\n", None, "`urls` is no list"),
    ("c.yaml", "version: 1\nurls: []\n", 2, "`urls` is no list"),
    (
        "c.yaml",
        f"urls:\n  - json://h:\n      tag: a\n  - jsn://h/{SECRET}:\n      tag: b\n",
        4,
        "cannot load",
    ),
    ("c.yaml", "urls:\n  - json://h:\n    - tag: a\n    - five\n", 2, "cannot load all"),
    ("c.yaml", f"urls:\n  - json://h/{SECRET}\n", 2, "no tag"),
    ("c.yaml", "urls:\n  - just words\n", 2, "not a URL"),
    ("c.yaml", f"urls:\n  - json://a/{SECRET}: {{tag: x}}\n    form://b: {{tag: x}}\n", 2, "not one URL"),
    ("c.yaml", f"urls:\n  - json://h/{SECRET}?optional=yes:\n      tag: alice\n", 2, "optional=yes"),
    ("c.yaml", "urls:\n  - json://h:\n      tag: alice\n      optional: yes\n", 2, "optional=yes"),
    ("c.yaml", "urls:\n  - json://h:\n      tag: alice#2\n", 2, "tag `alice#2`"),
    ("c.yaml", "urls:\n  - json://h:\n      tag: alice\n      sandbox: maybe\n", 2, "`sandbox`"),
    ("c.yaml", "include: other.yaml\n", None, "no such file"),
    (
        "c.yaml",
        f"include: https://h/{SECRET}\nurls:\n  - json://h:\n      tag: a\n",
        1,
        "include of something",
    ),
    ("c.txt", f"alice=json://h/{SECRET}\n\nwhat is this\n", 3, "neither a URL nor a group"),
    ("c.txt", f"alice=jsn://h/{SECRET}\n", 1, "cannot load"),
    ("c.txt", "# nothing\n", None, "no service"),
]


@pytest.mark.parametrize(("name", "content", "line", "reason"), BROKEN)
def test_broken_file_is_refused_clearly(tmp_path: Path, name: str, content: str, line: int | None, reason: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ChannelConfigError) as caught:
        ChannelDirectory.load(path)
    error = caught.value
    assert reason in error.reason
    assert error.line == line
    assert str(tmp_path) in str(error)
    assert error.remedy
    assert "\n" not in str(error)
    assert SECRET not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"urls:\n  - json://h/\xff\xfe\n", "not UTF-8"), (b"#" * 1_100_000, "larger than 1 MB")],
)
def test_not_a_text_file(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ChannelConfigError, match=reason):
        ChannelDirectory.load(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("urls: []")
    path.chmod(0)
    with pytest.raises(ChannelConfigError, match="cannot be read"):
        ChannelDirectory.load(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ChannelConfigError, match="cannot be read"):
        ChannelDirectory.load(tmp_path)


GOOD = """
version: 1
groups:
  - managers: alice, bob
urls:
  - json://127.0.0.1:9/alice:
      tag: alice, Ops
  - ntfy://127.0.0.1:9/topic:
      tag: 2:alice
  - form://forms.example.org/x:
      - tag: bob
      - tag: board
        sandbox: true
  - mailto://mail.example.org?from=ops@example.org&to=carol@example.org&rto=30:
      tag: 1:alice
  - mmost://chat.example.org/3ccdd113474722377935511fc85d3dd4:
      tag: carol
"""


def test_ids_follow_apprise_priority_then_the_file(tmp_path: Path) -> None:
    path = tmp_path / "channels.yaml"
    path.write_text(GOOD, encoding="utf-8")
    directory = ChannelDirectory.load(path)
    assert directory.tags() == {"alice", "ops", "bob", "board", "carol", "managers"}
    assert [(s.id, s.schema) for s in directory.services("ALICE")] == [
        ("alice", "json"),
        ("alice#2", "mailto"),
        ("alice#3", "ntfy"),
    ]
    assert [(s.id, s.schema) for s in directory.services("managers")] == [
        ("managers", "json"),
        ("managers#2", "form"),
    ]
    assert directory.services("nobody") == ()
    assert set(directory.ids()) >= {"alice", "alice#2", "bob", "board", "carol"}


def test_what_is_known_of_a_service(tmp_path: Path) -> None:
    path = tmp_path / "channels.yaml"
    path.write_text(GOOD, encoding="utf-8")
    directory = ChannelDirectory.load(path)
    by_id = {info.id: info for tag in directory.tags() for info in directory.services(tag)}
    ntfy, mail, other = by_id["alice#3"], by_id["alice#2"], by_id["carol"]
    assert directory.info("Alice#2") == mail
    assert (ntfy.waking, ntfy.limit_bytes, ntfy.verified) == (True, 4096, True)
    assert (mail.waking, mail.verified) == (False, True)
    assert other.verified is False
    assert (by_id["board"].sandbox, by_id["bob"].sandbox) == (True, False)
    assert directory.info("nobody") is None


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("json://127.0.0.1:9/x", True),
        ("json://127.9.9.9/x", True),
        ("json://localhost/x", True),
        ("json://[::1]:9/x", True),
        ("mailto://localhost?from=a@example.org", True),
        ("json://localhost.example.org/x", False),
        ("json://10.0.0.1/x", False),
        ("mailto://localhost?from=a@example.org&smtp=mail.example.org", False),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", False),
        ("ntfy://topic", False),
    ],
)
def test_loopback_sandbox(tmp_path: Path, url: str, loopback: bool) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f'urls:\n  - "{url}":\n      tag: a\n', encoding="utf-8")
    assert ChannelDirectory.load(path).is_loopback_sandbox("a") is loopback


def test_text_format_with_groups_and_includes(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("urls:\n  - json://h:\n      tag: carol\n", encoding="utf-8")
    path = tmp_path / "channels.conf"
    path.write_text("# ours\nalice,ops=json://h/a\nteam=alice\ninclude more.yaml\n", encoding="utf-8")
    assert ChannelDirectory.load(path).tags() == {"alice", "ops", "team", "carol"}


APPRISE_YAML = """
# As in Apprise's own documentation.
version: 1
asset:
  app_id: Ours
  theme: default
tag: everyone
groups:
  - oncall: alice, bob
urls:
  - https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ:
     - tag: alice
       footer: no
  - https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=f00dfeed-0123:
      tag: bob
  - mailtos://user:pass@mail.example.org:
     - to: carol@example.org
       tag: carol, ops
     - to: dora@example.org
       tag: [dora, ops]
  - json://127.0.0.1:9/plain
"""
APPRISE_TEXT = """
; as in Apprise's own documentation
# and so
oncall = alice, bob
alice = https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?footer=no
bob, ops=tgram://123456789:abcdefg_hijklmnop/12315544/
"""


def test_configurations_as_apprise_users_have_them(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(APPRISE_YAML, encoding="utf-8")
    directory = ChannelDirectory.load(path)
    assert directory.tags() == {"everyone", "oncall", "alice", "bob", "carol", "dora", "ops"}
    assert [one.schema for one in directory.services("oncall")] == ["slack", "wecombot"]
    assert [one.schema for one in directory.services("ops")] == ["mailtos", "mailtos"]
    assert len(directory.services("everyone")) == 5
    path = tmp_path / "a.conf"
    path.write_text(APPRISE_TEXT, encoding="utf-8")
    directory = ChannelDirectory.load(path)
    assert directory.tags() == {"oncall", "alice", "bob", "ops"}
    assert [one.schema for one in directory.services("oncall")] == ["slack", "tgram"]


def test_include_of_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "channels.yaml"
    path.write_text("include: channels.yaml\nurls:\n  - json://h:\n      tag: a\n", encoding="utf-8")
    with pytest.raises(ChannelConfigError, match="too deeply"):
        ChannelDirectory.load(path)


def test_asset_section_cannot_switch_safety_off(tmp_path: Path) -> None:
    path = tmp_path / "channels.yaml"
    asset = "asset:\n  async_mode: yes\n  secure_logging: no\n  http_redirects: yes\n  app_id: Ours\n"
    path.write_text(f"{asset}urls:\n  - json://h?retry=3:\n      tag: a\n", encoding="utf-8")
    service = ChannelDirectory.load(path)._by_id["a"].service
    assert (service.asset.async_mode, service.asset.secure_logging, service.asset.http_redirects) == (
        False,
        True,
        False,
    )
    assert service.asset.app_id == "Ours"
    assert (service.retry, service.request_rate_per_sec, service.redirects) == (0, 0, False)


def test_nothing_shows_an_address(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"urls:\n  - json://user:{SECRET}@h/{SECRET}:\n      tag: a\n", encoding="utf-8")
    directory = ChannelDirectory.load(path)
    shown = repr(directory) + repr(directory.services("a")) + repr(directory._by_id)
    assert SECRET not in shown


@pytest.mark.parametrize(
    "url",
    [
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "opsgenie://" + "a" * 36,
        "pagerduty://" + "a" * 32 + "@" + "b" * 20 + "/",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15551230000/15551230001?method=call",
        "bark://h.example/deviceKey0123?level=critical",
        "workflows://prod-1.westus.logic.azure.com:443/643e69f83c8944/signature0123",
    ],
)
def test_no_ordinary_word_is_taken_for_a_secret(tmp_path: Path, url: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f'urls:\n  - "{url}":\n      tag: a\n', encoding="utf-8")
    secrets = secrets_of(ChannelDirectory.load(path)._by_id["a"].service)
    # What Apprise adds to an address as its own settings would be cut out of every text that a person reads.
    assert secrets
    assert not [secret for secret in secrets if secret.isalpha() and secret.lower() not in url.lower()]
    assert "critical" not in secrets
