"""Evidence of a rehearsal: messages received, owners' actions, approved texts, the timeline's chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pendulum

from domain.playbook import Playbook, StepKind, full_step_id
from domain.roster import Roster
from engine.installation import Installation
from engine.rehearsal.api_client import RehearsalClient, incident_path
from engine.rehearsal.expectation import RehearsalExpectation
from engine.rehearsal.owner_actions import OwnerAction, OwnerActions
from engine.rehearsal.received_messages import ReceivedMessage
from engine.rehearsal.request import RehearsalRequest
from engine.rehearsal.sandbox import find_leaks
from engine.rehearsal.simulated_owners import OwnerLedger
from engine.rehearsal.time_bounds import TimeBounds, exact_moment
from engine.rehearsal.verdict import RehearsalFault, RehearsalFinding, VerdictEvidence

_GRACE = 0.05  # real seconds between two readings of this machine's clock


def first_received(letters: Iterable[ReceivedMessage]) -> dict[tuple[str, str, str], float]:
    """Find when each notice first came."""
    found: dict[tuple[str, str, str], float] = {}
    for letter in letters:
        if not letter.is_public:
            key = (letter.step, letter.purpose, letter.person)
            found[key] = min(letter.at, found.get(key, letter.at))
    return found


def publication_times(
    playbook: Playbook, roster: Roster, letters: Iterable[ReceivedMessage], slack: float
) -> dict[str, TimeBounds]:
    """Find when each publication stood on the last of its channels; only those that stand on all."""
    came: dict[str, dict[str, float]] = {}
    for letter in letters:
        if letter.is_public:
            came.setdefault(letter.step, {}).setdefault(letter.person, letter.at)
    found = {}
    for step, channels in came.items():
        stage, _, short = step.partition("#")[0].partition("/")
        wanted = playbook.step(stage, short).channels or tuple(roster.public)
        if set(wanted) <= set(channels):
            last = max(channels.values())
            found[step] = TimeBounds(last, last + slack)
    return found


# --- with real owners ---------------------------------------------------------------------------------------


ParseClock = Callable[[str], float]  # a time of the API -> seconds of the rehearsed clock


def observed_messages(
    shown: Mapping[str, Any], letters: list[ReceivedMessage], boxes: Mapping[str, str], clock: ParseClock
) -> list[ReceivedMessage]:
    """The sandbox's messages, and for people reached otherwise, what their services accepted."""
    found = list(letters)
    for notice in shown["notices"]:
        if notice["person"] in boxes or notice["state"] != "sent" or not notice["sent_at"]:
            continue
        found.append(
            ReceivedMessage(
                id=0, box="", at=clock(notice["sent_at"]), step=notice["step"], purpose=notice["purpose"],
                person=notice["person"], key=notice["key"].rsplit("/", 2)[0], title="", body="", seen=False,
            )
        )  # fmt: skip
    return sorted(found, key=lambda letter: letter.at)


def observed_actions(
    order: RehearsalRequest, roster: Roster, shown: Mapping[str, Any], letters: list[ReceivedMessage], clock: ParseClock
) -> OwnerActions:
    """What real owners did, as the incident shows it."""
    acknowledged, done, amounts = {}, {}, {}
    for step in _steps(shown):
        if step["acknowledged_at"]:
            acknowledged[step["id"]] = OwnerAction(step["holder"], exact_moment(clock(step["acknowledged_at"])))
        if step["done_at"] and step["state"] == "done":
            done[step["id"]] = OwnerAction(step["done_by"] or step["holder"], exact_moment(clock(step["done_at"])))
        if step.get("amount") is not None:
            amounts[step["id"]] = step["amount"]
    return OwnerActions(
        acknowledged,
        done,
        first_received(letters),
        publication_times(order.playbook, roster, letters, order.slack),
        amounts,
    )


# --- the ground of the verdict ------------------------------------------------------------------------------


def collect_evidence(  # noqa: PLR0913, PLR0917 - a verdict stands on many things
    installation: Installation,
    line: RehearsalClient,
    order: RehearsalRequest,
    shown: Mapping[str, Any],
    letters: list[ReceivedMessage],
    planned: RehearsalExpectation | None,
    ledger: OwnerLedger | None,
    boxes: Mapping[str, str],
    closed: float,
) -> VerdictEvidence:
    """Collect everything that messages are judged by, besides the expectation."""
    roster = installation.roster()
    others = list(ledger.troubles) if ledger else []
    others += _records(line, shown, to_the_end=ledger is not None)
    targets = ((publication["step"], publication["target"]) for publication in shown["publications"])
    others += [
        RehearsalFinding(RehearsalFault.LEAK, leak) for leak in find_leaks(targets, roster, installation.channels())
    ]
    texts = _own_texts(order.playbook, roster, ledger.texts) if ledger else _shown_texts(shown)
    return VerdictEvidence(
        letters=letters, texts=texts, boxes=boxes, promised=_promised(planned, order),
        slack=order.slack,
        others=tuple(others), grace=_GRACE * order.speed, closed=closed, after=order.after,
    )  # fmt: skip


def _promised(planned: RehearsalExpectation | None, order: RehearsalRequest) -> frozenset[str]:
    """The steps that these owners do in good time before they would be over."""
    if planned is None:
        return frozenset()
    return frozenset(
        name
        for name, course in planned.courses.items()
        if not course.skipped and course.done.hi + 2 * order.slack < course.laid.end.lo
    )


def _records(line: RehearsalClient, shown: Mapping[str, Any], *, to_the_end: bool) -> Iterator[RehearsalFinding]:
    ref = shown["ref"]
    checked = line.get(incident_path(ref, "timeline/verify"))
    if not checked["ok"]:
        yield RehearsalFinding(RehearsalFault.RECORD, f"the timeline of {ref} does not hold: {checked['problem']}")
    if not shown["drill"]:
        yield RehearsalFinding(RehearsalFault.RECORD, f"{ref} is not recorded as a drill")
    if to_the_end and shown["status"] != "completed":  # nobody real should have to write a report for it
        left = [step["id"] for step in _steps(shown) if step["state"] in ("waiting", "open", "acknowledged")]
        waits = f"; still open: {', '.join(left[:5])}" if left else ""
        yield RehearsalFinding(RehearsalFault.RECORD, f"{ref} is {shown['status']}, not completed{waits}")


def _own_texts(
    playbook: Playbook, roster: Roster, drafted: Mapping[str, Mapping[str, str]]
) -> dict[tuple[str, str], str]:
    """What the owners wrote and approved, for each publication that says it."""
    found = {}
    for stage, plan in playbook.each_step():
        if plan.kind is not StepKind.PUBLISH:
            continue
        source = full_step_id(stage.id, plan.of or "")
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


def epoch_seconds(iso: str) -> float:
    """Convert a time of the API to seconds since the epoch."""
    return float(pendulum.parse(iso).timestamp())  # type: ignore[union-attr]
