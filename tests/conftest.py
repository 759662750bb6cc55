"""What every test may rely on: a clean environment, free ports, a home, an empty database of each kind."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from sqlalchemy.engine import make_url

from engine.accounts import accounts
from engine.home import prepare_home
from storage.settings import load_settings
from tests.homes import copy_database

POSTGRES_VARIABLE = "TOCSIN_TEST_POSTGRES_URL"
POSTGRES_DEFAULT = "postgresql://postgres@127.0.0.1:5432/postgres"

# How long an example takes says something about the machine, nothing about the program.
settings.register_profile("tocsin", deadline=None)
settings.register_profile("days", deadline=None, max_examples=20)  # of twelve runs each
settings.load_profile("days" if "FAKETIME" in os.environ else "tocsin")


def pytest_configure() -> None:
    """Nothing of the machine's own configuration reaches a test, nor any process that a test starts."""
    for name in list(os.environ):
        if name.startswith(("TOCSIN_", "PREFECT_")) and name != POSTGRES_VARIABLE:
            del os.environ[name]
    os.environ.update(PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")
    # A shell that starts a run in the background has it ignore Ctrl-C, and every process below it would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def shipped_cost_of_a_password() -> Iterator[tuple[int, int]]:
    """Passwords of tests are hashed as cheaply as argon2 can; this is what the program asks for: KiB, and rounds."""
    shipped = accounts._MEMORY_KIB, accounts._ROUNDS
    accounts._MEMORY_KIB, accounts._ROUNDS = 8, 1
    yield shipped
    accounts._MEMORY_KIB, accounts._ROUNDS = shipped


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TOCSIN_HOME."""
    folder = tmp_path / "tocsin-home"
    folder.mkdir()
    monkeypatch.setenv("TOCSIN_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Each call gives a loopback port on which nobody listens; never the same twice in a run."""
    given: set[int] = set()

    def find() -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in given:
                given.add(port)
                return port

    return find


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """URL of a PostgreSQL server that lets us make databases; without one the test is skipped, not in CI."""
    url = os.environ.get(POSTGRES_VARIABLE, POSTGRES_DEFAULT)
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL ({type(error).__name__}): start one and name it in {POSTGRES_VARIABLE}")
    return url


@contextmanager
def new_database(server: str, template: str = "") -> Iterator[str]:
    """A new PostgreSQL database, empty or as the template is, dropped at the end; its URL."""
    name = f"tocsin_test_{secrets.token_hex(6)}"
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        create += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(create)
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A new, empty PostgreSQL database, dropped after the test."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a PostgreSQL database at this program's schema, to be copied."""
    with new_database(postgres_server) as url:
        prepare_home(load_settings(home=tmp_path_factory.mktemp("template"), database_url=url))
        yield str(make_url(url).database)


@pytest.fixture
def laid_out_postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A PostgreSQL database at this program's schema with nothing in it, dropped after the test."""
    with new_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database at this program's schema with nothing in it: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        copy_database(tmp_path / "test.db")
        return f"sqlite:///{tmp_path / 'test.db'}"
    return str(request.getfixturevalue("laid_out_postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return str(request.getfixturevalue("postgres_url"))
