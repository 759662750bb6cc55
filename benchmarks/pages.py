"""Pages and API reads of a long life: 10,000 incidents, 1,000,000 timeline facts, 20 readers, SQLite and PostgreSQL.

A reader asks for one page a second, at random times, of all pages alike; the open-ended rate is printed beside. Then
200 live streams stay open while 1,000 deadlines fall due, beside the same without them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pendulum
import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import ROOT, SEED, Table, arguments, finish, machine, percentile
from benchmarks.long_life import INCIDENTS, live_long
from benchmarks.punctuality import measure as punctuality
from domain.access import AccessRole
from engine.home import prepare_home
from engine.installation import Installation
from storage.accounts import sessions_and_tokens, user_accounts
from storage.settings import Settings, load_settings
from tests.smoke.stack import Stack, clean_environment, free_ports, until
from web.auth.authentication import cookie_name

READERS = 20
PAUSE = 1.0  # seconds between two pages of a reader, on average
ASKED = 60  # times each address is asked for, at least
STREAMS = 200
TARGET = 0.2
PAGES = (
    "/", "/?all=true", "/incidents/PAST", "/incidents/OPEN", "/incidents/PAST?kind=people", "/declare",
    "/declare/similar?title=login+codes", "/incidents/OPEN/text?step=four-hour-response:apology/draft", "/warnings",
    "/health", "/statements", "/executive", "/follow-ups", "/drills", "/duty", "/history", "/history?q=login+codes",
    "/history?person=fenglei", "/history?month=MONTH&playbook=service-outage", "/documents", "/inbox", "/status",
    "/accounts", "/audit", "/incidents/PAST/export.md",
)  # fmt: skip
READS = (
    "/api/incidents", "/api/incidents?status=all&limit=100", "/api/incidents/PAST", "/api/incidents/PAST/timeline",
    "/api/incidents/PAST/timeline/verify", "/api/figures", "/api/warnings", "/api/actions", "/api/playbooks",
    "/api/documents", "/api/suggestions",
)  # fmt: skip


def main() -> int:
    """Measure on each database."""
    options = arguments(__doc__ or "", _more)
    before = machine()
    tables = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in options.databases:
            tables += pages(kind, folder / kind, incidents=300 if options.quick else INCIDENTS)
        if not options.no_streams:
            tables += streams(folder, 100 if options.quick else 1_000)
    return finish(tables, options, before)


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--no-streams", action="store_true", help="leave the live streams out")


def pages(kind: str, folder: Path, incidents: int) -> list[Table]:
    """Every page and read of an installation that has lived long, on one kind of database."""
    folder.mkdir()
    with _database(kind) as url:
        port = free_ports(1)[0]
        settings = load_settings(home=folder / "home", port=port, **({"database_url": url} if url else {}))
        prepare_home(settings)
        installation = Installation(settings).open()
        begun = time.monotonic()
        counts = live_long(installation, incidents)
        print(f"{kind}: {counts} in {time.monotonic() - begun:.0f} s", flush=True)
        cookie = _cookie(installation)
        installation.close()
        with _web(settings, url):
            found = asyncio.run(_read(port, cookie, incidents))
            flat = asyncio.run(_read(port, cookie, incidents, pause=0.0))
    table = Table(f"{kind}, {counts}: {READERS} readers, a page a second each")
    for address, seconds in found.items():
        table.add(address, percentile(seconds, 0.99), "s", target=TARGET, note=f"p50 {percentile(seconds, 0.5):.3f}")
    every = [one for seconds in found.values() for one in seconds]
    table.add("all of them, p99", percentile(every, 0.99), "s", target=TARGET, note=f"n={len(every)}")
    number = sum(map(len, flat.values()))
    most = Table(f"{kind}: {READERS} readers without a pause")
    most.add("pages a second", number / max(1e-9, sum(map(sum, flat.values())) / READERS), "/s")
    most.add("p99", percentile([one for seconds in flat.values() for one in seconds], 0.99), "s")
    return [table, most]


@contextmanager
def _database(kind: str) -> Iterator[str]:
    """A database of its own; empty for SQLite, which is a file of the home."""
    if kind == "sqlite":
        yield ""
        return
    server = os.environ.get("TOCSIN_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    name = f"tocsin_pages_{os.getpid()}"
    plain = re.sub(r"^postgresql\+\w+", "postgresql", server)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield plain.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _cookie(installation: Installation) -> str:
    now = pendulum.now("UTC")
    with installation.database.write() as connection:
        user_accounts.add_account(connection, user_accounts.Account("reader", "alice", AccessRole.ADMIN), now)
        secret = sessions_and_tokens.create_session(connection, "reader", "password", now, now.add(days=1))
    return f"{cookie_name(installation)}={secret}"


@contextmanager
def _web(settings: Settings, url: str) -> Iterator[None]:
    """The web process alone, as `tocsin up` would start it."""
    more = {"TOCSIN_DATABASE_URL": url} if url else {}
    environment = clean_environment(TOCSIN_HOME=str(settings.home), TOCSIN_PORT=str(settings.port), **more)
    process = subprocess.Popen([sys.executable, "-m", "web"], cwd=ROOT, env=environment)
    try:
        until(lambda: _answers(settings.port), 60, "the web process answers")
        yield
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    try:
        return asyncio.run(_get(port, "/healthz", ""))[0] == 200  # noqa: PLR2004
    except OSError:
        return False


async def _get(port: int, path: str, cookie: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/html\r\nConnection: close\r\n"
        writer.write(f"{head}{f'Cookie: {cookie}' + chr(13) + chr(10) if cookie else ''}\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]), answer


async def _read(port: int, cookie: str, incidents: int, pause: float = PAUSE) -> dict[str, list[float]]:
    """Seconds that each address took, asked by all readers together."""
    rng = random.Random(SEED)  # noqa: S311 - to be the same again, not to be secret
    opened = (await _get(port, "/api/incidents?limit=1", cookie))[1]
    ref = re.search(rb'"ref":"(INC-\d+)"', opened)
    month = pendulum.now("UTC").subtract(months=3).format("YYYY-MM")
    wanted = [address for address in (*PAGES, *READS) for _ in range(ASKED)]
    rng.shuffle(wanted)
    found: dict[str, list[float]] = {address: [] for address in (*PAGES, *READS)}
    for address in found:  # what is loaded at the first look is loaded
        await _one(port, cookie, address, ref, month, incidents, rng)

    async def reader() -> None:
        while wanted:
            address = wanted.pop()
            if pause:
                await asyncio.sleep(rng.uniform(0, 2 * pause))
            begun = time.perf_counter()
            await _one(port, cookie, address, ref, month, incidents, rng)
            found[address].append(time.perf_counter() - begun)

    await asyncio.gather(*(reader() for _ in range(READERS)))
    return found


async def _one(port: int, cookie: str, address: str, ref: Any, month: str, incidents: int, rng: random.Random) -> None:
    path = address.replace("PAST", f"INC-{rng.randint(1, incidents)}").replace("MONTH", month)
    path = path.replace("OPEN", ref.group(1).decode() if ref else "INC-1")
    status, answer = await _get(port, path, cookie)
    if status != 200:  # noqa: PLR2004
        raise SystemExit(f"{path} answered {status}: {answer[-300:]!r}")


# --- live streams -------------------------------------------------------------------------------------------------


def streams(folder: Path, incidents: int) -> list[Table]:
    """How late turns are with 200 live streams open, beside none."""
    alone = punctuality(incidents, folder / "alone")
    alone.title = f"{incidents} deadlines in a minute, no live stream"
    beside = punctuality(incidents, folder / "beside", _listening)
    beside.title = f"{incidents} deadlines in a minute, {STREAMS} live streams of the board"
    return [alone, beside]


@contextmanager
def _listening(stack: Stack) -> Iterator[None]:
    installation = Installation(stack.settings).open()
    cookie = _cookie(installation)
    installation.close()
    end, counts = threading.Event(), [0] * STREAMS

    async def one(place: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port, limit=2**22)
        head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{stack.port}\r\nAccept: text/event-stream\r\n"
        writer.write(f"{head}Cookie: {cookie}\r\n\r\n".encode())
        while not end.is_set():
            try:
                chunk = await asyncio.wait_for(reader.read(2**16), 1)
            except TimeoutError:
                continue
            counts[place] += chunk.count(b"event: main")
        writer.close()

    async def every() -> None:
        await asyncio.gather(*(one(place) for place in range(STREAMS)))

    thread = threading.Thread(target=lambda: asyncio.run(every()))
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        silent = sum(count == 0 for count in counts)
        print(
            f"streams: {min(counts)} to {max(counts)} pictures of the board each, {silent} of {STREAMS} silent",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
