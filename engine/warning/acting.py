"""What a change of standing causes: a warning on record, somebody called, a matter that worsens or is over.

Everything here happens within one transaction of the caller's. What is made of a warning is decided by
`domain.warning.raised`; this carries it out.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection

from channels.wording import reason_in
from domain.commands import Declare
from domain.evolve import evolve
from domain.facts import Fact, FactKind
from domain.handle import Refused
from domain.incident import BEGUN, INCIDENT_MOVES, IncidentStatus, Nature, Snapshot, StepStatus
from domain.notices import Notice, Purpose
from domain.text import N_, Reason, Text
from domain.warning.raised import Course, Raised, Scene, judge_raised, labels_of, service_of
from domain.warning.rule import Rule, SeriesKey, Starts, Tier, rank
from domain.warning.standing import Standing
from engine.asked import checked, playbook_of
from engine.declaring import begin_within
from engine.house import House
from engine.owing import append_facts, owe_notice
from storage import incidents, outbox, warnings

K = FactKind
SEVERITY: Mapping[Tier, str] = {Tier.YELLOW: "major", Tier.RED: "critical"}
_NAMESPACE = uuid.UUID("6f1d3c1e-5a0b-4a6e-9d55-0d8f6f6a2c11")


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule (or a monitor) says of one series now: the figures for people, and where they are shown."""

    rule: Rule
    series: SeriesKey
    standing: Standing
    link: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tier(self) -> Tier:
        """The level that holds."""
        return self.standing.tier or Tier.YELLOW


class Acting:
    """Carries out what follows from warnings, in one transaction. `lane`: empty for live figures, else a replay's.

    `advice`: what whoever is called for a rule on a series should know.
    """

    def __init__(
        self, connection: Connection, house: House, lane: str, now: DateTime,
        advice: Mapping[tuple[str, SeriesKey], Text] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self._connection, self._house, self._lane, self._now = connection, house, lane, now
        self._advice = advice
        self._roster = house.roster()

    # --- what may happen to a warning ---

    def raise_(self, said: Said, scene: Scene) -> Raised:
        """A new warning, and what is made of it."""
        series, standing = said.series, said.standing
        began = standing.firing_since or standing.since or self._now
        starts = said.rule.starts
        raised = Raised(
            id=str(uuid.uuid5(_NAMESPACE, f"{self._lane}/{said.rule.id}/{series}/{began.isoformat()}")),
            rule=said.rule.id, series=series, tier=said.tier, course=Course.HELD, began_at=began,
            playbook=starts.playbook if starts else "", service=service_of(said.rule, series), value=standing.value,
            baseline=standing.baseline,
        )  # fmt: skip
        raised, because = self._follow(raised, said, scene)
        warnings.add_warning(
            self._connection, self._lane, raised, title={"en": said.rule.title.en, "zh": said.rule.title.zh},
            because=because, made_at=self._now, link=said.link,
        )  # fmt: skip
        return raised

    def again(self, raised: Raised, said: Said, scene: Scene) -> Raised:
        """What is made of a warning that was held back so far."""
        after, because = self._follow(raised, said, scene)
        if after != raised:
            warnings.change_warning(self._connection, after, because=because)
        return after

    def change_tier(self, raised: Raised, said: Said) -> Raised:
        """It worsened or eased: the same warning, one timeline; whoever is on it hears of the worse."""
        worse = rank(said.tier) > rank(raised.tier)
        after = replace(raised, tier=said.tier, value=said.standing.value, baseline=said.standing.baseline)
        warnings.change_warning(self._connection, after, **({"worst": str(said.tier)} if worse else {}))
        if raised.matter:
            kind = K.WORSENED if worse else K.EASED
            data = {**self._figures(said), "severity": self._severity(said) or SEVERITY[said.tier]}
            because = Reason(N_("{rule} is {tier} now: {value}."), self._words(said))
            self._tell(raised.matter, [Fact(kind, self._now, data=data)], Purpose.WORSENED if worse else None, because)
        return after

    def end(self, raised: Raised, said: Said, at: DateTime) -> Raised:
        """It is over in the figures. With the last warning of a matter its people hear that it is over."""
        after = replace(raised, ended_at=at)
        warnings.change_warning(self._connection, after)
        others = [one for one in warnings.of_matter(self._connection, raised.matter) if one.ended_at is None]
        if raised.matter and not others:
            because = Reason(N_("{rule} is good again: {value}."), self._words(said))
            facts = [Fact(K.RECOVERED, self._now, data=self._figures(said))]
            self._tell(raised.matter, facts, Purpose.RECOVERED, because)
        return after

    # --- how it is done ---

    def _follow(self, raised: Raised, said: Said, scene: Scene) -> tuple[Raised, dict[str, str]]:
        ruling = judge_raised(said.rule, said.series, said.standing, scene, self._now)
        because = {"en": reason_in(ruling.because, "en"), "zh": reason_in(ruling.because, "zh_CN")}
        if ruling.course is Course.JOINED and not self._join(ruling.matter, said):
            ruling = replace(ruling, course=Course.CALLED)
        if ruling.course is Course.JOINED:
            return replace(raised, course=Course.JOINED, matter=ruling.matter), because
        if ruling.course is not Course.CALLED or said.rule.starts is None:
            return replace(raised, course=ruling.course), because
        try:
            matter = self._begin(raised, said, said.rule.starts)
        except Refused as refused:  # no such playbook or role any more: held, and tried again until it can be
            return replace(raised, course=Course.HELD), {"en": str(refused), "zh": str(refused)}
        return replace(raised, course=Course.CALLED, matter=matter), because

    def _begin(self, raised: Raised, said: Said, starts: Starts) -> str:
        title = said.rule.title
        labels = " ".join(f"{name}={value}" for name, value in said.series)
        advice = self._advice.get((said.rule.id, said.series), Text(""))
        parts = (title.en, title.zh, f"[{labels}]" if labels else "", advice.en, advice.zh)
        command = Declare(
            id=raised.id, title=" · ".join(filter(None, parts))[:200], playbook=starts.playbook,
            severity=self._severity(said), origin=f"rule {said.rule.id}"[:80], service=raised.service[:80],
            kind="warning", drill=bool(self._lane), warning=self._figures(said),
            nature=Nature.INCIDENT if starts.as_ == "incident" else Nature.WARNING,
        )  # fmt: skip
        wanted = (checked(command, self._now), playbook_of(self._house, starts.playbook))
        (answer,) = begin_within(self._connection, self._roster, [wanted], self._now)
        return answer.incident_id

    def _severity(self, said: Said) -> str:
        starts = said.rule.starts
        if starts is not None and (starts.severity or starts.as_ == "incident"):
            return starts.severity or ""
        return SEVERITY[said.tier]

    def _join(self, matter: str, said: Said) -> bool:
        """Put it on the matter's timeline; False where the matter is over for good, and somebody is to be called."""
        incident = incidents.load_incident(self._connection, matter)
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
        self._tell(matter, facts, Purpose.WORSENED if worse else None, because)
        return True

    def _tell(self, matter: str, facts: Sequence[Fact], purpose: Purpose | None, because: Reason) -> None:
        """Facts onto a matter's timeline, and a notice to whoever is on it."""
        connection = self._connection
        incidents.lock(connection, matter)
        ids = incidents.responses_of(connection, matter)
        snapshots = [incidents.load(connection, response, self._roster) for response in ids]
        before = snapshots[0]
        if purpose is Purpose.RECOVERED and _needless(snapshots):
            reason = {"reason": "the warning was over before anyone took it", "left": []}
            facts = [*facts, Fact(K.CLOSED, self._now, data=reason)]
        after = before
        for fact in facts:
            after = evolve(after, fact)
        incidents.save(connection, before, after, self._now)
        append_facts(connection, after, facts)
        if purpose is not None:
            number = incidents.count_facts(connection, matter)
            people = _people(snapshots, purpose)
            urgent = purpose is Purpose.WORSENED
            notices = [Notice(person, purpose, number, because, urgent=urgent) for person in people]
            owed = [owe_notice(after, one, self._now, place=place) for place, one in enumerate(notices)]
            outbox.enqueue(connection, owed, self._now)

    def _figures(self, said: Said) -> dict[str, Any]:
        """For the timeline: what fired, how badly, by which figures, when by the figures' own time."""
        at = said.standing.firing_since if said.standing.warns else said.standing.since
        found = {
            "rule": said.rule.id, "labels": dict(labels_of(said.rule, said.series)), "tier": str(said.tier),
            "value": said.standing.value, "baseline": said.standing.baseline, "link": said.link, "lane": self._lane,
            "figures_at": at.isoformat() if at else "", **said.words,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value not in (None, "", {})}

    def _words(self, said: Said) -> dict[str, str | int]:
        value = said.standing.value
        shown = "-" if value is None else f"{value:.4g}"
        return {"rule": said.rule.title.en, "tier": str(said.tier), "value": shown}


def _needless(snapshots: Sequence[Snapshot]) -> bool:
    """Whether nothing is left to do: nobody took a step yet, and the playbooks say that it ends with its warning."""
    untouched = {StepStatus.WAITING, StepStatus.OPEN, StepStatus.SKIPPED, StepStatus.SUPERSEDED}
    return all(
        snapshot.incident.nature is Nature.WARNING
        and snapshot.incident.running
        and snapshot.response.playbook.ends_with_warning
        and all(state.status in untouched for state in snapshot.steps.values())
        for snapshot in snapshots
    )


def _people(snapshots: Sequence[Snapshot], purpose: Purpose) -> list[str]:
    """Who is on it: everybody called for a step that is under way; of the worse also the commander."""
    found: dict[str, None] = {}
    for snapshot in snapshots:
        for state in snapshot.steps.values():
            if state.status in BEGUN:
                found |= dict.fromkeys((state.holder, *state.called))
        if purpose is Purpose.WORSENED:
            found[snapshot.roster.primary(snapshot.response.playbook.commander) or ""] = None
    return [person for person in found if person]
