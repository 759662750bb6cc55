"""Alerts as Alertmanager and Grafana post them, and the handler that takes them.

Formats: Alertmanager's `webhook_config` payload version 4 (Prometheus documentation, "Alerting
configuration"), and the webhook contact point of Grafana's unified alerting (Grafana documentation,
"Configure the webhook notifier"), which is the same with more fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import pendulum
from pendulum import DateTime

from domain.text import find_unprintable
from domain.warning.alert import MonitorAlert
from storage.samples.sample_store import canonical_labels

AlertSource = Literal["alertmanager", "grafana"]
MOST_ALERTS = 1_000
MOST_LABELS = 64
LONGEST_LABEL = 500
LONGEST_ANNOTATION = 4_000
_VERSIONS: Mapping[AlertSource, str] = {"alertmanager": "4", "grafana": "1"}
_YEAR_ZERO = 1970  # Go's zero time says "not yet"


class UnreadableAlerts(ValueError):
    """The post as a whole cannot be read; the text says what would be right."""


class AlertHandler(Protocol):
    """Handler that makes warnings of alerts."""

    def alerts(self, alerts: Sequence[MonitorAlert], now: DateTime) -> None:
        """Commit what these alerts mean (`domain.warning.alert.step`), all of it or nothing.

        Called in a thread. The monitor gets 200 only when this has returned; for any exception it sends them again.
        """


@dataclass(frozen=True, slots=True)
class ParsedAlerts:
    """Alerts of a post, and what was wrong with the others by their place."""

    alerts: tuple[MonitorAlert, ...]
    faults: tuple[tuple[int, str], ...]
    truncated: int  # alerts that the monitor left out of the post


def parse_alerts(source: AlertSource, document: Any) -> ParsedAlerts:
    """Parse the alerts of a post.

    Raises:
        UnreadableAlerts: not of that monitor's format.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("alerts"), list):
        raise UnreadableAlerts(f"this is not a post of {source}: it has no list `alerts`")
    version = document.get("version", _VERSIONS[source])
    if version != _VERSIONS[source]:
        raise UnreadableAlerts(
            f"version {str(version)[:20]!r} of {source}'s format is not known: {_VERSIONS[source]} is"
        )
    if len(document["alerts"]) > MOST_ALERTS:
        raise UnreadableAlerts(f"{len(document['alerts'])} alerts in one post: at most {MOST_ALERTS}, set max_alerts")
    alerts, faults = [], []
    for place, one in enumerate(document["alerts"]):
        try:
            alerts.append(_alert(source, one))
        except ValueError as error:
            faults.append((place, str(error)))
    truncated = document.get("truncatedAlerts", 0)
    return ParsedAlerts(tuple(alerts), tuple(faults), truncated if isinstance(truncated, int) else 0)


def _alert(source: AlertSource, document: Any) -> MonitorAlert:
    if not isinstance(document, Mapping):
        raise ValueError("an alert is a mapping")  # noqa: TRY004 - an answer to whoever posted, no mistake of ours
    status = document.get("status")
    if status not in ("firing", "resolved"):
        raise ValueError(f"status: {str(status)[:20]!r} is not known; firing or resolved")
    labels = _texts(document, "labels", LONGEST_LABEL)
    starts_at = _moment(document, "startsAt")
    if starts_at is None:
        raise ValueError("startsAt: is missing")
    given = document.get("fingerprint")
    fingerprint = given if isinstance(given, str) and given else _fingerprint(labels)
    resolved = status == "resolved"
    return MonitorAlert(
        source=source,
        fingerprint=fingerprint[:64],
        status="resolved" if resolved else "firing",
        labels=labels,
        annotations=_texts(document, "annotations", LONGEST_ANNOTATION),
        starts_at=starts_at,
        ends_at=_moment(document, "endsAt") if resolved else None,
        url=_link(document),
        values=_values(document.get("values")),
    )


def _texts(document: Mapping[str, Any], name: str, longest: int) -> dict[str, str]:
    found = document.get(name) or {}
    if not isinstance(found, Mapping) or not all(isinstance(part, str) for pair in found.items() for part in pair):
        raise ValueError(f"{name}: is not a mapping of texts")
    if len(found) > MOST_LABELS:
        raise ValueError(f"{name}: {len(found)} are too many; at most {MOST_LABELS}")
    return {_shown(key, 120): _shown(text, longest) for key, text in found.items()}


def _shown(text: str, longest: int) -> str:
    """The text as a message can carry it: a monitor's control character must not keep a warning from anybody."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return (
        "".join(" " if find_unprintable(character) else character for character in cut)
        if find_unprintable(cut)
        else cut
    )


def _moment(document: Mapping[str, Any], name: str) -> DateTime | None:
    """A time as Go writes it, nanoseconds cut off; its zero is none."""
    text = document.get(name)
    if text in (None, ""):
        return None
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError(f"{name}: {str(text)[:40]!r} is no time in ISO 8601") from None
    if when.year < _YEAR_ZERO:
        return None
    if when.tzinfo is None:
        raise ValueError(f"{name}: {str(text)[:40]!r} has no offset")
    return pendulum.instance(when).in_timezone("UTC")


def _fingerprint(labels: Mapping[str, str]) -> str:
    return hashlib.sha256(canonical_labels(labels).encode()).hexdigest()[:16]


def _link(document: Mapping[str, Any]) -> str:
    for name in ("panelURL", "dashboardURL", "generatorURL"):
        link = document.get(name)
        if isinstance(link, str) and link.startswith(("http://", "https://")):
            return _shown(link, 2_000)
    return ""


def _values(found: Any) -> dict[str, float]:
    if not isinstance(found, Mapping):
        return {}
    return {
        str(name)[:60]: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
