"""What a drill made at its targets is removed, and proved to be gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp

from domain.drill.plan import MARK, HttpStep, Plan
from engine.drill.record import Cleaned
from engine.load.border import Border, BorderResolver
from engine.load.journeys import fill

_AT_ONCE = 16
_GIVE_UP = 2 * _AT_ONCE  # requests in a row without an answer: the target is gone, and what is left is named


def made(ledger: Path) -> list[tuple[str, str]]:
    """Kind and name of everything that the ledger holds, each once; a line that was cut off is not counted."""
    return list(dict.fromkeys((row["kind"], row["name"]) for row in _rows(ledger) if "name" in row))


def doubtful(ledger: Path) -> int:
    """How many requests that make something were never answered: what they made has no name that we know."""
    return sum("doubt" in row for row in _rows(ledger))


def _rows(ledger: Path) -> Iterator[dict[str, str]]:
    for line in ledger.read_text().splitlines() if ledger.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


async def clean(plan: Plan, drill: str, ledger: Path, loose: Sequence[Sequence[str]] = ()) -> Cleaned:
    """Remove what was made. What cannot be proved to be gone is named. `loose`: what the ledger could not take."""
    rows = list(dict.fromkeys([*made(ledger), *((kind, name) for kind, name in loose)]))
    silent = 0
    gate, result = (
        asyncio.Semaphore(_AT_ONCE),
        Cleaned(made=len(rows), doubtful=doubtful(ledger), loose=[list(one) for one in loose]),
    )
    if not rows:
        return result
    border = await Border.around(plan.targets)
    connector = aiohttp.TCPConnector(resolver=BorderResolver(border), use_dns_cache=False, limit=_AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:

        async def ask(step: HttpStep, kind: str, name: str) -> bool:
            nonlocal silent
            if silent >= _GIVE_UP:
                return False
            url = border.check(fill(step.url, {kind: name, "drill": drill}))
            limit = aiohttp.ClientTimeout(total=step.timeout.total_seconds())
            headers = {**step.headers, MARK: drill}
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
