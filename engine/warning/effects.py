"""Effects of a change of rule state: a warning on record, a call, a case that worsens or ends.

Everything here happens within one transaction of the caller's. What is made of a warning is decided by
`domain.warning.disposition`; this carries it out.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pendulum import DateTime

from channels.notice_wording import localize_reason
from domain.command_handlers import CommandRefused
from domain.commands import Declare
from domain.facts import Fact, FactKind
from domain.incident import BEGUN_STATUSES, INCIDENT_MOVES, CaseType, IncidentStatus, Snapshot, StepStatus
from domain.notifications import Notification, NotificationPurpose
from domain.text import N_, Reason, Text
from domain.warning.disposition import (
    Disposition,
    RaisedWarning,
    WarningContext,
    decide_disposition,
    series_labels,
    series_service,
)
from domain.warning.rule import Rule, RuleStart, SeriesKey, Tier, tier_rank
from domain.warning.rule_state import RuleState
from engine.installation import Installation
from engine.response.declare import begin_in_transaction
from engine.response.enqueue import make_notice_entry
from engine.response.facts import record_facts
from engine.response.validation import require_playbook, validate_declaration
from storage import outbox
from storage.database import Connection
from storage.incidents import incidents, warnings

K = FactKind
SEVERITY: Mapping[Tier, str] = {Tier.YELLOW: "major", Tier.RED: "critical"}
_NAMESPACE = uuid.UUID("6f1d3c1e-5a0b-4a6e-9d55-0d8f6f6a2c11")


@dataclass(frozen=True, slots=True)
class RuleReport:
    """Report of a rule (or a monitor) on one series now: the figures for people, and where they are shown."""

    rule: Rule
    series: SeriesKey
    rule_state: RuleState
    link: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tier(self) -> Tier:
        """The tier that holds."""
        return self.rule_state.tier or Tier.YELLOW


class WarningEffects:
    """Carries out what follows from warnings, in one transaction.

    `lane`: the feed; empty for live samples, else a replay's.
    `advice`: what the person called for a rule on a series should know.
    """

    def __init__(
        self, connection: Connection, installation: Installation, feed: str, now: DateTime,
        advice: Mapping[tuple[str, SeriesKey], Text] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self._connection, self._installation, self._feed, self._now = connection, installation, feed, now
        self._advice = advice
        self._roster = installation.roster()

    # --- what may happen to a warning ---

    def raise_warning(self, said: RuleReport, scene: WarningContext) -> RaisedWarning:
        """Raise a new warning, and carry out what is made of it."""
        series, rule_state = said.series, said.rule_state
        began = rule_state.firing_since or rule_state.since or self._now
        starts = said.rule.starts
        raised = RaisedWarning(
            id=str(uuid.uuid5(_NAMESPACE, f"{self._feed}/{said.rule.id}/{series}/{began.isoformat()}")),
            rule=said.rule.id,
            series=series,
            tier=said.tier,
            course=Disposition.HELD,
            began_at=began,
            playbook=starts.playbook if starts else "",
            service=series_service(said.rule, series),
            value=rule_state.value,
            baseline=rule_state.baseline,
        )
        raised, because = self._follow(raised, said, scene)
        warnings.add_warning(
            self._connection, self._feed, raised, title={"en": said.rule.title.en, "zh": said.rule.title.zh},
            because=because, made_at=self._now, link=said.link,
        )  # fmt: skip
        return raised

    def reconsider(self, raised: RaisedWarning, said: RuleReport, scene: WarningContext) -> RaisedWarning:
        """Decide again what is made of a warning that was held back so far."""
        after, because = self._follow(raised, said, scene)
        if after != raised:
            warnings.update_warning(self._connection, after, because=because)
        return after

    def change_tier(self, raised: RaisedWarning, said: RuleReport) -> RaisedWarning:
        """Change the tier of a warning: one timeline; the people on it hear of a worse tier."""
        worse = tier_rank(said.tier) > tier_rank(raised.tier)
        after = replace(raised, tier=said.tier, value=said.rule_state.value, baseline=said.rule_state.baseline)
        warnings.update_warning(self._connection, after, **({"worst": str(said.tier)} if worse else {}))
        if raised.matter:
            kind = K.WORSENED if worse else K.EASED
            data = {**self._figures(said), "severity": self._severity(said) or SEVERITY[said.tier]}
            because = Reason(N_("{rule} is {tier} now: {value}."), self._words(said))
            self._tell(
                raised.matter,
                [Fact(kind, self._now, data=data)],
                NotificationPurpose.WORSENED if worse else None,
                because,
            )
        return after

    def end_warning(self, raised: RaisedWarning, said: RuleReport, at: DateTime) -> RaisedWarning:
        """End a warning that is over in the figures; with the last one of a case its people hear of it."""
        after = replace(raised, ended_at=at)
        warnings.update_warning(self._connection, after)
        others = [one for one in warnings.list_case_warnings(self._connection, raised.matter) if one.ended_at is None]
        if raised.matter and not others:
            because = Reason(N_("{rule} is good again: {value}."), self._words(said))
            facts = [Fact(K.RECOVERED, self._now, data=self._figures(said))]
            self._tell(raised.matter, facts, NotificationPurpose.RECOVERED, because)
        return after

    # --- how it is done ---

    def _follow(
        self, raised: RaisedWarning, said: RuleReport, scene: WarningContext
    ) -> tuple[RaisedWarning, dict[str, str]]:
        ruling = decide_disposition(said.rule, said.series, said.rule_state, scene, self._now)
        because = {"en": localize_reason(ruling.because, "en"), "zh": localize_reason(ruling.because, "zh_CN")}
        if ruling.course is Disposition.JOINED and not self._join(ruling.matter, said):
            ruling = replace(ruling, course=Disposition.CALLED)
        if ruling.course is Disposition.JOINED:
            return replace(raised, course=Disposition.JOINED, matter=ruling.matter), because
        if ruling.course is not Disposition.CALLED or said.rule.starts is None:
            return replace(raised, course=ruling.course), because
        try:
            case = self._begin(raised, said, said.rule.starts)
        except CommandRefused as refused:  # no such playbook or role any more: held, and tried again until it can be
            return replace(raised, course=Disposition.HELD), {"en": str(refused), "zh": str(refused)}
        return replace(raised, course=Disposition.CALLED, matter=case), because

    def _begin(self, raised: RaisedWarning, said: RuleReport, starts: RuleStart) -> str:
        title = said.rule.title
        labels = " ".join(f"{name}={value}" for name, value in said.series)
        advice = self._advice.get((said.rule.id, said.series), Text(""))
        parts = (title.en, title.zh, f"[{labels}]" if labels else "", advice.en, advice.zh)
        command = Declare(
            id=raised.id, title=" · ".join(filter(None, parts))[:200], playbook=starts.playbook,
            severity=self._severity(said), origin=f"rule {said.rule.id}"[:80], service=raised.service[:80],
            kind="warning", drill=bool(self._feed), warning=self._figures(said),
            case_type=CaseType.INCIDENT if starts.as_ == "incident" else CaseType.WARNING,
        )  # fmt: skip
        wanted = (validate_declaration(command, self._now), require_playbook(self._installation, starts.playbook))
        (answer,) = begin_in_transaction(self._connection, self._roster, [wanted], self._now)
        return answer.incident_id

    def _severity(self, said: RuleReport) -> str:
        starts = said.rule.starts
        if starts is not None and (starts.severity or starts.as_ == "incident"):
            return starts.severity or ""
        return SEVERITY[said.tier]

    def _join(self, case: str, said: RuleReport) -> bool:
        """Put it on the matter's timeline; False where the matter is over for good, and somebody is to be called."""
        incident = incidents.load_incident(self._connection, case)
        if incident.status is IncidentStatus.CANCELLED:
            return False
        facts = [Fact(K.JOINED, self._now, data=self._figures(said))]
        if not incident.running and "reopen" in INCIDENT_MOVES[incident.status]:
            reason = {"reason": f"{said.rule.id} fires again"}
            facts.insert(0, Fact(K.REOPENED, self._now, data=reason))
        worse = said.tier is Tier.RED and incident.severity == SEVERITY[Tier.YELLOW]
        if worse:
            data = {**self._figures(said), "severity": SEVERITY[Tier.RED]}
            facts.append(Fact(K.WORSENED, self._now, data=data))
        because = Reason(N_("{rule} is {tier} now: {value}."), self._words(said))
        self._tell(case, facts, NotificationPurpose.WORSENED if worse else None, because)
        return True

    def _tell(self, case: str, facts: Sequence[Fact], purpose: NotificationPurpose | None, because: Reason) -> None:
        """Facts onto a case's timeline, and a notice to the people who are on it."""
        connection = self._connection
        incidents.lock_incident(connection, case)
        ids = incidents.list_response_ids(connection, case)
        snapshots = [incidents.load_snapshot(connection, response, self._roster) for response in ids]
        before = snapshots[0]
        if purpose is NotificationPurpose.RECOVERED and _needless(snapshots):
            reason = {"reason": "the warning was over before anyone took it", "left": []}
            facts = [*facts, Fact(K.CLOSED, self._now, data=reason)]
        after = record_facts(connection, before, facts, self._now)
        if purpose is not None:
            number = incidents.count_facts(connection, case)
            people = _people(snapshots, purpose)
            urgent = purpose is NotificationPurpose.WORSENED
            notices = [Notification(person, purpose, number, because, urgent=urgent) for person in people]
            owed = [make_notice_entry(after, one, self._now, place=place) for place, one in enumerate(notices)]
            outbox.enqueue_entries(connection, owed, self._now)

    def _figures(self, said: RuleReport) -> dict[str, Any]:
        """For the timeline: what fired, how badly, by which figures, when by the figures' own time."""
        at = said.rule_state.firing_since if said.rule_state.warns else said.rule_state.since
        found = {
            "rule": said.rule.id, "labels": dict(series_labels(said.rule, said.series)), "tier": str(said.tier),
            "value": said.rule_state.value, "baseline": said.rule_state.baseline, "link": said.link, "lane": self._feed,
            "figures_at": at.isoformat() if at else "", **said.words,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value not in (None, "", {})}

    def _words(self, said: RuleReport) -> dict[str, str | int]:
        value = said.rule_state.value
        shown = "-" if value is None else f"{value:.4g}"
        return {"rule": said.rule.title.en, "tier": str(said.tier), "value": shown}


def _needless(snapshots: Sequence[Snapshot]) -> bool:
    """Whether nothing is left to do: nobody took a step yet, and the playbooks say that it ends with its warning."""
    untouched = {StepStatus.WAITING, StepStatus.OPEN, StepStatus.SKIPPED, StepStatus.SUPERSEDED}
    return all(
        snapshot.incident.case_type is CaseType.WARNING
        and snapshot.incident.running
        and snapshot.response.playbook.ends_with_warning
        and all(state.status in untouched for state in snapshot.steps.values())
        for snapshot in snapshots
    )


def _people(snapshots: Sequence[Snapshot], purpose: NotificationPurpose) -> list[str]:
    """Who is on it: everybody called for a step that is under way; of the worse also the commander."""
    found: dict[str, None] = {}
    for snapshot in snapshots:
        for state in snapshot.steps.values():
            if state.status in BEGUN_STATUSES:
                found |= dict.fromkeys((state.holder, *state.called))
        if purpose is NotificationPurpose.WORSENED:
            found[snapshot.roster.primary(snapshot.response.playbook.commander) or ""] = None
    return [person for person in found if person]
