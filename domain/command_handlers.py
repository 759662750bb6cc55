"""Command handlers: each turns a command into facts, or refuses it and says why and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from pendulum import DateTime

from domain.commands import (
    Acknowledge,
    Approve,
    Begin,
    Cancel,
    Close,
    Done,
    Draft,
    IncidentCommand,
    Mitigate,
    Note,
    Reassign,
    Reject,
    Reopen,
    Retry,
    SetImpact,
    StepCommand,
)  # fmt: skip
from domain.durations import elapsed
from domain.facts import Fact, FactKind
from domain.incident import INCIDENT_MOVES, STEP_MOVES, Impact, PublicationState, Snapshot, StepState, StepStatus
from domain.playbook import PERSON_STEPS, StepKind, full_step_id
from domain.text import find_unprintable
from domain.text_digest import UnpublishableText, compute_digest, publication_channels, render_for_channels

K = FactKind
MAX_NOTE_LENGTH = 4_000
MAX_IMPACT = 10**15  # of any figure: more than any operation has of anything, and less than a column holds


class CommandRefused(Exception):
    """A command is not legal now. The message is one line: the reason, and what would be right."""


def handle_command(command: StepCommand | IncidentCommand | Begin, snapshot: Snapshot, now: DateTime) -> list[Fact]:
    """Return the facts that a command makes; none where it changes nothing (an acknowledgement given twice).

    Raises:
        Refused: it is not a legal move, or what it says does not fit.
    """
    found = _HANDLERS[type(command)]
    _showable(command)
    if isinstance(command, StepCommand):
        _legal_incident(snapshot, "work")
        return list(found(command, snapshot, _step(snapshot, command.step), now))
    return list(found(command, snapshot, now))


def _showable(command: Any) -> None:
    """Refuse text that no database, message or page can carry."""
    for field in fields(command):
        value = getattr(command, field.name)
        texts = [*value, *value.values()] if isinstance(value, Mapping) else [value]
        for text in texts:
            wrong = find_unprintable(text) if isinstance(text, str) else ""
            if wrong:
                raise CommandRefused(f"the field {field.name} holds a control character ({wrong}): take it out")


# --- steps -------------------------------------------------------------------------------------------------------


def _step(snapshot: Snapshot, name: str) -> StepState:
    """A step by its id; a short name (`draft`) will do where only one step in force has it."""
    if name in snapshot.steps:
        return snapshot.steps[name]
    alike = [s for s in snapshot.steps.values() if name in (s.step, f"{s.stage}/{s.step}")]
    begun = [s for s in alike if s.active] or alike
    if len(begun) == 1:
        return begun[0]
    known = ", ".join((s.id for s in begun) if begun else snapshot.steps)
    said = f"{name!r} may be any of these steps" if begun else f"there is no step {name!r}"
    raise CommandRefused(f"{said}: say which of {known}")


def _legal_step(state: StepState, move: str) -> None:
    if move in STEP_MOVES[state.status]:
        return
    allowed = sorted(STEP_MOVES[state.status])
    possible = f"possible now: {', '.join(allowed)}" if allowed else "nothing more can be done with it"
    raise CommandRefused(f"step {state.id} is {state.status} and cannot be asked to {move}; {possible}")


def _acknowledge(command: Acknowledge, snapshot: Snapshot, state: StepState, now: DateTime) -> list[Fact]:
    if state.status is StepStatus.DONE or (state.status is StepStatus.ACKNOWLEDGED and state.holder == command.by):
        return []
    _legal_step(state, "acknowledge")
    return [Fact(K.ACKNOWLEDGED, now, state.id, command.by)]


def _done(command: Done, snapshot: Snapshot, state: StepState, now: DateTime) -> list[Fact]:
    if state.status is StepStatus.DONE:
        return []
    _legal_step(state, "done")
    if len(command.evidence) > MAX_NOTE_LENGTH:
        raise CommandRefused(f"the evidence is longer than {MAX_NOTE_LENGTH} characters: give a link to it")
    plan = snapshot.plan(state)
    if plan.kind is StepKind.PUBLISH:
        return _by_hand(command, snapshot, state, now)
    if plan.kind in (StepKind.DRAFT, StepKind.APPROVE):
        raise CommandRefused(f"step {state.id} is done by `tocsin {plan.kind}`, which says which text is meant")
    if plan.kind not in PERSON_STEPS:
        raise CommandRefused(f"step {state.id} ({plan.kind}) is done by Tocsin, not by hand")
    if bool(plan.attaches) != bool(command.choice):
        decision = f"a decision: say yes (it begins {plan.attaches}) or no"
        raise CommandRefused(f"step {state.id} is {decision if plan.attaches else 'no decision: say done alone'}")
    if plan.evidence and not command.evidence.strip():
        raise CommandRefused(f"step {state.id} asks for evidence: say in a word or a link what shows it")
    late = int(elapsed(state.due_at, now).total_seconds()) if now > state.due_at else 0
    said = " ".join(filter(None, (command.choice, command.evidence)))
    chosen = {"choice": command.choice, "attaches": plan.attaches if command.choice == "yes" else ""}
    data = {"evidence": said, "late_seconds": late, **(chosen if command.choice else {})}
    return [Fact(K.DONE, now, state.id, command.by, data)]


def _by_hand(command: Done, snapshot: Snapshot, state: StepState, now: DateTime) -> list[Fact]:
    """Record a post made by hand, with its link: it settles channels not yet known as published.

    Approval is still needed.
    """
    if not command.evidence.strip():
        raise CommandRefused(f"step {state.id}: give the link of what was posted by hand")
    if any(
        need is None or need.status not in (StepStatus.DONE, StepStatus.SKIPPED) for _, need in snapshot.needs(state)
    ):
        raise CommandRefused(f"step {state.id}: its text is not approved; have it approved, then post it")
    wanted = snapshot.plan(state).channels or tuple(snapshot.roster.public)
    if not wanted:  # no official channel is known any more: the link is all there is, and closes the step
        posted = {"channel": "by-hand", "receipt": command.evidence, "by_hand": True}
        return [
            Fact(K.PUBLISHED, now, state.id, command.by, posted),
            Fact(K.DONE, now, state.id, command.by, {"evidence": command.evidence}),
        ]
    open_ones = [name for name in wanted if state.postings.get(name) != PublicationState.PUBLISHED]
    chosen = [command.channel] if command.channel else open_ones
    if not set(chosen) <= set(wanted):
        raise CommandRefused(f"step {state.id} does not publish on {command.channel!r}: one of {', '.join(wanted)}")
    data = {"receipt": command.evidence, "by_hand": True}
    return [
        Fact(K.PUBLISHED, now, state.id, command.by, {**data, "channel": name}) for name in chosen if name in open_ones
    ]


def _draft(command: Draft, snapshot: Snapshot, state: StepState, now: DateTime) -> list[Fact]:
    plan = snapshot.plan(state)
    if plan.kind is not StepKind.DRAFT:
        raise CommandRefused(f"step {state.id} is no draft step: {', '.join(_of_kind(snapshot, StepKind.DRAFT))}")
    _legal_step(state, "draft")
    if _published(snapshot, state):
        raise CommandRefused(
            "this text is already ordered or public: begin a correction or a withdrawal instead of an edit"
        )
    _identified(command.by, "write a statement")
    if command.amount is not None and not 0 <= command.amount <= MAX_IMPACT:
        raise CommandRefused("the amount is what it will cost: a whole number, 0 to 10^15")
    texts = {name: text.strip() for name, text in command.texts.items() if text.strip()}
    try:
        rendered = render_for_channels(texts, publication_channels(snapshot, state))
    except UnpublishableText as unfit:
        raise CommandRefused(str(unfit)) from None
    bound = compute_digest(rendered)
    if state.status is StepStatus.DONE and state.digest == bound and state.amount == command.amount:
        return []
    data = {"version": state.version + 1, "digest": bound, "texts": texts, "amount": command.amount}
    facts = [Fact(K.DRAFTED, now, state.id, command.by, data)]
    void = [approval.id for approval in _approvals(snapshot, state) if approval.status in _REVISABLE]
    return facts + [Fact(K.VOIDED, now, name, command.by, {"reason": "the text was edited"}) for name in void]


_REVISABLE = frozenset({StepStatus.OPEN, StepStatus.ACKNOWLEDGED, StepStatus.DONE})


def _approve(command: Approve, snapshot: Snapshot, state: StepState, now: DateTime) -> list[Fact]:
    draft = _draft_of(snapshot, state)
    if state.status is StepStatus.DONE and state.digest == command.digest:
        return []
    _legal_step(state, "approve")
    _identified(command.by, "approve a text")
    if command.digest != draft.digest:
        raise CommandRefused("this is not the text as it stands now (it was edited since): read it again, then approve")
    plan = snapshot.plan(state)
    if draft.author == command.by and not plan.self_approval:
        raise CommandRefused("author and approver must be two people: ask someone else to approve")
    person = snapshot.roster.people.get(command.by)
    if person is None:
        raise CommandRefused(f"the roster does not know {command.by!r}: approvers are people of the roster")
    if draft.amount is not None and person.approval_limit is not None and draft.amount > person.approval_limit:
        able = [p.id for p in snapshot.roster.people.values() if (p.approval_limit or 0) >= draft.amount]
        raise CommandRefused(
            f"{draft.amount} is above {person.name}'s limit of {person.approval_limit} {snapshot.roster.currency}; "
            f"ask {' or '.join(able) or 'someone with a higher limit'}"
        )
    data = {"digest": draft.digest, "version": draft.version}
    return [Fact(K.APPROVED, now, state.id, command.by, data)]


def _reject(command: Reject, snapshot: Snapshot, state: StepState, now: DateTime) -> list[Fact]:
    draft = _draft_of(snapshot, state)
    _legal_step(state, "reject")
    _identified(command.by, "reject a text")
    if not command.reason.strip():
        raise CommandRefused("say what should change: a rejection needs a reason for its author")
    reason = command.reason[:MAX_NOTE_LENGTH]
    return [
        Fact(K.REJECTED, now, draft.id, command.by, {"reason": reason, "version": draft.version}),
        Fact(K.VOIDED, now, state.id, command.by, {"reason": "the text was rejected"}),
    ]


def _retry(command: Retry, snapshot: Snapshot, state: StepState, now: DateTime) -> list[Fact]:
    _legal_step(state, "retry")
    posting = state.postings.get(command.channel)
    if posting not in (PublicationState.UNKNOWN, PublicationState.FAILED):
        raise CommandRefused(f"{command.channel!r} is not in doubt on step {state.id}: nothing to order again")
    return [Fact(K.RETRIED, now, state.id, command.by, {"channel": command.channel})]


def _reassign(command: Reassign, snapshot: Snapshot, state: StepState, now: DateTime) -> list[Fact]:
    _legal_step(state, "reassign")
    if command.to not in snapshot.roster.people:
        raise CommandRefused(f"the roster does not know {command.to!r}: one of {', '.join(snapshot.roster.people)}")
    if command.to == state.owner:
        return []
    return [Fact(K.REASSIGNED, now, state.id, command.by, {"to": command.to, "from": state.holder})]


def _identified(by: str, what: str) -> None:
    if not by:
        raise CommandRefused(f"to {what} you must say who you are: use a token of your own (tocsin roster token YOU)")


def _draft_of(snapshot: Snapshot, state: StepState) -> StepState:
    plan = snapshot.plan(state)
    draft = snapshot.related(state, plan.of or "") if plan.kind is StepKind.APPROVE else None
    if draft is None:
        raise CommandRefused(f"step {state.id} is no approve step: {', '.join(_of_kind(snapshot, StepKind.APPROVE))}")
    return draft


def _approvals(snapshot: Snapshot, draft: StepState) -> list[StepState]:
    return [s for s in _naming(snapshot, draft) if snapshot.plan(s).kind is StepKind.APPROVE]


def _published(snapshot: Snapshot, draft: StepState) -> bool:
    return any(s.postings for s in _naming(snapshot, draft) if snapshot.plan(s).kind is StepKind.PUBLISH)


def _naming(snapshot: Snapshot, draft: StepState) -> list[StepState]:
    """The approve and publish steps of this very draft (of its round)."""
    found = []
    for state in snapshot.steps.values():
        of = snapshot.plan(state).of
        if (
            of
            and full_step_id(state.stage, of) == f"{draft.stage}/{draft.step}"
            and snapshot.related(state, of) == draft
        ):
            found.append(state)
    return found


def _of_kind(snapshot: Snapshot, kind: StepKind) -> list[str]:
    return [s.id for s in snapshot.steps.values() if snapshot.plan(s).kind is kind] or ["there is none"]


# --- the incident ------------------------------------------------------------------------------------------------


def _legal_incident(snapshot: Snapshot, move: str) -> None:
    incident = snapshot.incident
    if move in INCIDENT_MOVES[incident.status]:
        return
    allowed = ", ".join(sorted(INCIDENT_MOVES[incident.status]))
    asked = "changed" if move == "work" else f"asked to {move}"
    raise CommandRefused(f"{incident.ref} is {incident.status} and cannot be {asked}; possible now: {allowed}")


def _note(command: Note, snapshot: Snapshot, now: DateTime) -> list[Fact]:
    _legal_incident(snapshot, "note")
    if not command.text.strip():
        raise CommandRefused("the note is empty: say what is worth keeping")
    if len(command.text) > MAX_NOTE_LENGTH:
        raise CommandRefused(
            f"the note has {len(command.text)} characters; at most {MAX_NOTE_LENGTH}: "
            "keep the rest elsewhere and link it"
        )
    if command.corrects:
        return [Fact(K.CORRECTED, now, by=command.by, data={"text": command.text, "corrects": command.corrects})]
    return [Fact(K.NOTED, now, by=command.by, data={"text": command.text})]


def _impact(command: SetImpact, snapshot: Snapshot, now: DateTime) -> list[Fact]:
    _legal_incident(snapshot, "note")
    check_impact(command.impact)
    if command.impact == snapshot.incident.impact:
        return []
    return [Fact(K.IMPACT, now, by=command.by, data={"impact": asdict(command.impact)})]


def check_impact(impact: Impact) -> None:
    """Refuse an impact with an impossible figure."""
    if min(impact.customers, impact.orders, impact.money, impact.brand) < 0 or impact.brand > 3:  # noqa: PLR2004
        raise CommandRefused("impact counts are 0 or more, brand is 0 (none) to 3 (severe)")
    if max(impact.customers, impact.orders, impact.money) > MAX_IMPACT:
        raise CommandRefused("an impact figure is larger than any real one: at most 10^15")


def _move(move: str, kind: FactKind, *, needs_reason: bool = False) -> Callable[[Any, Snapshot, DateTime], list[Fact]]:
    def change(command: Any, snapshot: Snapshot, now: DateTime) -> list[Fact]:
        _legal_incident(snapshot, move)
        if needs_reason and not command.reason.strip():
            raise CommandRefused(f"say why: to {move} {snapshot.incident.ref} needs a reason")
        return [Fact(kind, now, by=command.by, data={"reason": command.reason[:MAX_NOTE_LENGTH]})]

    return change


def _close(command: Close, snapshot: Snapshot, now: DateTime) -> list[Fact]:
    _legal_incident(snapshot, "close")
    left = [s.id for s in snapshot.steps.values() if s.active]
    if left and not command.reason.strip():
        raise CommandRefused(f"{len(left)} steps are not done ({', '.join(left[:4])}...): to close early, say why")
    return [Fact(K.CLOSED, now, by=command.by, data={"reason": command.reason[:MAX_NOTE_LENGTH], "left": left})]


def _begin(command: Begin, snapshot: Snapshot, now: DateTime) -> list[Fact]:
    _legal_incident(snapshot, "begin")
    playbook = snapshot.response.playbook
    stages = [stage.id for stage in playbook.stages if stage.on_demand]
    if command.stage not in stages:
        raise CommandRefused(f"no stage {command.stage!r} is begun by hand: one of {', '.join(stages) or 'none here'}")
    last = snapshot.last_round(command.stage)
    if any(state.active for state in snapshot.steps.values() if state.stage == command.stage):
        raise CommandRefused(f"stage {command.stage} is already under way: finish it first")
    data = {
        "stage": command.stage,
        "round": last + 1,
        "start": now.isoformat(),
        "reason": command.reason[:MAX_NOTE_LENGTH],
    }
    return [Fact(K.STAGE_BEGUN, now, by=command.by, data=data)]


_HANDLERS: dict[type, Callable[..., list[Fact]]] = {
    Acknowledge: _acknowledge,
    Done: _done,
    Draft: _draft,
    Approve: _approve,
    Reject: _reject,
    Retry: _retry,
    Reassign: _reassign,
    Note: _note,
    SetImpact: _impact,
    Mitigate: _move("mitigate", K.MITIGATED),
    Close: _close,
    Reopen: _move("reopen", K.REOPENED, needs_reason=True),
    Cancel: _move("cancel", K.CANCELLED, needs_reason=True),
    Begin: _begin,
}
