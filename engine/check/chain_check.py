"""Chain check: runs every check, and opens an action for the role that mends each broken thing, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime

from domain.action import Action, ActionKind
from domain.text import Text
from engine.check import (
    channel_probe,
    home_files,
    infrastructure,
    oncall_coverage,
    prefect_schedules,
    reachability,
    trial_rehearsal,
)
from engine.check.finding import CheckFinding
from engine.installation import Installation
from engine.response.actions import open_actions
from storage.incidents.board import list_open_titles

_MEND = timedelta(days=2)
_ORIGIN = "chain-check"


@dataclass(frozen=True, slots=True)
class CheckScope:
    """Scope of a chain check.

    Attributes:
        quiet: nothing is sent.
        running: also what only a running installation can show: processes, public address, schedules.
        waking: a page must wake somebody; the shipped inbox does not, and says so.
    """

    quiet: bool = False
    running: bool = True
    waking: bool = True


def run_checks(installation: Installation, now: DateTime, order: CheckScope) -> Iterator[CheckFinding]:
    """Run every check, one finding after the other; a check that itself breaks is a finding."""
    parts: list[tuple[str, Callable[[], Iterable[CheckFinding]]]] = [
        ("database", lambda: infrastructure.check_storage(installation, now)),
        ("files", lambda: home_files.check_files(installation)),
        ("version", infrastructure.check_version),
        ("people", lambda: reachability.check_roles(installation, waking=order.waking)),
        ("ahead", lambda: oncall_coverage.check_coverage(installation, now)),
        ("reserve", lambda: oncall_coverage.check_reserve(installation, now)),
    ]
    if order.running:
        parts += [
            ("links", lambda: infrastructure.check_links(installation)),
            ("processes", lambda: infrastructure.check_processes(installation)),
            (
                "schedules",
                lambda: prefect_schedules.check_schedules(prefect_schedules.prefect_api_url(installation), now),
            ),
        ]
    if not order.quiet:
        parts.append(("channels", lambda: channel_probe.check_channels(installation)))
    if order.running and not order.quiet:
        parts.append(("rehearsal", lambda: trial_rehearsal.check_rehearsal(installation)))
    for name, part in parts:
        try:
            yield from part()
        except Exception as error:  # noqa: BLE001 - a check that breaks must not hide the others
            reason = Text(f"could not be checked: {type(error).__name__}", f"检查未完成：{type(error).__name__}")
            yield CheckFinding(name, ok=False, reason=reason)


def open_repair_actions(installation: Installation, findings: Iterable[CheckFinding], now: DateTime) -> list[str]:
    """Open an action for each broken thing, owned by the role that mends it, unless one is open.

    Returns their references.
    """
    broken = [one for one in findings if not one.ok]
    roster = installation.roster()
    with installation.database.write() as connection:
        known = list_open_titles(connection, _ORIGIN)
        actions = {}
        for one in broken:
            title = Text(f"Mend {one.what}: {one.reason.en}"[:180], f"修复 {one.what}：{one.reason.zh}"[:180])
            if title.en not in known:
                owner = one.owner if roster.primary(one.owner) else "technology-lead"
                key = f"check:{now.format('YYYYMMDDHHmmss')}:{one.what}"[:64]
                actions[key] = Action(title, owner, _MEND, ActionKind.CHECK, origin=_ORIGIN)
        return [answer.ref for answer in open_actions(connection, roster, actions, now)]
