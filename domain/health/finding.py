"""Findings of the health board, each with the next step. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.health.staffing import StaffReserve, StandbyCall
from domain.text import N_, Reason


class HealthFindingKind(StrEnum):
    """The kind of a finding."""

    RESERVE = "reserve"
    UNDERSTAFFED = "understaffed"
    RISK = "risk-ahead"
    STANDBY = "standby"
    AGENTS_UNKNOWN = "agents-unknown"
    NO_FORECAST = "no-forecast"


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One finding: its statement and the next step."""

    kind: HealthFindingKind
    what: Reason
    next: Reason


def reserve_finding(found: StaffReserve, wanted_share: float) -> HealthFinding | None:
    """Report a reserve that is smaller than wanted."""
    if not found.missing:
        return None
    return HealthFinding(
        HealthFindingKind.RESERVE,
        Reason(
            N_("The reserve is {share} % of staff ({standby} of {staff} on shift); {wanted} % are wanted."),
            {
                "share": round(found.share * 100),
                "standby": found.standby,
                "staff": found.staff,
                "wanted": round(wanted_share * 100),
            },
        ),
        Reason(N_("Put more agents on standby: {missing}."), {"missing": found.missing}),
    )


@dataclass(frozen=True, slots=True)
class UnderstaffedStretch:
    """A stretch in which fewer agents are on shift than needed. `at`, `until`: clock times for people."""

    at: str
    until: str
    needed: int
    agents: int


def understaffed_finding(stretches: Sequence[UnderstaffedStretch], people: int) -> HealthFinding | None:
    """Report hours ahead with too few on shift, the worst one named.

    `people`: to roster for those missing there.
    """
    if not stretches:
        return None
    worst = max(stretches, key=lambda one: one.needed - one.agents)
    return HealthFinding(
        HealthFindingKind.UNDERSTAFFED,
        Reason(
            N_("Understaffed stretches in the next 48 hours: {count}; the worst, {at} to {until}, takes {needed} "
               "agents and has {agents}."),
            {"count": len(stretches), "at": worst.at, "until": worst.until, "needed": worst.needed,
             "agents": worst.agents},
        ),
        Reason(
            N_("Roster more people for {at} to {until}: {people} (shrinkage included), or move work out of it."),
            {"people": people, "at": worst.at, "until": worst.until},
        ),
    )  # fmt: skip


def standby_finding(found: StandbyCall) -> HealthFinding | None:
    """Report that more agents are needed now than are on shift."""
    if not found.call and not found.missing:
        return None
    what = Reason(
        N_("Agents needed now: {needed}, for {contacts} contacts an hour; on shift: {agents}."),
        {"needed": found.needed, "contacts": round(found.contacts_an_hour), "agents": found.on_shift},
    )
    if not found.missing:
        return HealthFinding(
            HealthFindingKind.STANDBY, what, Reason(N_("Call in standby agents: {call}."), {"call": found.call})
        )
    return HealthFinding(
        HealthFindingKind.STANDBY,
        what,
        Reason(
            N_("Call in all standby agents ({call}); still missing: {missing}. Ask the neighbouring team."),
            {"call": found.call, "missing": found.missing},
        ),
    )


def risk_finding(ratio: float, cause: str, at: str) -> HealthFinding | None:
    """Report that the next two hours exceed the capacity."""
    if ratio <= 1:
        return None
    values: dict[str, str | int] = {"share": round(ratio * 100), "at": at}
    if cause == "capacity":
        what = N_("From {at} contacts are expected at {share} % of what the agents on shift can answer in time.")
        to_do = N_("Call in standby agents in time, or move breaks and back-office work to a quieter hour.")
    else:
        what = N_("From {at} complaints are expected at {share} % of the threshold.")
        to_do = N_("Look at the complaint topics of the last hour and tell the duty supervisor.")
    return HealthFinding(HealthFindingKind.RISK, Reason(what, values), Reason(to_do))


def agents_unknown_finding(metric: str) -> HealthFinding:
    """Report that no figure says how many agents are on shift."""
    return HealthFinding(
        HealthFindingKind.AGENTS_UNKNOWN,
        Reason(N_("It is not known how many agents are on shift, so capacity and reserve cannot be told.")),
        Reason(N_("Push the figure {metric}, or write agents or shifts into health.yaml."), {"metric": metric}),
    )


def no_forecast_finding(days: float) -> HealthFinding:
    """Report too little history for a forecast."""
    return HealthFinding(
        HealthFindingKind.NO_FORECAST,
        Reason(N_("Volume cannot be forecast yet; days of contacts so far: {days}."), {"days": int(days)}),
        Reason(N_("Two weeks of contacts are the least: push history with `tocsin samples push`, or wait.")),
    )
