"""Alerts of other monitors: read in their own format; a repeat is the same warning, `resolved` ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.warning.alert import AlertStep, MonitorAlert, RecordedAlert, decide_alert_step
from engine.samples.alerts import UnreadableAlerts, parse_alerts
from tests.alerts import record_alert

T = pendulum.datetime(2026, 3, 14, 3, 0)
LATER = T.add(minutes=10)
FIRING = MonitorAlert("alertmanager", "f1", "firing", {"alertname": "Down"}, {}, T)
RESOLVED = replace(FIRING, status="resolved", ends_at=LATER)

TABLE = [
    ("the first word begins a warning", FIRING, None, AlertStep.BEGIN),
    ("an end that nobody heard the beginning of is nothing", RESOLVED, None, AlertStep.NOTHING),
    ("a repeat is the same warning", FIRING, RecordedAlert(T), AlertStep.REPEAT),
    (
        "while it stands, a newer start is a repeat",
        replace(FIRING, starts_at=LATER),
        RecordedAlert(T),
        AlertStep.REPEAT,
    ),
    ("resolved ends it", RESOLVED, RecordedAlert(T), AlertStep.END),
    ("resolved twice ends it once", RESOLVED, RecordedAlert(T, ended=True), AlertStep.NOTHING),
    ("a late repeat of what is over does not begin it anew", FIRING, RecordedAlert(T, ended=True), AlertStep.NOTHING),
    ("a later firing begins anew", replace(FIRING, starts_at=LATER), RecordedAlert(T, ended=True), AlertStep.BEGIN),
    ("a late end of an earlier firing ends nothing", RESOLVED, RecordedAlert(LATER), AlertStep.NOTHING),
    ("late word of an earlier firing is nothing", FIRING, RecordedAlert(LATER, ended=True), AlertStep.NOTHING),
]


@pytest.mark.parametrize(("sentence", "alert", "known", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_what_a_word_means(
    sentence: str, alert: MonitorAlert, known: RecordedAlert | None, expected: AlertStep
) -> None:
    found, why = decide_alert_step(alert, known)
    assert found is expected
    assert "Down" in str(why)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30))
def test_words_in_any_order_begin_each_firing_at_most_once(words: list[tuple[int, bool]]) -> None:
    known: RecordedAlert | None = None
    began: list[pendulum.DateTime] = []
    for number, firing in words:
        alert = replace(FIRING if firing else RESOLVED, starts_at=T.add(minutes=number))
        found, _ = decide_alert_step(alert, known)
        assert found is not AlertStep.END or (known is not None and not known.ended)
        known = record_alert(alert, known)
        if found is AlertStep.BEGIN:
            began.append(alert.starts_at)
    assert began == sorted(set(began))


def test_an_end_is_kept_under_the_newest_start_so_that_its_late_repeats_are_nothing() -> None:
    newer = replace(FIRING, starts_at=LATER)
    known = record_alert(replace(newer, status="resolved"), record_alert(newer, record_alert(FIRING, None)))
    assert known == RecordedAlert(LATER, ended=True)
    assert decide_alert_step(newer, known)[0] is AlertStep.NOTHING


# The examples of the two documentations, with other words.
ALERTMANAGER = {
    "version": "4",
    "groupKey": '{}:{alertname="QueueLong"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "tocsin",
    "groupLabels": {"alertname": "QueueLong"},
    "commonLabels": {"alertname": "QueueLong", "severity": "critical"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example.org:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "QueueLong", "severity": "critical", "queue": "refunds"},
            "annotations": {"summary": "The refund queue is long"},
            "startsAt": "2026-03-14T11:00:00.123456789+08:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=queue",
            "fingerprint": "1a30ba71cca2921f",
        }
    ],
}
GRAFANA = {
    **ALERTMANAGER,
    "version": "1",
    "orgId": 1,
    "title": "[FIRING:1]",
    "state": "alerting",
    "message": "**Firing**",
    "alerts": [
        {
            "status": "resolved",
            "labels": {"alertname": "High wait", "team": "blue"},
            "annotations": {"description": "Customers wait", "runbook_url": "https://runbook.example.org/1"},
            "startsAt": "2026-03-14T09:51:03.157076+02:00",
            "endsAt": "2026-03-14T10:51:03.157076+02:00",
            "generatorURL": "https://grafana.example.org/alerting/1afz29v7z/edit",
            "fingerprint": "c6eadffa33fcdf37",
            "silenceURL": "https://grafana.example.org/alerting/silence/new",
            "dashboardURL": "https://grafana.example.org/d/1",
            "panelURL": "",
            "values": {"B": 44.25, "C": 1},
        }
    ],
}


def test_alertmanagers_format() -> None:
    (alert,) = parse_alerts("alertmanager", ALERTMANAGER).alerts
    assert (alert.key, alert.status, alert.title) == (
        "alertmanager/1a30ba71cca2921f",
        "firing",
        "The refund queue is long",
    )
    assert alert.starts_at == pendulum.datetime(2026, 3, 14, 3, 0, 0, 123456)
    assert alert.ends_at is None
    assert alert.labels["queue"] == "refunds"
    assert alert.url.startswith("http://prometheus.example.org")


def test_grafanas_format() -> None:
    (alert,) = parse_alerts("grafana", GRAFANA).alerts
    assert (alert.key, alert.status, alert.title) == ("grafana/c6eadffa33fcdf37", "resolved", "High wait")
    assert alert.ends_at == pendulum.datetime(2026, 3, 14, 8, 51, 3, 157076)
    assert alert.values == {"B": 44.25, "C": 1}
    assert alert.url == "https://grafana.example.org/d/1"


def changed(**fields: Any) -> dict[str, Any]:
    return {**ALERTMANAGER, "alerts": [{**ALERTMANAGER["alerts"][0], **fields}]}  # type: ignore[index]


def test_the_zero_time_of_go_is_no_time() -> None:
    (alert,) = parse_alerts("alertmanager", changed(status="resolved")).alerts
    assert alert.ends_at is None
    heard = parse_alerts("alertmanager", changed(startsAt="0001-01-01T00:00:00Z"))
    assert heard.faults == ((0, "startsAt: is missing"),)


def test_without_a_fingerprint_the_labels_are_the_identity() -> None:
    one, two = (
        parse_alerts("alertmanager", changed(fingerprint="", labels=labels)).alerts[0]
        for labels in ({"a": "1"}, {"a": "2"})
    )
    again = parse_alerts("alertmanager", changed(fingerprint=None, labels={"a": "1"})).alerts[0]
    assert one.key == again.key != two.key


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"status": "pending"}, "status: 'pending' is not known"),
        ({"startsAt": None}, "startsAt: is missing"),
        ({"startsAt": "noon"}, "startsAt: 'noon' is no time"),
        ({"startsAt": "2026-03-14T03:00:00"}, "has no offset"),
        ({"labels": {"a": 1}}, "labels: is not a mapping of texts"),
        ({"labels": {f"l{n}": "" for n in range(65)}}, "labels: 65 are too many"),
    ],
)
def test_a_bad_alert_is_said_and_the_others_are_taken(fields: dict[str, Any], says: str) -> None:
    document = changed(**fields)
    document["alerts"].append(ALERTMANAGER["alerts"][0])  # type: ignore[index]
    heard = parse_alerts("alertmanager", document)
    assert len(heard.alerts) == 1
    assert heard.faults[0][0] == 0
    assert says in heard.faults[0][1]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (7, "no list `alerts`"),
        ({"alerts": 7}, "no list `alerts`"),
        ({**ALERTMANAGER, "version": "5"}, "version '5'"),
        ({**ALERTMANAGER, "alerts": [{}] * 1001}, "at most 1000"),
    ],
)
def test_a_post_of_another_format_is_refused(document: Any, says: str) -> None:
    with pytest.raises(UnreadableAlerts, match=says):
        parse_alerts("alertmanager", document)


def test_what_no_message_can_carry_is_taken_out_and_what_is_long_is_cut() -> None:
    (alert,) = parse_alerts("alertmanager", changed(annotations={"summary": "a\x00b" + "x" * 5000})).alerts
    assert alert.title.startswith("a b")
    assert len(alert.title) == 4000
    (alert,) = parse_alerts("alertmanager", changed(generatorURL="javascript:alert(1)")).alerts
    assert alert.url == ""
