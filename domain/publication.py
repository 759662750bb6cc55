"""Publication of an approved text: each official channel once, only the exact text that was approved."""

from __future__ import annotations

from domain.decision_context import DecisionContext
from domain.facts import FactKind
from domain.incident import BEGUN_STATUSES, PublicationState, StepState, StepStatus
from domain.notifications import NotificationPurpose, Publication
from domain.playbook import StepKind, full_step_id
from domain.text import N_, Reason
from domain.text_digest import UnpublishableText, compute_digest, publication_channels, render_for_channels

K = FactKind
DOUBTFUL_STATES = frozenset({PublicationState.UNKNOWN, PublicationState.FAILED})


def advance_publication(work: DecisionContext, state: StepState) -> bool:
    """Order approved texts, finish published ones, call someone for those in doubt."""
    plan = work.snapshot.plan(state)
    if plan.kind is not StepKind.PUBLISH:
        return False
    wanted = plan.channels or tuple(work.snapshot.roster.public)
    if (
        state.status not in BEGUN_STATUSES
    ):  # over, or its next round has begun: what may stand there is somebody's all the same
        return bool(state.postings) and _alarm(work, state, wanted, frozenset({PublicationState.UNKNOWN}))
    if wanted and all(state.postings.get(channel) == PublicationState.PUBLISHED for channel in wanted):
        work.record(K.DONE, state.id, evidence=" ".join(state.receipts.values()))
        return True
    changed = _order(work, state, wanted)
    return _alarm(work, work.snapshot.steps[state.id], wanted, DOUBTFUL_STATES) or changed


def _order(work: DecisionContext, state: StepState, wanted: tuple[str, ...]) -> bool:
    missing = [channel for channel in wanted if channel not in state.postings]
    texts = _approved(work, state) if missing else None
    if texts is None:
        return False
    for channel in missing:
        roster = work.snapshot.roster
        target = roster.drill_channel(channel) if work.snapshot.incident.drill else channel
        if target is None or channel not in texts or target not in roster.public:
            why = "no sandbox stands in for it" if work.snapshot.incident.drill else "the roster does not know it"
            work.record(K.PUBLISH_FAILED, state.id, channel=channel, reason=why)
            continue
        attempt = work.snapshot.steps[state.id].calls
        work.record(K.ORDERED, state.id, channel=channel, target=target, attempt=attempt)
        text = texts[channel]
        work.publications.append(Publication(state.id, channel, target, text, compute_digest({channel: text}), attempt))
    return True


def _approved(work: DecisionContext, state: StepState) -> dict[str, str] | None:
    """The approved texts by channel; None while there is no approval of exactly these texts."""
    plan = work.snapshot.plan(state)
    draft = work.snapshot.related(state, plan.of or "")
    approval = find_approval_step(work, state)
    if draft is None or approval is None or approval.status is not StepStatus.DONE:
        return None
    try:
        texts = render_for_channels(draft.texts, publication_channels(work.snapshot, draft))
    except UnpublishableText as unfit:
        work.record(K.VOIDED, approval.id, reason=str(unfit))
        return None
    if (
        compute_digest(texts) != approval.digest
    ):  # a channel was added or changed since: what would be posted was not seen
        work.record(K.VOIDED, approval.id, reason="the official channels changed since the approval")
        return None
    return texts


def find_approval_step(work: DecisionContext, state: StepState) -> StepState | None:
    """Find the approve step that guards a publish step."""
    text = full_step_id(state.stage, work.snapshot.plan(state).of or "")
    for _, need in work.snapshot.needs(state):
        if need is None:
            continue
        plan = work.snapshot.plan(need)
        if plan.kind is StepKind.APPROVE and full_step_id(need.stage, plan.of or "") == text:
            return need
    return None


def _alarm(
    work: DecisionContext, state: StepState, wanted: tuple[str, ...], doubts: frozenset[PublicationState]
) -> bool:
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
    work.call((commander, state.owner), NotificationPurpose.DOUBT, because, state.id)
    return True
