"""Alerts as tests record them: the newest firing under an alert's key."""

from __future__ import annotations

from domain.warning.alert import AlertStep, MonitorAlert, RecordedAlert, decide_alert_step


def record_alert(alert: MonitorAlert, known: RecordedAlert | None) -> RecordedAlert | None:
    """Return what is recorded after a message about an alert."""
    found, _ = decide_alert_step(alert, known)
    return known if found is AlertStep.NOTHING else RecordedAlert(alert.starts_at, ended=found is AlertStep.END)
