"""Preflight of a drill: it may run now, and its targets answer and know that it is a drill."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
from pendulum import DateTime

from domain.drill.plan import DRILL_HEADER, DrillPlan, DrillWindow
from engine.load.target_allowlist import AllowlistResolver, TargetAllowlist, TargetForbidden, parse_host_and_port

_CONNECT = 5.0


class DrillNotAllowed(RuntimeError):
    """The drill must not begin; the text says why, and what would be right."""


def check_time(plan: DrillPlan, now: DateTime) -> None:
    """Check the plan's windows and blackout days.

    Raises:
        DrillNotAllowed: outside of every window, or on a day of a blackout.
    """
    if plan.windows and not any(_inside(window, now) for window in plan.windows):
        raise DrillNotAllowed(f"outside of the plan's windows (it is {now.isoformat()}): wait, or change `windows`")
    for begins, ends in plan.blackout:
        if begins <= now.to_date_string() <= ends:
            raise DrillNotAllowed(f"{now.to_date_string()} is in the blackout {begins} to {ends}")


def _inside(window: DrillWindow, now: DateTime) -> bool:
    there = now.in_timezone(window.zone)
    minutes = there.hour * 60 + there.minute
    if window.begins <= window.ends:
        return there.weekday() in window.days and window.begins <= minutes < window.ends
    # Over midnight: the day is the one on which it begins.
    evening, morning = there.weekday() in window.days, (there - timedelta(days=1)).weekday() in window.days
    return (evening and minutes >= window.begins) or (morning and minutes < window.ends)


async def check_targets(plan: DrillPlan, drill: str) -> None:
    """Check that targets answer, fixed addresses stay inside, and targets of writes return the drill mark.

    Raises:
        DrillNotAllowed: one does not.
    """
    try:
        border = await TargetAllowlist.resolve(plan.targets)
        for url in plan.urls():
            if "{" not in url:
                border.check_url(url)
    except TargetForbidden as forbidden:
        raise DrillNotAllowed(str(forbidden)) from None
    for target in plan.targets:
        host, port = parse_host_and_port(target)
        try:
            async with asyncio.timeout(_CONNECT):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
        except (OSError, TimeoutError):
            raise DrillNotAllowed(f"target {target} does not answer: start it, or mend the plan") from None
    if plan.echo:
        await _check_echo(plan, drill, border)


async def _check_echo(plan: DrillPlan, drill: str, border: TargetAllowlist) -> None:
    connector = aiohttp.TCPConnector(resolver=AllowlistResolver(border), use_dns_cache=False)
    limit = aiohttp.ClientTimeout(total=_CONNECT)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, trust_env=False, timeout=limit) as session,
            session.get(border.check_url(plan.echo), headers={DRILL_HEADER: drill}, allow_redirects=False) as response,
        ):
            said = response.headers.get(DRILL_HEADER)
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise DrillNotAllowed("the echo address does not answer") from None
    if said != drill:
        raise DrillNotAllowed(f"the target does not say the mark back ({DRILL_HEADER}): nothing may be written there")
