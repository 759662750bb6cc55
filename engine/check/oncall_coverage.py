"""Check of the next two weeks: each role's holders are reachable and backed up; the reserve for peaks."""

from __future__ import annotations

from datetime import timedelta

from pendulum import DateTime

from domain.durations import later
from domain.oncall import DutyPeriod, list_role_periods
from domain.roster import Roster
from engine.check.finding import CheckFindings, failed, passed
from engine.check.reachability import list_working_channels
from engine.health.board_factory import open_board, services_of
from engine.installation import Installation
from playbooks.errors import BadFile
from playbooks.rulebook import Rulebook

DAYS = 14
_WORKFORCE = "workforce-manager"


def check_coverage(installation: Installation, now: DateTime) -> CheckFindings:
    """Check every role that has a calendar or an override; the others stay as they are now."""
    try:
        roster, duties = installation.written_roster(), installation.duties()
    except BadFile:
        return  # said by the check of people
    for finding in installation.on_duty.findings(roster):
        yield failed("calendars", finding, f"排班日历有误：{finding}")
    for name in sorted(duties.roles() & set(roster.roles)):
        spans = list_role_periods(roster, duties, name, now, later(now, timedelta(days=DAYS)))
        wrong = [(span, *why) for span in spans if (why := _wrong(installation, roster, span))]
        what = f"role {name} in {DAYS} days"
        if wrong:
            span, en, zh = wrong[0]
            more = f" (+{len(wrong) - 1})" if len(wrong) > 1 else ""
            zone = _zone(roster, span)
            when = f"{span.start.in_timezone(zone):ddd YYYY-MM-DD HH:mm}"
            yield failed(what, f"from {when} {en}{more}", f"自 {when} 起{zh}{more}", name)
        else:
            yield passed(what, f"{len(spans)} turns, somebody behind each", f"{len(spans)} 个班次均有人且有备份")


def _wrong(installation: Installation, roster: Roster, span: DutyPeriod) -> tuple[str, str] | None:
    if span.gap:
        name = roster.name(span.person)
        return f"nobody is on shift: {name} would be called; fill it", f"无人值班，将呼叫 {name}；请补排班"
    if not list_working_channels(installation, roster, span.person):
        return f"{span.person} has no channel that leads anywhere", f" {span.person} 没有可用渠道"
    if span.backup is None:
        return f"nobody stands in for {span.person}: name a backup", f" {span.person} 没有备份人（B 角）"
    return None


def _zone(roster: Roster, span: DutyPeriod) -> str:
    known = roster.people.get(span.person)
    return known.timezone if known else "UTC"


def check_reserve(installation: Installation, now: DateTime) -> CheckFindings:
    """Check the agents kept for peaks, of the operation and of each service, against the wanted share (50 %)."""
    board, file = open_board(installation.settings, installation.reviews.figures, Rulebook(installation.settings.home))
    wanted = file.current().reserve
    for service in ("", *services_of(file)()):
        found = board.reserve(now, service=service)
        what = f"reserve {service}".strip()
        if found is None:
            if not service:
                yield passed(what, "not known: say agents and standby in health.yaml", "未知：请在 health.yaml 填写")
        elif found.missing:
            yield failed(
                what, f"{found.share:.0%} of {found.staff} on shift, {wanted:.0%} are wanted: {found.missing} more",
                f"为在岗 {found.staff} 人的 {found.share:.0%}，应为 {wanted:.0%}，还缺 {found.missing} 人", _WORKFORCE,
            )  # fmt: skip
        else:
            yield passed(
                what, f"{found.standby} beside {found.staff}", f"在岗 {found.staff} 人，备用 {found.standby} 人"
            )
