"""Navigation of the console: its pages in order of use under stress, timeline filters, role labels."""

from __future__ import annotations

from typing import Final

from domain.text import N_

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
TIMELINE_FILTERS: Final = {  # what a timeline can be narrowed to
    "people": N_("what people did"),
    "clocks": N_("calls and deadlines"),
    "public": N_("texts and publications"),
    "delivery": N_("deliveries"),
    "notes": N_("notes and corrections"),
}
ROLE_LABELS: Final = {
    "none": N_("no role"),
    "viewer": N_("viewer"),
    "responder": N_("responder"),
    "approver": N_("approver"),
    "commander": N_("commander"),
    "admin": N_("administrator"),
}
