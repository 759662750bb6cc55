"""Ordering a publication: each official channel once, only the exact text that was approved."""

from __future__ import annotations

from domain.approval import Unfit, channels_of, digest, render
from domain.facts import FactKind
from domain.incident import BEGUN, Posting, StepState, StepStatus
from domain.notices import Publication, Purpose
from domain.playbook import StepKind, full_id
from domain.text import N_, Reason
from domain.work import Work

K = FactKind
IN_DOUBT = frozenset({Posting.UNKNOWN, Posting.FAILED})


def publish(work: Work, state: StepState) -> bool:
    """Order what is approved, finish what is posted, call someone for what is in doubt."""
    plan = work.snapshot.plan(state)
    if plan.kind is not StepKind.PUBLISH:
        return False
    wanted = plan.channels or tuple(work.snapshot.roster.public)
    if state.status not in BEGUN:  # over, or its next round has begun: what may stand there is somebody's all the same
        return bool(state.postings) and _alarm(work, state, wanted, frozenset({Posting.UNKNOWN}))
    if wanted and all(state.postings.get(channel) == Posting.PUBLISHED for channel in wanted):
        work.record(K.DONE, state.id, evidence=" ".join(state.receipts.values()))
        return True
    changed = _order(work, state, wanted)
    return _alarm(work, work.snapshot.steps[state.id], wanted, IN_DOUBT) or changed


def _order(work: Work, state: StepState, wanted: tuple[str, ...]) -> bool:
    missing = [channel for channel in wanted if channel not in state.postings]
    texts = _approved(work, state) if missing else None
    if texts is None:
        return False
    for channel in missing:
        roster = work.snapshot.roster
        target = roster.for_drill(channel) if work.snapshot.incident.drill else channel
        if target is None or channel not in texts or target not in roster.public:
            why = "no sandbox stands in for it" if work.snapshot.incident.drill else "the roster does not know it"
            work.record(K.PUBLISH_FAILED, state.id, channel=channel, reason=why)
            continue
        attempt = work.snapshot.steps[state.id].calls
        work.record(K.ORDERED, state.id, channel=channel, target=target, attempt=attempt)
        text = texts[channel]
        work.publications.append(Publication(state.id, channel, target, text, digest({channel: text}), attempt))
    return True


def _approved(work: Work, state: StepState) -> dict[str, str] | None:
    """The approved texts by channel; None while there is no approval of exactly these texts."""
    plan = work.snapshot.plan(state)
    draft = work.snapshot.related(state, plan.of or "")
    approval = approval_of(work, state)
    if draft is None or approval is None or approval.status is not StepStatus.DONE:
        return None
    try:
        texts = render(draft.texts, channels_of(work.snapshot, draft))
    except Unfit as unfit:
        work.record(K.VOIDED, approval.id, reason=str(unfit))
        return None
    if digest(texts) != approval.digest:  # a channel was added or changed since: what would be posted was not seen
        work.record(K.VOIDED, approval.id, reason="the official channels changed since the approval")
        return None
    return texts


def approval_of(work: Work, state: StepState) -> StepState | None:
    """The approve step that guards a publish step."""
    text = full_id(state.stage, work.snapshot.plan(state).of or "")
    for _, need in work.snapshot.needs(state):
        if need is None:
            continue
        plan = work.snapshot.plan(need)
        if plan.kind is StepKind.APPROVE and full_id(need.stage, plan.of or "") == text:
            return need
    return None


def _alarm(work: Work, state: StepState, wanted: tuple[str, ...], doubts: frozenset[Posting]) -> bool:
    doubtful = sorted(channel for channel, posting in state.postings.items() if posting in doubts)
    count = len(doubtful) if wanted else 1
    if count <= state.alarmed:
        return False
    work.record(K.ALARMED, state.id, in_doubt=count, channels=doubtful)
    because = Reason(
        N_("It is not certain that this stands on {channels}: look there, then say so with a link, or order it again."),
        {"channels": ", ".join(doubtful) or "any official channel"},
    )
    commander = work.person(work.snapshot.response.playbook.commander)
    work.call((commander, state.owner), Purpose.DOUBT, because, state.id)
    return True
