"""What the public sees: the state of each service, and the statements that were published. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from pendulum import DateTime

from domain.incident import IncidentStatus
from domain.text import Text

ALL = "*"  # a service that covers every incident, whatever service it names


class ServiceState(StrEnum):
    """How a service is doing, the best first."""

    OPERATIONAL = "operational"
    RECOVERING = "recovering"  # service is back, the incident goes on
    DEGRADED = "degraded"
    OUTAGE = "outage"


_ORDER = tuple(ServiceState)


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the public knows it. `covers`: what incidents call it."""

    id: str
    title: Text
    covers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatusPlan:
    """What status.yaml says. `outage`: the severities of an incident that are an outage; others degrade."""

    title: Text
    services: tuple[Service, ...]
    outage: frozenset[str]
    shown_for: timedelta
    tag: str
    placeholder: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident that is not over, as far as it is the public's business."""

    service: str
    severity: str
    status: IncidentStatus
    since: DateTime


@dataclass(frozen=True, slots=True)
class Standing:
    """How a service is doing, and since when it is not well."""

    service: Service
    state: ServiceState
    since: DateTime | None = None


def standing(service: Service, troubles: Iterable[Trouble], outage: frozenset[str]) -> Standing:
    """The worst of what its open incidents make of it, since the first of those."""
    found = [
        (_of(trouble, outage), trouble.since)
        for trouble in troubles
        if trouble.service.strip().lower() in service.covers or ALL in service.covers
    ]
    if not found:
        return Standing(service, ServiceState.OPERATIONAL)
    worst = max((state for state, _ in found), key=_ORDER.index)
    return Standing(service, worst, min(since for state, since in found if state is worst))


def _of(trouble: Trouble, outage: frozenset[str]) -> ServiceState:
    if trouble.status is IncidentStatus.MITIGATED:
        return ServiceState.RECOVERING
    return ServiceState.OUTAGE if trouble.severity in outage else ServiceState.DEGRADED


def overall(standings: Sequence[Standing]) -> ServiceState:
    """The worst of all."""
    return max((one.state for one in standings), key=_ORDER.index, default=ServiceState.OPERATIONAL)


@dataclass(frozen=True, slots=True)
class Posted:
    """A text that stands in public on an official channel."""

    incident: str  # its id, which the public never sees
    step: str
    channel: str
    language: str
    at: DateTime
    text: str
    link: str = ""
    withdraws: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """What was said of one matter at one time, once for each language however many channels carried it."""

    incident: str
    step: str
    at: DateTime
    texts: dict[str, str] = field(default_factory=dict)  # by language
    link: str = ""
    withdraws: bool = False
    withdrawn: bool = False


def statements(posted: Iterable[Posted]) -> list[Statement]:
    """Statements, the newest first. One that was withdrawn says so; its text is not repeated."""
    found: dict[tuple[str, str], Statement] = {}
    for one in sorted(posted, key=lambda one: (one.at, one.channel)):
        known = found.get((one.incident, one.step))
        if known is None:
            known = Statement(one.incident, one.step, one.at, link=one.link, withdraws=one.withdraws)
            found[one.incident, one.step] = known
        known.texts.setdefault(one.language, one.text)
    gone = {(one.incident, one.at) for one in found.values() if one.withdraws}
    return [
        _withdrawn(one)
        if not one.withdraws and any(incident == one.incident and at > one.at for incident, at in gone)
        else one
        for one in sorted(found.values(), key=lambda one: (one.at, one.incident, one.step), reverse=True)
    ]


def _withdrawn(one: Statement) -> Statement:
    return Statement(one.incident, one.step, one.at, withdrawn=True)
