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

import tenacity
from pendulum import DateTime

from domain.durations import later
from domain.learning.plan import LearningPlan
from engine.learning.service import LearningService
from storage.learning import suggestion_store
from storage.learning.suggestion_store import SuggestionGroup

log = logging.getLogger("tocsin.learning")
BATCH = 10  # of one look: a slow tracker holds up nothing for longer
CLAIM_FOR = timedelta(minutes=2)  # then a post whose poster was killed is made again
TIMEOUT_SECONDS = 4.0
LONGEST_RECEIPT = 300
_BACK_OFF = tenacity.wait_exponential(multiplier=30, max=6 * 3_600)
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
        rows = suggestion_store.list_due_for_tracker(connection, now, BATCH)
    tried = 0
    for row in rows:
        with service.installation.database.write() as connection:
            mine = suggestion_store.claim_for_tracker(connection, row, now, later(now, CLAIM_FOR))
        if not mine:
            continue
        outcome = _post(service, plan, row)
        tried += 1
        with service.installation.database.write() as connection:
            suggestion_store.update_groups(
                connection, [row.number], tracker=outcome.state, tracker_receipt=outcome.receipt,
                tracker_detail=outcome.detail, tracker_next_at=later(now, _wait(row.tracker_attempts + 1)),
            )  # fmt: skip
        if outcome.state == "owed":  # it does not answer, or not now: the others wait for the next look
            break
    return tried


def make_issue(service: LearningService, row: SuggestionGroup) -> dict[str, Any]:
    """Make the issue that is posted of a group: nothing in it names a customer."""
    name = f"{suggestion_store.SUGGESTION_PREFIX}{row.number}"
    return {
        "id": name, "title": row.wording or name, "voices": row.voices, "language": row.language,
        "first_at": row.first_at.isoformat(), "last_at": row.last_at.isoformat(),
        "agenda": service.document_link(row.agenda) if row.agenda else "",
    }  # fmt: skip


def idempotency_key(row: SuggestionGroup) -> str:
    """Return the idempotency key of a group: the same for every post of it."""
    return hashlib.sha256(
        f"tocsin/{suggestion_store.SUGGESTION_PREFIX}{row.number}/{row.first_at.isoformat()}".encode()
    ).hexdigest()[:32]


def _post(service: LearningService, plan: LearningPlan, row: SuggestionGroup) -> TrackerOutcome:
    import httpx  # noqa: PLC0415 - only who has a tracker carries it

    headers = {"Idempotency-Key": idempotency_key(row)}
    if plan.tracker_token_env:
        token = os.environ.get(plan.tracker_token_env, "").strip()
        if not token or not token.isprintable() or not token.isascii():
            return TrackerOutcome("owed", detail=f"the variable {plan.tracker_token_env} holds no token")
        headers["Authorization"] = f"Bearer {token}"
    try:
        answer = httpx.post(
            plan.tracker_url,
            json=make_issue(service, row),
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


def _wait(attempt: int) -> timedelta:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    return timedelta(seconds=float(_BACK_OFF(state)))
