"""Customers on the screen and as CSV: contacts masked, no field a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import sys
from typing import Any

from cli.client import get, incident_path
from cli.common import _, say, show_json
from domain.spreadsheet import escape_formula

PAGE = 2_000
EXPORTED = (
    "customer", "contact", "language", "time_zone", "order_value", "compensation", "poor_service_30d", "care", "owner",
    "state", "csat", "nps", "solved", "suggestion", "complaints", "callback", "called_at", "called_by", "called_note",
)  # fmt: skip


def print_customers(ref: str, token: str, *, calls: bool, limit: int, as_csv: bool, as_json: bool) -> None:
    """Print customers: for a person, a program or a spreadsheet."""
    found: list[dict[str, Any]] = []
    while len(found) < limit:
        wanted = min(PAGE, limit - len(found))
        answer = get(incident_path(ref, "customers"), token, calls=str(calls).lower(), limit=wanted, after=len(found))
        found += answer["customers"]
        if len(answer["customers"]) < wanted:
            break
    if as_json:
        show_json({**answer, "customers": found})
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(EXPORTED)
        writer.writerows([escape_formula(one[name]) for name in EXPORTED] for one in found)
    else:
        for one in found:
            say(_line(one))
        if not found:
            say(_("nobody is to be called") if calls else _("no customers"))


def _line(one: dict[str, Any]) -> str:
    said = f"{one['csat']}/5" if one["csat"] is not None else one["state"]
    parts = [one["customer"] or _("(forgotten)"), one["contact"], " + ".join(one["care"]), one["owner"], said]
    return "  ".join(part for part in (*parts, one["callback"]) if part)


def print_follow_up(found: dict[str, Any]) -> None:
    """Print the follow-up of an incident for a person."""
    result = found["result"]
    say(f"{found['ref']}  {_states().get(found['state'], found['state'])}")
    lines = (
        (_("customers"), result["customers"]),
        (_("asked"), result["asked"]),
        (_("without a channel"), result["no_channel"]),
        (_("not reached"), result["unreached"]),
        (_("answered"), f"{result['answered']} ({_share(result['response_share'])})"),
        (_("satisfied"), _share(result["csat"])),
        ("NPS", "-" if result["nps"] is None else f"{result['nps']:.0f}"),
        (_("solved"), result["solved"]),
        (_("to be called, called"), f"{result['to_call']}, {result['called']}"),
        (_("open again"), result["reopened"]),
        (_("second complaints"), f"{_share(result['second_share'])} ({_('aim below')} {_share(_aim(found))})"),
    )
    for name, value in lines:
        say(f"  {name}: {value}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f} %"


def _aim(found: dict[str, Any]) -> float:
    return float(found["aims"]["second_complaints"])


def _states() -> dict[str, str]:
    return {
        "none": _("no customers were imported"),
        "waiting": _("the follow-up begins with the close"),
        "running": _("customers are being asked"),
        "collected": _("collected"),
        "erased": _("collected, contacts erased"),
    }
