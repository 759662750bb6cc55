"""The figures' process writes the risk ahead by itself, and the rule `risk-ahead` of this installation reads it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pendulum
import pytest
from pendulum import DateTime

from engine.health import risk_ahead
from engine.health.board import HealthBoard
from engine.home import prepare_home
from playbooks.rulebook import Rulebook
from storage.database import StorageError
from storage.samples.sample_store import SampleBatch, SampleStore, canonical_labels, open_sample_store, to_micros
from storage.settings import load_settings

pytestmark = pytest.mark.calendar

ROOT = Path(__file__).parents[2]


def test_the_process_writes_what_the_rule_reads(home: Path) -> None:
    settings = load_settings(home=home)
    prepare_home(settings)
    (home / "health.yaml").write_text("agents: 1\nhandle_time: 10m\n")  # bears next to nothing
    figures = open_sample_store(settings)
    now = pendulum.now("UTC")
    batch = SampleBatch()
    for place in range(4 * 7 * 48):
        batch.add(("contacts", canonical_labels({})), to_micros(now) - (place * 1800 + 60) * 1_000_000, 50.0, 1.0)
    figures.take([batch], now)
    process = subprocess.Popen([sys.executable, "-m", "engine.samples"], cwd=ROOT)

    def found() -> list[float]:
        return list(figures.between("", risk_ahead.METRIC, now.subtract(hours=1), now.add(hours=1)).value)

    try:
        pause, end = threading.Event(), time.monotonic() + 40
        while not found():
            assert time.monotonic() < end, "nothing was written"
            assert process.poll() is None
            pause.wait(0.05)
        assert found()[0] == 10  # a hundred an hour, and one agent who bears one or two: no more than ten times is told
        process.send_signal(signal.SIGTERM)
        assert process.wait(6) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        figures.close()
    rule = Rulebook().get("risk-ahead")
    assert (rule.metric, rule.levels[0].threshold) == (risk_ahead.METRIC, 1)


class Broken:
    """A board that fails: first as a store does, then as nobody foresaw, then not."""

    def __init__(self) -> None:
        self.looked = 0

    def risk_ahead(self, at: DateTime, feed: str, service: str) -> None:
        self.looked += 1
        if self.looked == 1:
            raise StorageError("the figures cannot be read")
        if self.looked == 2:
            raise ZeroDivisionError


def test_trouble_is_said_and_tried_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    figures: SampleStore = open_sample_store(load_settings(home=home))
    broken = Broken()
    monkeypatch.setattr(risk_ahead, "LEAST_PAUSE_SECONDS", 0.0)
    clock = iter(pendulum.datetime(2026, 3, 16).add(minutes=5 * place) for place in range(1000))

    async def three() -> None:
        board: HealthBoard = broken  # type: ignore[assignment]
        task = asyncio.create_task(risk_ahead.run_risk_writer(figures, board, list, lambda: next(clock)))
        while broken.looked < 3:
            assert not task.done()
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(three())
    figures.close()
    assert "the figures cannot be read" in caplog.text
    assert "could not be worked out" in caplog.text
