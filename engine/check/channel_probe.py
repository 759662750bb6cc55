"""Check of channels: a marked test message on every channel by which a person is called."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from channels.message import Message
from channels.outcome import SendVerdict
from domain.text import Text
from engine.check.finding import CheckFinding, CheckFindings, failed, passed
from engine.installation import Installation
from locales import translator
from playbooks.errors import BadFile

_AT_ONCE = 8
_TOLD = frozenset({SendVerdict.SENT, SendVerdict.UNVERIFIED})


def check_channels(installation: Installation) -> CheckFindings:
    """Send to each person's channels, except for people who opted for a check that sends nothing."""
    try:
        roster = installation.roster()
    except BadFile:
        return  # said by the check of people
    but = {person.id for person in roster.people.values() if not person.test_messages}
    tags: dict[str, str] = {}  # channel -> the language of whoever it reaches first
    for person in roster.people.values():
        if person.id not in but:
            for tag in person.channels:
                tags.setdefault(tag, person.language)
    with ThreadPoolExecutor(_AT_ONCE) as senders:
        yield from senders.map(lambda row: _send(installation, *row), sorted(tags.items()))
    for name in sorted(but):
        yield CheckFinding(
            f"person {name}", ok=True, reason=Text("asked for a check that sends nothing", "选择静默检查，未发送")
        )


def _send(installation: Installation, tag: str, language: str) -> CheckFinding:
    _ = translator(language)
    what = f"channel {tag}"
    message = Message(
        title=_("Tocsin checks whether it reaches you"),
        body=_("Nothing has happened, and nothing is asked of you."),
        drill=True,
    )
    outcome = installation.channels().send(tag, message)
    if outcome.verdict in _TOLD:
        return passed(what, "took a test message", "已收测试消息")
    return failed(what, f"{outcome.verdict}: {outcome.detail}"[:200], f"发送失败：{outcome.verdict}"[:200])
