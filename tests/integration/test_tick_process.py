"""The real process: from a sample that was taken to a warning on record, and back again after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from engine.home import prepare_home
from engine.installation import Installation
from engine.process.clock import now
from engine.warning import checkpoints
from storage.incidents import warnings
from storage.samples.sample_store import (
    LIVE_FEED,
    SampleBatch,
    SampleStore,
    canonical_labels,
    open_sample_store,
    to_micros,
)
from storage.schema import upgrade_schema
from storage.settings import load_settings

ROOT = Path(__file__).parent.parent.parent
RULE = """
id: at-once
title: At once
metric: response_time
aggregate: max
window: 30s
above: 90s
recover: 80s
level: yellow
"""


@pytest.fixture(name="installation")
def installation_fixture(home: Path) -> Iterator[Installation]:
    settings = load_settings(home=home)
    prepare_home(settings)
    (home / "rules").mkdir(exist_ok=True)
    (home / "rules" / "at-once.yaml").write_text(RULE, encoding="utf-8")
    installation = Installation(settings)
    upgrade_schema(installation.database)
    yield installation
    installation.close()


@pytest.fixture(name="figures")
def figures_fixture(installation: Installation) -> Iterator[SampleStore]:
    opened = open_sample_store(installation.settings)
    yield opened
    opened.close()


@pytest.fixture(name="start")
def start_fixture(installation: Installation) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    children: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "TOCSIN_HOME": str(installation.settings.home)}
        children.append(subprocess.Popen([sys.executable, "-m", "engine.samples"], cwd=ROOT, env=environment))
        return children[-1]

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.wait(10)


def phase_of(installation: Installation) -> str:
    with installation.database.read() as connection:
        found = [
            one.phase
            for (rule, _), one in warnings.load_rule_states(connection, LIVE_FEED).items()
            if rule == "at-once"
        ]
    return str(found[0]) if found else ""


def evaluates(installation: Installation) -> bool:
    with installation.database.read() as connection:
        return checkpoints.load_evaluator_facts(connection) is not None


def wait_for(installation: Installation, phase: str, seconds: float) -> float:
    begun = time.monotonic()
    while phase_of(installation) != phase:
        assert time.monotonic() - begun < seconds, (phase, phase_of(installation))
        time.sleep(0.05)
    return time.monotonic() - begun


def push(figures: SampleStore, value: float) -> None:
    batch = SampleBatch()
    batch.add(("response_time", canonical_labels({"service": "orders"})), to_micros(now()), value, 1.0)
    assert figures.take([batch], now())[0].taken == 1


@pytest.mark.slow
def test_a_bad_figure_is_a_warning_within_ten_seconds_and_a_tick(
    installation: Installation, figures: SampleStore, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    push(figures, 1.0)
    child = start()
    ends = time.monotonic() + 30
    while not evaluates(installation):
        assert time.monotonic() < ends
        time.sleep(0.05)
    push(figures, 100.0)
    took = wait_for(installation, "firing", 20)
    print(f"from the sample to the warning on record: {took:.1f} s")
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    again = start()
    push(figures, 1.0)
    wait_for(installation, "ok", 60)
    with installation.database.read() as connection:
        count = connection.execute(text("SELECT count(*) FROM warning WHERE rule = 'at-once'")).scalar()
    assert count == 1
    again.send_signal(signal.SIGTERM)
    assert again.wait(6) == 0
