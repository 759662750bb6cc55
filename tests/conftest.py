"""What every test may rely on: a clean environment, free ports, a home, an empty database of each kind."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from sqlalchemy.engine import make_url

POSTGRES_VARIABLE = "TOCSIN_TEST_POSTGRES_URL"
POSTGRES_DEFAULT = "postgresql://postgres@127.0.0.1:5432/postgres"

# How long an example takes says something about the machine, nothing about the program.
settings.register_profile("tocsin", deadline=None)
settings.load_profile("tocsin")


def pytest_configure() -> None:
    """Nothing of the machine's own configuration reaches a test, nor any process that a test starts."""
    for name in list(os.environ):
        if name.startswith(("TOCSIN_", "PREFECT_")) and name != POSTGRES_VARIABLE:
            del os.environ[name]
    os.environ.update(PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")
    # A shell that starts a run in the background has it ignore Ctrl-C, and every process below it would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A new, empty PostgreSQL database, dropped after the test."""
    name = f"tocsin_test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return str(request.getfixturevalue("postgres_url"))
