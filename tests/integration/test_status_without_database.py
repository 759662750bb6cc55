"""The process of the pages, started while PostgreSQL cannot be reached: the public page is there, then all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from engine.home import prepare_home
from storage.settings import load_settings
from tests.served import served

ROOT = Path(__file__).resolve().parents[2]
READER = {"User-Agent": "Mozilla/5.0", "Accept": "text/html"}


@contextmanager
def line_to(port: int, host: str, there: int) -> Iterator[None]:
    """What listens on `port` is the server at `there`, until the block ends."""
    listening = socket.create_server(("127.0.0.1", port))
    held: list[socket.socket] = [listening]

    def carry(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while chunk := one.recv(65_536):
                other.sendall(chunk)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection((host, there))
                held.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        for one in held:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def until(look: Callable[[], bool], seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.slow
def test_the_public_page_is_there_before_the_database_and_the_rest_comes_with_it(
    home: Path, free_port: Callable[[], int], postgres_url: str
) -> None:
    port, line = free_port(), free_port()
    server = urlsplit(postgres_url)
    through = postgres_url.replace(f"{server.hostname}:{server.port or 5432}", f"127.0.0.1:{line}")
    prepare_home(load_settings(home=home, database_url=postgres_url))
    with served(home, port, database_url=postgres_url) as web:
        web.declare(service="payment")
        until(lambda: "not working" in httpx.get(f"{web.url}/status", headers=READER, trust_env=False).text)
    environment = {**os.environ, "TOCSIN_HOME": str(home), "TOCSIN_DATABASE_URL": through, "TOCSIN_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "web"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )

    def status(path: str) -> int:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=5).status_code
        except httpx.TransportError:
            return 0

    try:
        with closing(process.stderr):  # type: ignore[type-var]
            until(lambda: status("/status") == 200)
            page = httpx.get(f"http://127.0.0.1:{port}/status", headers=READER, trust_env=False)
            assert "not working" in page.text, "the last copy"
            assert (status("/"), status("/healthz"), status("/api/incidents")) == (503, 503, 503)
            with line_to(line, server.hostname or "127.0.0.1", server.port or 5432):
                until(lambda: status("/healthz") == 200)
                assert status("/api/incidents") == 200
            until(lambda: status("/healthz") == 503)
            assert status("/status") == 200
    finally:
        process.kill()
        process.wait()
