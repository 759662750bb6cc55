"""`python -m engine.samples`: asks, rolls up, beats, ends when told to; may be killed at any moment."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.home import prepare_home
from engine.process.heartbeat import read_beat_age
from storage.samples.sample_store import SampleStore, get_counter, open_sample_store
from storage.samples.source_states import list_source_states
from storage.settings import load_settings

ROOT = Path(__file__).parents[2]
SOURCES = """
sources:
  desk:
    kind: sql
    url_env: TEST_DESK_URL
    query: SELECT 'backlog' AS metric, count(*) AS value FROM ticket
    every: 5s
    timeout: 2s
"""


@pytest.fixture(name="figures")
def figures_fixture(home: Path) -> Iterator[SampleStore]:
    settings = load_settings(home=home)
    prepare_home(settings)
    opened = open_sample_store(settings)
    yield opened
    opened.close()


def until(true: Callable[[], bool], what: str) -> None:
    pause, end = threading.Event(), time.monotonic() + 40
    while not true():
        assert time.monotonic() < end, what
        pause.wait(0.05)


def test_it_works_and_goes_on_after_a_kill(home: Path, tmp_path: Path, figures: SampleStore) -> None:
    with sqlite3.connect(tmp_path / "desk.db") as desk:
        desk.execute("CREATE TABLE ticket (id INTEGER)")
        desk.execute("INSERT INTO ticket VALUES (1)")
    (home / "sources.yaml").write_text(SOURCES)
    environment = {**os.environ, "TEST_DESK_URL": f"sqlite:///{tmp_path / 'desk.db'}"}

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "engine.samples"], cwd=ROOT, env=environment)

    def rolled() -> int:
        with figures.database.read() as connection:
            return get_counter(connection, "rolled")

    process = start()
    try:
        until(lambda: len(figures.after(0)[0]) >= 1, "the source was asked")
        until(lambda: rolled() >= 1, "what arrived was rolled up")
        assert (read_beat_age(home, "figures") or 0) < 5
        process.kill()
        process.wait(10)
        seen, before = figures.head(), list_source_states(figures)[0].ok_at
        assert before is not None
        process = start()
        until(lambda: figures.head() > seen and (list_source_states(figures)[0].ok_at or before) > before, "it goes on")
        process.send_signal(signal.SIGTERM)
        assert process.wait(6) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
