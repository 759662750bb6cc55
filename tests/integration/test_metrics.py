"""What watchers of Tocsin itself are told: readiness, and figures that Prometheus reads."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from engine.process.clock import now
from engine.process.heartbeat import beat_file
from tests.installations import (
    InstallationHarness,
    installation_fixture,  # noqa: F401
)
from web.app import create_app

pytestmark = pytest.mark.calendar


def client(installation: InstallationHarness) -> TestClient:
    return TestClient(
        create_app(installation.installation),
        base_url=installation.installation.settings.local_url,
        client=("127.0.0.1", 5),
    )


def beat(installation: InstallationHarness, name: str) -> None:
    file = beat_file(installation.installation.settings.home, name)
    file.parent.mkdir(exist_ok=True)
    file.touch()


def ready(installation: InstallationHarness, web: TestClient) -> Any:
    """What it answers right after a sign of life; again if the machine paused in between, so that it was old."""
    ends = time.monotonic() + 30
    while True:
        beat(installation, "engine")
        document = web.get("/readyz").json()
        if document["ok"] or time.monotonic() > ends:
            return document


def test_ready_only_with_somebody_who_takes_turns(installation: InstallationHarness) -> None:
    with client(installation) as web:
        answer = web.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["why"] == "neither runner nor engine shows a sign of life"
        assert web.get("/healthz").status_code == 200, "it answers, and that is another question"
        assert ready(installation, web) == {"ok": True, "why": ""}


def test_figures_say_what_happened(installation: InstallationHarness, tmp_path: Path) -> None:
    installation.now = now()
    installation.declare()
    installation.declare()
    installation.deliver()
    beat(installation, "runner")
    with client(installation) as web:
        answer = web.get("/metrics")
    assert answer.status_code == 200
    found = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert found["tocsin_open_incidents"].samples[0].value == 2
    states = {
        (sample.labels["kind"], sample.labels["state"]): sample.value
        for sample in found["tocsin_outbox_messages"].samples
    }
    assert states[("outbox", "sent")] >= 2
    sent = [one for one in found["tocsin_owed_to_sent_seconds"].samples if one.name.endswith("_count")]
    assert sum(one.value for one in sent) == states[("outbox", "sent")]
    assert {one.labels["lane"] for one in sent} >= {"pages"}
    assert found["tocsin_outbox_oldest_due_seconds"].samples[0].value == 0
    assert [one.labels["process"] for one in found["tocsin_beat_age_seconds"].samples] == ["runner"]
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian's prometheus) is not here")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=answer.text, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
