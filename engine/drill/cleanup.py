"""Cleanup after a drill: what it made at its targets is removed, and proved to be gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp

from domain.drill.plan import DRILL_HEADER, DrillPlan, HttpStep
from engine.drill.record import CleanupResult
from engine.load.journeys import fill_template
from engine.load.target_allowlist import AllowlistResolver, TargetAllowlist

_AT_ONCE = 16
_GIVE_UP = 2 * _AT_ONCE  # requests in a row without an answer: the target is gone, and what is left is named


def list_created(ledger: Path) -> list[tuple[str, str]]:
    """List kind and name of everything in the ledger, each once; a line that was cut off is not counted."""
    return list(dict.fromkeys((row["kind"], row["name"]) for row in _rows(ledger) if "name" in row))


def count_doubtful(ledger: Path) -> int:
    """Count creating requests that were never answered: the names of what they made are not known."""
    return sum("doubt" in row for row in _rows(ledger))


def _rows(ledger: Path) -> Iterator[dict[str, str]]:
    for line in ledger.read_text().splitlines() if ledger.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


async def remove_created(
    plan: DrillPlan, drill: str, ledger: Path, loose: Sequence[Sequence[str]] = ()
) -> CleanupResult:
    """Remove what the drill made; what cannot be proved to be gone is named.

    `loose`: what the ledger could not take.
    """
    rows = list(dict.fromkeys([*list_created(ledger), *((kind, name) for kind, name in loose)]))
    silent = 0
    gate, result = (
        asyncio.Semaphore(_AT_ONCE),
        CleanupResult(made=len(rows), doubtful=count_doubtful(ledger), loose=[list(one) for one in loose]),
    )
    if not rows:
        return result
    border = await TargetAllowlist.resolve(plan.targets)
    connector = aiohttp.TCPConnector(resolver=AllowlistResolver(border), use_dns_cache=False, limit=_AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:

        async def ask(step: HttpStep, kind: str, name: str) -> bool:
            nonlocal silent
            if silent >= _GIVE_UP:
                return False
            url = border.check_url(fill_template(step.url, {kind: name, "drill": drill}))
            limit = aiohttp.ClientTimeout(total=step.timeout.total_seconds())
            headers = {**step.headers, DRILL_HEADER: drill}
            try:
                async with session.request(
                    step.method, url, headers=headers, timeout=limit, allow_redirects=False
                ) as response:
                    silent = 0
                    return response.status in step.check.status
            except (aiohttp.ClientError, OSError, TimeoutError):
                silent += 1
                return False

        async def one(kind: str, name: str) -> None:
            async with gate:
                await ask(plan.cleanup[kind], kind, name)
                if await ask(plan.gone[kind], kind, name):
                    result.gone += 1
                else:
                    result.left.append(f"{kind} {name}")

        await asyncio.gather(*(one(kind, name) for kind, name in rows))
    return result
