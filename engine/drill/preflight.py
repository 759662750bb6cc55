"""Before the first journey: whether it may run now, the target is there and knows that it is a drill."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
from pendulum import DateTime

from domain.drill.plan import MARK, Plan, Window
from engine.load.border import Border, BorderResolver, Forbidden, host_and_port

_CONNECT = 5.0


class NotNow(RuntimeError):
    """The drill must not begin; the text says why, and what would be right."""


def check_time(plan: Plan, now: DateTime) -> None:
    """Windows and blackout.

    Raises:
        NotNow: outside of every window, or on a day of a blackout.
    """
    if plan.windows and not any(_inside(window, now) for window in plan.windows):
        raise NotNow(f"outside of the plan's windows (it is {now.isoformat()}): wait, or change `windows`")
    for begins, ends in plan.blackout:
        if begins <= now.to_date_string() <= ends:
            raise NotNow(f"{now.to_date_string()} is in the blackout {begins} to {ends}")


def _inside(window: Window, now: DateTime) -> bool:
    there = now.in_timezone(window.zone)
    minutes = there.hour * 60 + there.minute
    if window.begins <= window.ends:
        return there.weekday() in window.days and window.begins <= minutes < window.ends
    # Over midnight: the day is the one on which it begins.
    evening, morning = there.weekday() in window.days, (there - timedelta(days=1)).weekday() in window.days
    return (evening and minutes >= window.begins) or (morning and minutes < window.ends)


async def check_targets(plan: Plan, drill: str) -> None:
    """Every target answers, every address that is fixed stays inside, and who is written to says the mark back.

    Raises:
        NotNow: one does not.
    """
    try:
        border = await Border.around(plan.targets)
        for url in plan.urls():
            if "{" not in url:
                border.check(url)
    except Forbidden as forbidden:
        raise NotNow(str(forbidden)) from None
    for target in plan.targets:
        host, port = host_and_port(target)
        try:
            async with asyncio.timeout(_CONNECT):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
        except (OSError, TimeoutError):
            raise NotNow(f"target {target} does not answer: start it, or mend the plan") from None
    if plan.echo:
        await _check_echo(plan, drill, border)


async def _check_echo(plan: Plan, drill: str, border: Border) -> None:
    connector = aiohttp.TCPConnector(resolver=BorderResolver(border), use_dns_cache=False)
    limit = aiohttp.ClientTimeout(total=_CONNECT)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, trust_env=False, timeout=limit) as session,
            session.get(border.check(plan.echo), headers={MARK: drill}, allow_redirects=False) as response,
        ):
            said = response.headers.get(MARK)
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise NotNow("the echo address does not answer") from None
    if said != drill:
        raise NotNow(f"the target does not say the mark back ({MARK}): nothing may be written there")
