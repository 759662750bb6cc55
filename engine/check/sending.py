"""A marked test message on every channel that somebody is called by: the only proof that it reaches anybody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from channels.message import Message
from channels.outcome import Verdict
from domain.text import Text
from engine.check.finding import Checks, Found, bad, good
from engine.house import House
from locales import translator
from playbooks.errors import BadFile

_AT_ONCE = 8
_TOLD = frozenset({Verdict.SENT, Verdict.UNVERIFIED})


def check(house: House) -> Checks:
    """Send to each person's channels, but for those who opted for a check that stops short of sending."""
    try:
        roster = house.roster()
    except BadFile:
        return  # said by the check of people
    but = {person.id for person in roster.people.values() if not person.test_messages}
    tags: dict[str, str] = {}  # channel -> the language of whoever it reaches first
    for person in roster.people.values():
        if person.id not in but:
            for tag in person.channels:
                tags.setdefault(tag, person.language)
    with ThreadPoolExecutor(_AT_ONCE) as senders:
        yield from senders.map(lambda row: _send(house, *row), sorted(tags.items()))
    for name in sorted(but):
        yield Found(
            f"person {name}", ok=True, reason=Text("asked for a check that sends nothing", "选择静默检查，未发送")
        )


def _send(house: House, tag: str, language: str) -> Found:
    _ = translator(language)
    what = f"channel {tag}"
    message = Message(
        title=_("Tocsin checks whether it reaches you"),
        body=_("Nothing has happened, and nothing is asked of you."),
        drill=True,
    )
    outcome = house.channels().send(tag, message)
    if outcome.verdict in _TOLD:
        return good(what, "took a test message", "已收测试消息")
    return bad(what, f"{outcome.verdict}: {outcome.detail}"[:200], f"发送失败：{outcome.verdict}"[:200])
