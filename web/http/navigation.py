"""Navigation of the console: its pages in order of use under stress, timeline filters, role labels."""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.facts import FactKind
from domain.text import N_

K = FactKind

PAGES: Final = (
    ("/", N_("Board")),
    ("/warnings", N_("Warnings")),
    ("/health", N_("Health")),
    ("/statements", N_("Statements")),
    ("/executive", N_("Executive")),
    ("/follow-ups", N_("Follow-ups")),
    ("/drills", N_("Drills")),
    ("/duty", N_("On duty")),
    ("/history", N_("History")),
    ("/documents", N_("Documents")),
    ("/inbox", N_("Inbox")),
)
AGO_MINUTES: Final = (0, 5, 15, 30, 60, 120, 240)  # minutes: since when, at one touch


class TimelineFilter(NamedTuple):
    """What a timeline can be narrowed to: facts of some kinds; without kinds, what a person did."""

    label: str
    kinds: frozenset[str] = frozenset()


TIMELINE_FILTERS: Final = {
    "people": TimelineFilter(N_("what people did")),
    "clocks": TimelineFilter(
        N_("calls and deadlines"),
        frozenset({K.OPENED, K.ESCALATED, K.REMINDED, K.MISSED, K.STAGE_BEGUN, K.RESUMED, K.UPDATE_OVERDUE}),
    ),
    "public": TimelineFilter(
        N_("texts and publications"),
        frozenset({
            K.DRAFTED, K.APPROVED, K.REJECTED, K.VOIDED, K.ORDERED, K.PUBLISHED, K.IN_DOUBT, K.PUBLISH_FAILED,
            K.RETRIED, K.ALARMED, K.UPDATE_OVERDUE,
        }),
    ),
    "delivery": TimelineFilter(
        N_("deliveries"), frozenset({K.NOTICE_DEAD, K.NOTICE_UNKNOWN, K.WITHOUT_PREFECT})
    ),
    "notes": TimelineFilter(
        N_("notes and corrections"), frozenset({K.NOTED, K.CORRECTED, K.IMPACT, K.PROMISED, K.MERGED})
    ),
}  # fmt: skip
ROLE_LABELS: Final = {
    "none": N_("no role"),
    "viewer": N_("viewer"),
    "responder": N_("responder"),
    "approver": N_("approver"),
    "commander": N_("commander"),
    "admin": N_("administrator"),
}
