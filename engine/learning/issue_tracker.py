"""Issue tracker: one JSON POST per group of suggestions, its outcome on the row, never again after success.

A post whose outcome nobody knows is made again under the same `Idempotency-Key`: the tracker knows it.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from domain.durations import later
from domain.learning.plan import LearningPlan
from engine.delivery.retry import ISSUE_TRACKER
from engine.learning.service import LearningService
from storage.learning import suggestion_store
from storage.learning.suggestion_store import SuggestionGroup

log = logging.getLogger("tocsin.learning")
BATCH = 10  # of one look: a slow tracker holds up nothing for longer
CLAIM_FOR = timedelta(minutes=2)  # then a post whose poster was killed is made again
TIMEOUT_SECONDS = 4.0
LONGEST_RECEIPT = 300
_AGAIN = frozenset({408, 409, 423, 425, 429})  # of the 4xx: not a no, only not now
_REFUSED, _FAILED = 400, 500


@dataclass(frozen=True, slots=True)
class TrackerOutcome:
    """Outcome of a post to the tracker."""

    state: str  # sent | refused | owed
    receipt: str = ""
    detail: str = ""


def post_due(service: LearningService, now: DateTime) -> int:
    """Post the groups that are due at the tracker; return how many were tried."""
    plan = service.plan
    if not plan.tracker_url:
        return 0
    with service.installation.database.read() as connection:
        groups = suggestion_store.list_due_for_tracker(connection, now, BATCH)
    tried = 0
    for group in groups:
        with service.installation.database.write() as connection:
            mine = suggestion_store.claim_for_tracker(connection, group, now, later(now, CLAIM_FOR))
        if not mine:
            continue
        outcome = _post(service, plan, group)
        tried += 1
        again_at = later(now, ISSUE_TRACKER.wait_after(group.tracker_attempts + 1))
        with service.installation.database.write() as connection:
            suggestion_store.update_groups(
                connection, [group.number], tracker=outcome.state, tracker_receipt=outcome.receipt,
                tracker_detail=outcome.detail, tracker_next_at=again_at,
            )  # fmt: skip
        if outcome.state == "owed":  # it does not answer, or not now: the others wait for the next look
            break
    return tried


def make_issue(service: LearningService, group: SuggestionGroup) -> dict[str, Any]:
    """Make the issue that is posted of a group: nothing in it names a customer."""
    name = f"{suggestion_store.SUGGESTION_PREFIX}{group.number}"
    return {
        "id": name, "title": group.wording or name, "voices": group.voices, "language": group.language,
        "first_at": group.first_at.isoformat(), "last_at": group.last_at.isoformat(),
        "agenda": service.document_link(group.agenda) if group.agenda else "",
    }  # fmt: skip


def idempotency_key(group: SuggestionGroup) -> str:
    """Return the idempotency key of a group: the same for every post of it."""
    return hashlib.sha256(
        f"tocsin/{suggestion_store.SUGGESTION_PREFIX}{group.number}/{group.first_at.isoformat()}".encode()
    ).hexdigest()[:32]


def _post(service: LearningService, plan: LearningPlan, group: SuggestionGroup) -> TrackerOutcome:
    import httpx  # noqa: PLC0415 - only who has a tracker carries it

    headers = {"Idempotency-Key": idempotency_key(group)}
    if plan.tracker_token_env:
        token = os.environ.get(plan.tracker_token_env, "").strip()
        if not token or not token.isprintable() or not token.isascii():
            return TrackerOutcome("owed", detail=f"the variable {plan.tracker_token_env} holds no token")
        headers["Authorization"] = f"Bearer {token}"
    try:
        answer = httpx.post(
            plan.tracker_url,
            json=make_issue(service, group),
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
        )
    except httpx.HTTPError as error:  # its text may hold the address
        return TrackerOutcome("owed", detail=f"no answer ({type(error).__name__})")
    return judge_response(answer.status_code, answer.text)


def judge_response(status: int, body: str) -> TrackerOutcome:
    """Judge the tracker's response: accepted, refused, or to be tried again."""
    if status < _REFUSED and status // 100 == 2:  # noqa: PLR2004 - HTTP's own class of yes
        return TrackerOutcome("sent", receipt=_receipt(body))
    if _REFUSED <= status < _FAILED and status not in _AGAIN:
        return TrackerOutcome("refused", detail=f"HTTP {status}")
    return TrackerOutcome("owed", detail=f"HTTP {status}")


def _receipt(body: str) -> str:
    """The issue's address or number, where the tracker gives one."""
    import json  # noqa: PLC0415

    try:
        found = json.loads(body[:100_000])
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    names = ("html_url", "web_url", "url", "link", "key", "number", "id")
    value = next((found[name] for name in names if isinstance(found.get(name), str | int)), "")
    return "".join(c for c in str(value) if c.isprintable())[:LONGEST_RECEIPT]
