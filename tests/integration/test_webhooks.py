"""The real Alertmanager at the real endpoint; wrong tokens; a handler that fails is told again."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pendulum import DateTime

from domain.warning.alert import AlertStep, MonitorAlert, RecordedAlert, decide_alert_step
from engine.process import clock
from storage.database import StorageError
from storage.samples.program_tokens import create_program_token
from storage.samples.sample_store import open_sample_store
from tests.alerts import record_alert
from tests.served import Served, served, valid
from tests.unit.test_figures_alerts import ALERTMANAGER, GRAFANA
from web.api import sample_service

PROGRAM = "prometheus-alertmanager"
CONFIGURATION = """
route:
  receiver: tocsin
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 2s
receivers:
  - name: tocsin
    webhook_configs:
      - url: {url}/api/webhooks/alertmanager
        http_config:
          authorization:
            credentials: {token}
"""


class Recorder:
    """Takes alerts as whoever makes warnings of them would: by what each word means."""

    def __init__(self) -> None:
        self.known: dict[str, RecordedAlert] = {}
        self.steps: list[tuple[str, AlertStep]] = []
        self.heard: list[MonitorAlert] = []
        self.trouble = 0
        self.changed = threading.Condition()

    def alerts(self, alerts: Sequence[MonitorAlert], now: DateTime) -> None:
        assert now.timezone_name == "UTC"
        with self.changed:
            if self.trouble:
                self.trouble -= 1
                raise StorageError("the disk is full")
            for alert in alerts:
                found, _ = decide_alert_step(alert, self.known.get(alert.key))
                known = record_alert(alert, self.known.get(alert.key))
                if known is not None:
                    self.known[alert.key] = known
                self.steps.append((alert.name, found))
                self.heard.append(alert)
            self.changed.notify_all()

    def wait(self, *steps: tuple[str, AlertStep]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: set(steps) <= set(self.steps), 40), self.steps


@pytest.fixture(name="web")
def web_fixture(home: Path, free_port: Callable[[], int], _desks: None) -> Iterator[Served]:
    with served(home, free_port(), begins=None) as running:  # Alertmanager's clock is the machine's
        yield running


@pytest.fixture(name="recorder")
def recorder_fixture(web: Served) -> Recorder:
    made = Recorder()
    for service in DESKS:
        service.handler = made
    return made


DESKS: list[Any] = []


@pytest.fixture(autouse=True)
def _desks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whichever desks are opened: the application of a served installation is out of reach."""

    opened = sample_service.SampleService.__init__

    def init(self: Any, *words: Any, **more: Any) -> None:
        opened(self, *words, **more)
        DESKS.append(self)

    monkeypatch.setattr(sample_service.SampleService, "__init__", init)
    yield
    DESKS.clear()


def token_of(web: Served, name: str) -> str:
    figures = open_sample_store(web.installation.settings)
    try:
        return create_program_token(figures, name, clock.now())
    finally:
        figures.close()


@contextmanager
def alertmanager(folder: Path, port: int, url: str, token: str) -> Iterator[httpx.Client]:
    """Debian's, on loopback, ended with the block."""
    if not shutil.which(PROGRAM):
        pytest.skip(f"{PROGRAM} is not installed")
    folder.mkdir()
    (folder / "a.yml").write_text(CONFIGURATION.format(url=url, token=token))
    command = [
        PROGRAM, f"--config.file={folder / 'a.yml'}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pause = threading.Event()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
            for _ in range(400):
                try:
                    if client.get("/-/ready").is_success:
                        break
                except httpx.HTTPError:
                    pass
                assert process.poll() is None, "Alertmanager ended"
                pause.wait(0.05)
            yield client
    finally:
        process.terminate()
        process.wait(10)


def alert(name: str, **more: Any) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "severity": "critical", "service": "checkout"},
        "annotations": {"summary": f"{name} 严重"},
        "generatorURL": "http://prometheus.example.org/graph",
        **more,
    }


def test_the_real_alertmanager_raises_repeats_and_resolves(
    web: Served, recorder: Recorder, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    with alertmanager(tmp_path / "am", free_port(), web.url, token_of(web, "alertmanager")) as monitor:
        monitor.post("/api/v2/alerts", json=[alert("Down"), alert("Slow")]).raise_for_status()
        recorder.wait(("Down", AlertStep.BEGIN), ("Slow", AlertStep.BEGIN))
        recorder.wait(("Down", AlertStep.REPEAT))  # its repeat_interval is two seconds
        over = clock.now().isoformat()
        monitor.post("/api/v2/alerts", json=[alert("Down", endsAt=over)]).raise_for_status()
        recorder.wait(("Down", AlertStep.END))
    assert recorder.steps.count(("Down", AlertStep.BEGIN)) == 1
    assert ("Slow", AlertStep.END) not in recorder.steps
    (first, *_) = [one for one in recorder.heard if one.name == "Down"]
    assert first.title == "Down 严重"
    assert first.labels == {"alertname": "Down", "severity": "critical", "service": "checkout"}
    assert first.url == "http://prometheus.example.org/graph"
    assert first.ends_at is None
    assert [one.ends_at is not None for one in recorder.heard if one.status == "resolved"]
    assert len({one.fingerprint for one in recorder.heard if one.name == "Down"}) == 1


def test_what_could_not_be_kept_is_said_again_by_the_real_alertmanager(
    web: Served, recorder: Recorder, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    recorder.trouble = 2  # answered with 503: Alertmanager tries again
    with alertmanager(tmp_path / "am", free_port(), web.url, token_of(web, "alertmanager")) as monitor:
        monitor.post("/api/v2/alerts", json=[alert("Down")]).raise_for_status()
        recorder.wait(("Down", AlertStep.BEGIN))
    assert recorder.trouble == 0


@pytest.mark.parametrize(("source", "document"), [("alertmanager", ALERTMANAGER), ("grafana", GRAFANA)])
def test_a_wrong_token_is_401_and_nothing_happens(
    web: Served, recorder: Recorder, source: str, document: dict[str, Any]
) -> None:
    def post(**headers: str) -> httpx.Response:
        return web.client.post(f"/api/webhooks/{source}", json=document, headers=headers)

    assert "token" in valid("error", post(authorization="Bearer wrong"), 401)["error"]
    assert post(authorization="Basic d3Jvbmc6d3Jvbmc=").status_code == 401
    assert post(**{"x-forwarded-for": "192.0.2.1"}).status_code == 401
    assert recorder.heard == []
    good = post(authorization=f"Bearer {token_of(web, source)}", **{"x-forwarded-for": "192.0.2.1"})
    assert valid("alerts", good)["taken"] == 1
    assert recorder.heard[0].source == source


def test_a_bad_post_is_one_line_and_the_good_alerts_are_taken(web: Served, recorder: Recorder) -> None:
    answer = web.client.post("/api/webhooks/alertmanager", content=b"{", headers={"content-type": "application/json"})
    assert valid("error", answer, 422)["error"] == "this is not JSON"
    mixed = {**ALERTMANAGER, "alerts": [{"status": "firing"}, *ALERTMANAGER["alerts"]]}  # type: ignore[misc]
    document = valid("alerts", web.client.post("/api/webhooks/alertmanager", json=mixed))
    assert (document["taken"], document["refused"]) == (1, 1)
    none = valid("alerts", web.client.post("/api/webhooks/alertmanager", json={**mixed, "alerts": [7]}), 422)
    assert "none was taken; alert 0" in none["error"]


def test_without_anybody_who_makes_warnings_the_monitor_keeps_the_alert(web: Served) -> None:
    for service in DESKS:
        service.handler = None
    assert web.client.post("/api/webhooks/alertmanager", json=ALERTMANAGER).status_code == 503
