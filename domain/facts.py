"""Facts of a timeline. They are appended, never changed; the state of an incident is the sum of its facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pendulum import DateTime


class FactKind(StrEnum):
    """The kinds of fact of a timeline."""

    # of the incident
    DECLARED = "declared"
    ATTACHED = "playbook-attached"
    MITIGATED = "mitigated"
    CLOSED = "closed"
    REOPENED = "reopened"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NOTED = "noted"
    CORRECTED = "corrected"  # an earlier fact, named by its number, was not so
    MERGED = "duplicate-merged"  # another declaration of the same matter
    IMPACT = "impact-updated"
    PROMISED = "action-promised"  # an action of its own came of it
    # of the warning behind it
    JOINED = "warning-joined"  # a related warning, or a new firing of the same one
    WORSENED = "warning-worsened"
    EASED = "warning-eased"
    RECOVERED = "warning-over"
    # of its affected customers: figures, never who they are
    FOLLOW_UP_BEGUN = "follow-up-begun"
    FOLLOW_UP_STOPPED = "follow-up-stopped"
    FOLLOW_UP_GIVEN_UP = "follow-up-given-up"
    FOLLOW_UP_RESULT = "follow-up-result"
    # of a response
    STAGE_BEGUN = "stage-begun"
    UPDATE_OVERDUE = "silence-reminded"
    FINISHED = "response-finished"
    WITHOUT_PREFECT = "turn-without-prefect"
    # of a step
    OPENED = "step-opened"
    ACKNOWLEDGED = "step-acknowledged"
    ESCALATED = "step-escalated"
    REMINDED = "step-reminded"
    MISSED = "deadline-missed"
    DONE = "step-done"
    SKIPPED = "step-skipped"
    ABANDONED = "step-abandoned"
    SUPERSEDED = "step-superseded"
    RESUMED = "step-resumed"
    REASSIGNED = "step-reassigned"
    # of a text
    DRAFTED = "text-drafted"
    APPROVED = "text-approved"
    REJECTED = "text-rejected"
    VOIDED = "approval-voided"
    ORDERED = "publication-ordered"
    PUBLISHED = "published"
    IN_DOUBT = "publication-in-doubt"
    PUBLISH_FAILED = "publication-failed"
    RETRIED = "publication-retried"
    ALARMED = "publication-alarmed"
    # of a notice (written by the delivery; they move no state)
    NOTICE_DEAD = "notice-not-delivered"
    NOTICE_UNKNOWN = "notice-outcome-unknown"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact at `at`, by a person's id (empty: by Tocsin). `data` is JSON-able."""

    kind: FactKind
    at: DateTime
    step: str = ""
    by: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
