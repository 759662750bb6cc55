"""What a rehearsal's verdict stands on: letters, what owners did, approved texts, the timeline's chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pendulum

from domain.playbook import Playbook, StepKind, full_id
from domain.roster import Roster
from engine.house import House
from engine.rehearsal.deeds import Deed, Deeds
from engine.rehearsal.expectation import Expectation
from engine.rehearsal.letters import Letter
from engine.rehearsal.line import Line, incident_path
from engine.rehearsal.order import Order
from engine.rehearsal.owners import Ledger
from engine.rehearsal.sandbox import leaks
from engine.rehearsal.span import Span, at
from engine.rehearsal.verdict import Fault, Finding, Ground

_GRACE = 0.05  # real seconds between two readings of this machine's clock


def first_heard(letters: Iterable[Letter]) -> dict[tuple[str, str, str], float]:
    """When each notice first came."""
    found: dict[tuple[str, str, str], float] = {}
    for letter in letters:
        if not letter.public:
            key = (letter.step, letter.purpose, letter.person)
            found[key] = min(letter.at, found.get(key, letter.at))
    return found


def posted(playbook: Playbook, roster: Roster, letters: Iterable[Letter], slack: float) -> dict[str, Span]:
    """When each publication stood on the last of its channels; only those that stand on all."""
    came: dict[str, dict[str, float]] = {}
    for letter in letters:
        if letter.public:
            came.setdefault(letter.step, {}).setdefault(letter.person, letter.at)
    found = {}
    for step, channels in came.items():
        stage, _, short = step.partition("#")[0].partition("/")
        wanted = playbook.step(stage, short).channels or tuple(roster.public)
        if set(wanted) <= set(channels):
            last = max(channels.values())
            found[step] = Span(last, last + slack)
    return found


# --- with real owners ---------------------------------------------------------------------------------------


Clock = Callable[[str], float]  # a time of the API -> seconds of the rehearsed clock


def watched_letters(
    shown: Mapping[str, Any], letters: list[Letter], boxes: Mapping[str, str], clock: Clock
) -> list[Letter]:
    """The sandbox's letters, and for people who are reached otherwise what their services took."""
    found = list(letters)
    for notice in shown["notices"]:
        if notice["person"] in boxes or notice["state"] != "sent" or not notice["sent_at"]:
            continue
        found.append(
            Letter(
                id=0, box="", at=clock(notice["sent_at"]), step=notice["step"], purpose=notice["purpose"],
                person=notice["person"], key=notice["key"].rsplit("/", 2)[0], title="", body="", seen=False,
            )
        )  # fmt: skip
    return sorted(found, key=lambda letter: letter.at)


def watched_deeds(order: Order, roster: Roster, shown: Mapping[str, Any], letters: list[Letter], clock: Clock) -> Deeds:
    """What real owners did, as the incident shows it."""
    acknowledged, done, amounts = {}, {}, {}
    for step in _steps(shown):
        if step["acknowledged_at"]:
            acknowledged[step["id"]] = Deed(step["holder"], at(clock(step["acknowledged_at"])))
        if step["done_at"] and step["state"] == "done":
            done[step["id"]] = Deed(step["done_by"] or step["holder"], at(clock(step["done_at"])))
        if step.get("amount") is not None:
            amounts[step["id"]] = step["amount"]
    return Deeds(
        acknowledged,
        done,
        first_heard(letters),
        posted(order.playbook, roster, letters, order.slack),
        amounts,
    )


# --- the ground of the verdict ------------------------------------------------------------------------------


def ground_of(  # noqa: PLR0913, PLR0917 - a verdict stands on many things
    house: House, line: Line, order: Order, shown: Mapping[str, Any], letters: list[Letter],
    planned: Expectation | None, ledger: Ledger | None, boxes: Mapping[str, str], closed: float,
) -> Ground:  # fmt: skip
    """Everything that the letters are held against, besides the expectation."""
    roster = house.roster()
    others = list(ledger.troubles) if ledger else []
    others += _records(line, shown, to_the_end=ledger is not None)
    targets = ((publication["step"], publication["target"]) for publication in shown["publications"])
    others += [Finding(Fault.LEAK, leak) for leak in leaks(targets, roster, house.channels())]
    texts = _own_texts(order.playbook, roster, ledger.texts) if ledger else _shown_texts(shown)
    return Ground(
        letters=letters, texts=texts, boxes=boxes, promised=_promised(planned, order),
        slack=order.slack,
        others=tuple(others), grace=_GRACE * order.speed, closed=closed, after=order.after,
    )  # fmt: skip


def _promised(planned: Expectation | None, order: Order) -> frozenset[str]:
    """The steps that these owners do in good time before they would be over."""
    if planned is None:
        return frozenset()
    return frozenset(
        name
        for name, course in planned.courses.items()
        if not course.skipped and course.done.hi + 2 * order.slack < course.laid.end.lo
    )


def _records(line: Line, shown: Mapping[str, Any], *, to_the_end: bool) -> Iterator[Finding]:
    ref = shown["ref"]
    checked = line.get(incident_path(ref, "timeline/verify"))
    if not checked["ok"]:
        yield Finding(Fault.RECORD, f"the timeline of {ref} does not hold: {checked['problem']}")
    if not shown["drill"]:
        yield Finding(Fault.RECORD, f"{ref} is not recorded as a drill")
    if to_the_end and shown["status"] != "completed":  # nobody real should have to write a report for it
        left = [step["id"] for step in _steps(shown) if step["state"] in ("waiting", "open", "acknowledged")]
        waits = f"; still open: {', '.join(left[:5])}" if left else ""
        yield Finding(Fault.RECORD, f"{ref} is {shown['status']}, not completed{waits}")


def _own_texts(
    playbook: Playbook, roster: Roster, drafted: Mapping[str, Mapping[str, str]]
) -> dict[tuple[str, str], str]:
    """What the owners wrote and approved, for each publication that says it."""
    found = {}
    for stage, plan in playbook.each_step():
        if plan.kind is not StepKind.PUBLISH:
            continue
        source = full_id(stage.id, plan.of or "")
        for draft, texts in drafted.items():
            name, hash_, number = draft.partition("#")
            if name != source:
                continue
            for channel in plan.channels or tuple(roster.public):
                text = texts.get(channel) or texts.get(roster.public[channel].language, "")
                found[f"{stage.id}/{plan.id}{hash_}{number}", channel] = text.strip()
    return found


def _shown_texts(shown: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    steps = {step["id"]: step for step in _steps(shown)}
    return {
        (step["id"], channel): text
        for step in steps.values()
        if step["kind"] == "publish"
        for channel, text in steps.get(str(step.get("of")), {}).get("rendered", {}).items()
    }


def _steps(shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [step for stage in shown["stages"] for step in stage["steps"]]


def seconds_of(iso: str) -> float:
    """A time of the API as seconds since the epoch."""
    return float(pendulum.parse(iso).timestamp())  # type: ignore[union-attr]
