"""Check of people: every role reaches a person, and a page to those who are paged would wake them."""

from __future__ import annotations

from domain.roster import Roster
from engine.check.finding import CheckFindings, failed, passed
from engine.installation import Installation
from playbooks.errors import BadFile

# Who is paged at three in the morning: of these at least one channel must wake a sleeping person.
PAGED_ROLES = ("incident-commander", "last-resort", "duty-supervisor", "technology-lead")


def check_roles(installation: Installation, *, waking: bool = True) -> CheckFindings:
    """Check that each role is held by somebody with an existing channel, and has a backup who is somebody else.

    Args:
        installation: whose roster.
        waking: also ask whether the channels of those who are paged wake anybody; the shipped inbox never
            does.
    """
    try:
        roster = installation.roster()
    except BadFile as wrong:
        yield failed("roster", str(wrong.findings[0]), f"花名册有误：{wrong.findings[0]}")
        return
    for name in roster.roles:
        yield from _role(installation, roster, name, waking=waking)
    for name, box in roster.public.items():
        known = installation.channels().services(box.channel)
        if not known:
            yield failed(
                f"official channel {name}", f"{box.channel} is no channel", f"{box.channel} 不是已配置的渠道", "pr-lead"
            )
        else:
            yield passed(f"official channel {name}", "leads somewhere", "可达")


def _role(installation: Installation, roster: Roster, name: str, *, waking: bool) -> CheckFindings:
    what, role = f"role {name}", roster.roles[name]
    people = [person for person in (role.primary, role.backup) if person]
    if role.primary not in roster.people:
        yield failed(what, f"{role.primary} is nobody on the roster", f"{role.primary} 不在花名册", name)
        return
    unreachable = [person for person in people if not list_working_channels(installation, roster, person)]
    if unreachable:
        who = ", ".join(unreachable)
        yield failed(what, f"{who} has no channel that leads anywhere", f"{who} 没有可用渠道", name)
    elif not role.backup or role.backup == role.primary:
        yield failed(what, "nobody stands in: name a backup who is somebody else", "没有备份人（B 角）", name)
    elif waking and name in PAGED_ROLES and not _wakes(installation, roster, people):
        yield failed(what, "no channel of theirs wakes a sleeping person", "没有能叫醒人的渠道", name)
    else:
        yield passed(what, f"reaches {role.primary}, then {role.backup}", f"可达 {role.primary}，其次 {role.backup}")


def list_working_channels(installation: Installation, roster: Roster, person: str) -> list[str]:
    """List the channels of a person that lead somewhere."""
    known = roster.people.get(person)
    return [tag for tag in known.channels if installation.channels().services(tag)] if known else []


def _wakes(installation: Installation, roster: Roster, people: list[str]) -> bool:
    return any(
        service.waking
        for person in people
        for tag in list_working_channels(installation, roster, person)
        for service in installation.channels().services(tag)
    )
