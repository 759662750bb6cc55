"""Measures of a sudden situation from the records: what was expected, and the procedure's deadlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from pendulum import DateTime

from domain.incident import Snapshot, StepState, StepStatus
from domain.playbook import PERSON_STEPS
from domain.tabletop.scenario import InjectionEffect, ScoringScale
from domain.tabletop.scoring import ScoredItem, score_timeliness
from domain.text import Text
from engine.installation import Installation
from engine.rehearsal.expected_notices import format_clock
from engine.rehearsal.injections import ANSWER_STEP, InjectedEvent, load_snapshots
from engine.rehearsal.tabletop import TabletopRun

_GONE = frozenset({StepStatus.SKIPPED, StepStatus.SUPERSEDED})


def measure_run(installation: Installation, played: TabletopRun) -> list[ScoredItem]:
    """Measure everything that can be; an item that was never asked of anybody has no share."""
    main = load_snapshots(installation, played.ref)
    found = [item for one in played.happened for item in _happened(installation, played, one, main)]
    done = {one.injection.id for one in played.happened}
    found += [
        ScoredItem(one.id, ScoringScale.ADAPTABILITY, one.text, None, measured=True, because="it never came to it")
        for one in played.order.scenario.injections
        if one.id not in done
    ]
    lost = {one.person for one in played.happened if one.injection.effect is InjectionEffect.UNREACHABLE}
    return [*found, *_procedure(main, played.ended, lost)]


def _happened(
    installation: Installation, played: TabletopRun, one: InjectedEvent, main: Sequence[Snapshot]
) -> Iterator[ScoredItem]:
    injection, speed = one.injection, played.order.speed

    def item(what: str, text: Text, at: DateTime | None, since: DateTime, allowed: timedelta, who: str) -> ScoredItem:
        took = None if at is None else max(0.0, (at - since).total_seconds()) * speed
        limit = allowed.total_seconds()
        said = (
            f"{who} {format_clock(took)} / {format_clock(limit)}".strip()
            if took is not None
            else f"- / {format_clock(limit)}"
        )
        return ScoredItem(
            f"{injection.id}:{what}",
            ScoringScale.ADAPTABILITY,
            text,
            score_timeliness(took, limit),
            measured=True,
            because=said,
        )

    acknowledged = _say("Acknowledged: {it}", "已确认：{it}", injection.text)
    answered = _say("Answered: {it}", "已答复：{it}", injection.text)
    if injection.effect is InjectionEffect.MESSAGE:
        state = load_snapshots(installation, one.matter)[0].steps[ANSWER_STEP]
        if injection.within:
            yield item("acknowledged", acknowledged, state.acknowledged_at, one.at, injection.within, state.holder)
        if injection.due:
            yield item("answered", answered, state.done_at, one.at, injection.due, state.done_by)
    elif injection.effect is InjectionEffect.INCIDENT and injection.within:
        steps = [state for whole in load_snapshots(installation, one.matter) for state in whole.steps.values()]
        taken = [(state.acknowledged_at, state.holder) for state in steps if state.acknowledged_at is not None]
        at, who = min(taken) if taken else (None, "")
        yield item("acknowledged", acknowledged, at, one.at, injection.within, who)
    elif injection.effect is InjectionEffect.REJECT and injection.due:
        state = main[0].steps[one.step]
        at = state.done_at if state.done_at and state.done_at > one.at else None
        text = _say("A new text approved after: {it}", "退回后重新获批：{it}", injection.text)
        yield item("approved", text, at, one.at, injection.due, state.done_by)
    elif injection.effect is InjectionEffect.UNREACHABLE and injection.within:
        text = _say("Somebody else took over: {it}", "他人接手：{it}", injection.text)
        theirs = [state for whole in main for state in whole.steps.values() if _was_theirs(state, one)]
        if not theirs:
            yield ScoredItem(f"{injection.id}:relieved", ScoringScale.ADAPTABILITY, text, None, measured=True,
                       because="nothing of theirs was to be done")  # fmt: skip
            return
        state = min(theirs, key=lambda state: max(state.opened_at or one.at, one.at))
        relieved = state.acknowledged_at if state.holder != one.person else None
        since = max(state.opened_at or one.at, one.at)
        yield item("relieved", text, relieved, since, injection.within, state.holder if relieved else "")


def _was_theirs(state: StepState, one: InjectedEvent) -> bool:
    """Whether somebody who could not be reached was called for a step, or had it open, from then on."""
    if state.owner != one.person or state.opened_at is None or state.status in _GONE:
        return False
    return state.acknowledged_at is None or state.acknowledged_at > one.at


def _procedure(main: Sequence[Snapshot], ended: DateTime, lost: set[str]) -> Iterator[ScoredItem]:
    """Of the steps that people do: those acknowledged in the time allowed, and those done by their deadline.

    Steps of somebody who could not be reached say nothing of skill: who took them over is measured by itself. A step
    that was opened anew, and done at once, was acknowledged by that.
    """
    steps = [
        state
        for whole in main
        for state in whole.steps.values()
        if whole.plan(state).kind in PERSON_STEPS
        and state.opened_at is not None
        and state.status not in _GONE
        and state.owner not in lost
    ]
    asked = [
        state for state in steps if state.ack_within and state.opened_at and state.opened_at + state.ack_within < ended
    ]
    taken = sum(_within(state.acknowledged_at or state.done_at, state.opened_at, state.ack_within) for state in asked)
    yield _share(
        "acknowledged", "Steps of the procedure acknowledged in the time allowed", "预案步骤按时确认", taken, len(asked)
    )
    due = [state for state in steps if state.due_at < ended]
    done = sum(state.done_at is not None and state.done_at <= state.due_at for state in due)
    yield _share("in-time", "Steps of the procedure done by their deadline", "预案步骤按时完成", done, len(due))


def _within(at: DateTime | None, since: DateTime | None, allowed: timedelta | None) -> bool:
    return at is not None and since is not None and allowed is not None and at - since <= allowed


def _share(name: str, en: str, zh: str, part: int, whole: int) -> ScoredItem:
    share = part / whole if whole else None
    return ScoredItem(
        f"procedure:{name}", ScoringScale.SKILL, Text(en, zh), share, measured=True, because=f"{part} / {whole}"
    )


def _say(en: str, zh: str, it: Text) -> Text:
    return Text(en.format(it=it.en), zh.format(it=it.zh or it.en))
