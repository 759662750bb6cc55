"""Public service status: the state of each service, and the published statements. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from pendulum import DateTime

from domain.incident import IncidentStatus
from domain.text import Text

EVERY_INCIDENT = "*"  # a service that covers every incident, whatever service it names


class ServiceState(StrEnum):
    """The state of a service, the best first."""

    OPERATIONAL = "operational"
    RECOVERING = "recovering"  # service is back, the incident goes on
    DEGRADED = "degraded"
    OUTAGE = "outage"


_ORDER = tuple(ServiceState)


@dataclass(frozen=True, slots=True)
class PublicService:
    """A service as the public knows it. `covers`: the names that incidents give it."""

    id: str
    title: Text
    covers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatusPlan:
    """The content of `status.yaml`. `outage`: the severities of an incident that are an outage; others degrade."""

    title: Text
    services: tuple[PublicService, ...]
    outage: frozenset[str]
    shown_for: timedelta
    tag: str
    placeholder: str


@dataclass(frozen=True, slots=True)
class PublicIncident:
    """The public part of an incident that is not over."""

    service: str
    severity: str
    status: IncidentStatus
    since: DateTime


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The state of a service, and since when it is not operational."""

    service: PublicService
    state: ServiceState
    since: DateTime | None = None


def find_service_status(
    service: PublicService, troubles: Iterable[PublicIncident], outage: frozenset[str]
) -> ServiceStatus:
    """Return the worst state that a service's open incidents cause, since the first of those."""
    found = [
        (_of(trouble, outage), trouble.since)
        for trouble in troubles
        if trouble.service.strip().lower() in service.covers or EVERY_INCIDENT in service.covers
    ]
    if not found:
        return ServiceStatus(service, ServiceState.OPERATIONAL)
    worst = max((state for state, _ in found), key=_ORDER.index)
    return ServiceStatus(service, worst, min(since for state, since in found if state is worst))


def _of(trouble: PublicIncident, outage: frozenset[str]) -> ServiceState:
    if trouble.status is IncidentStatus.MITIGATED:
        return ServiceState.RECOVERING
    return ServiceState.OUTAGE if trouble.severity in outage else ServiceState.DEGRADED


def find_overall_state(standings: Sequence[ServiceStatus]) -> ServiceState:
    """Return the worst state of all services."""
    return max((one.state for one in standings), key=_ORDER.index, default=ServiceState.OPERATIONAL)


@dataclass(frozen=True, slots=True)
class PostedText:
    """A text published on an official channel."""

    incident: str  # its id, which the public never sees
    step: str
    channel: str
    language: str
    at: DateTime
    text: str
    link: str = ""
    withdraws: bool = False


@dataclass(frozen=True, slots=True)
class PublicStatement:
    """A public statement of one incident at one time, once for each language however many channels carried it."""

    incident: str
    step: str
    at: DateTime
    texts: dict[str, str] = field(default_factory=dict)  # by language
    link: str = ""
    withdraws: bool = False
    withdrawn: bool = False


def group_statements(posted: Iterable[PostedText]) -> list[PublicStatement]:
    """Group published texts into statements, the newest first. A withdrawn one says so.

    Its text is not repeated.
    """
    found: dict[tuple[str, str], PublicStatement] = {}
    for one in sorted(posted, key=lambda one: (one.at, one.channel)):
        known = found.get((one.incident, one.step))
        if known is None:
            known = PublicStatement(one.incident, one.step, one.at, link=one.link, withdraws=one.withdraws)
            found[one.incident, one.step] = known
        known.texts.setdefault(one.language, one.text)
    gone = {(one.incident, one.at) for one in found.values() if one.withdraws}
    return [
        _withdrawn(one)
        if not one.withdraws and any(incident == one.incident and at > one.at for incident, at in gone)
        else one
        for one in sorted(found.values(), key=lambda one: (one.at, one.incident, one.step), reverse=True)
    ]


def _withdrawn(one: PublicStatement) -> PublicStatement:
    return PublicStatement(one.incident, one.step, one.at, withdrawn=True)
