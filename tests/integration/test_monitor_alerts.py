"""Alerts of monitors as warnings: the same alert is the same warning, resolved ends it."""

from __future__ import annotations

from typing import Any

import pytest

from domain.warning.alert import MonitorAlert
from domain.warning.disposition import Silence
from engine.warning.monitor_alerts import MonitorAlerts
from storage.incidents import warnings
from storage.incidents.warnings import ListedWarning
from tests.installations import InstallationHarness, installation_fixture  # noqa: F401


class Monitor:
    """A monitor that says things."""

    def __init__(self, installation: InstallationHarness) -> None:
        self.installation = installation
        self.began = installation.now

    def says(self, status: Any = "firing", fingerprint: str = "f1", **labels: str) -> None:
        """One word about an alert."""
        alert = MonitorAlert(
            "alertmanager", fingerprint, status, {"alertname": "HighLatency", "service": "web", **labels},
            {"summary": "Checkout answers slowly", "description": "p95 above 2 s"}, self.began,
            self.installation.now if status == "resolved" else None, "https://alerts.example.org/1",
        )  # fmt: skip
        MonitorAlerts(self.installation.installation).alerts([alert], self.installation.now)

    def warnings(self) -> list[ListedWarning]:
        with self.installation.installation.database.read() as connection:
            return warnings.list_warnings(connection, standing_only=False)


@pytest.fixture
def monitor(installation: InstallationHarness) -> Monitor:
    return Monitor(installation)


def test_an_alert_calls_once_however_often_it_is_said(monitor: Monitor, installation: InstallationHarness) -> None:
    for _ in range(3):
        monitor.says()
        installation.wait(minutes=1)
    (row,) = monitor.warnings()
    assert (row.ref, row.tier, row.playbook, row.link) == (
        "WRN-1", "yellow", "reallocate-resources", "https://alerts.example.org/1",
    )  # fmt: skip
    snapshot = installation.snapshot("WRN-1")
    assert snapshot.incident.title.startswith("Checkout answers slowly · [")
    (declared,) = installation.facts("WRN-1", "declared")
    assert declared.data["warning"]["labels"]["alertname"] == "HighLatency"
    assert declared.data["warning"]["description"] == "p95 above 2 s"
    monitor.says("resolved")
    (row,) = monitor.warnings()
    assert row.ended_at == installation.now
    monitor.says()
    assert len(monitor.warnings()) == 1, "late word about a firing that is over"
    monitor.began = installation.now
    monitor.says()
    assert len(monitor.warnings()) == 2, "another firing"


def test_a_critical_alert_declares_an_incident(monitor: Monitor, installation: InstallationHarness) -> None:
    monitor.says(severity="critical")
    (row,) = monitor.warnings()
    assert (row.ref, row.tier, row.playbook) == ("INC-1", "red", "service-outage")
    monitor.says("resolved", severity="critical")
    assert installation.snapshot("INC-1").incident.status == "open", "people say when an incident is over"
    assert [fact.data["rule"] for fact in installation.facts("INC-1", "warning-over")] == ["alertmanager:HighLatency"]


def test_a_label_says_what_it_starts(monitor: Monitor) -> None:
    monitor.says(tocsin_playbook="public-opinion", tocsin_as="incident")
    (row,) = monitor.warnings()
    assert (row.ref, row.playbook) == ("INC-1", "public-opinion")


def test_a_playbook_that_is_not_there_is_on_record_with_the_reason(monitor: Monitor) -> None:
    monitor.says(tocsin_playbook="no-such")
    (row,) = monitor.warnings()
    assert (row.ref, row.course) == (None, "held")
    assert "no-such" in row.because["en"]


def test_silenced_it_calls_nobody_until_it_is_said_again_after(
    monitor: Monitor, installation: InstallationHarness
) -> None:
    silence = Silence("s", installation.now.add(minutes=5), "maintenance", labels={"service": "web"})
    with installation.installation.database.write() as connection:
        warnings.add_silence(connection, silence, installation.now)
    monitor.says()
    assert [row.course for row in monitor.warnings()] == ["held"]
    installation.wait(minutes=5)
    monitor.says()
    assert [(row.course, row.ref) for row in monitor.warnings()] == [("called", "WRN-1")]
