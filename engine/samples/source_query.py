"""Query of one source, and its answer as samples. Never writes to what it queries."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from pendulum import DateTime

from playbooks.errors import one_line
from playbooks.sources_file import PullSource
from storage.samples.foreign_query import ForeignQueryError, query_foreign_rows

MOST_ROWS = 10_000


class SourceError(RuntimeError):
    """The source gave no samples; the text is one line that says why, without its address."""


async def query_source(source: PullSource, now: DateTime, client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Query a source for its samples now, each as in JSON.

    Raises:
        SourceError: it cannot be asked, does not answer in time, or answers something else.
    """
    try:
        async with asyncio.timeout(source.timeout.total_seconds() + 1):
            if source.kind == "prometheus":
                return await _prometheus(source, now, client)
            return await _in_thread(source, now)
    except TimeoutError:
        raise SourceError(f"no answer within {source.timeout.total_seconds():g} s") from None


# --- Prometheus


async def _prometheus(source: PullSource, now: DateTime, client: httpx.AsyncClient) -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {_variable(source.token_env)}"} if source.token_env else {}
    form = {"query": source.query, "time": f"{now.timestamp():.3f}", "timeout": f"{source.timeout.total_seconds():g}s"}
    try:
        answer = await client.post(
            f"{source.url}/api/v1/query", data=form, headers=headers, timeout=source.timeout.total_seconds()
        )
        document = answer.json()
    except httpx.TimeoutException:
        raise SourceError(f"no answer within {source.timeout.total_seconds():g} s") from None
    except httpx.HTTPError as error:
        raise SourceError(one_line(f"cannot be reached: {error or type(error).__name__}", 200)) from None
    except ValueError:
        raise SourceError(f"what answers there is not Prometheus (HTTP {answer.status_code})") from None
    if not isinstance(document, dict) or document.get("status") != "success":
        said = document.get("error", "") if isinstance(document, dict) else ""
        raise SourceError(one_line(f"refused (HTTP {answer.status_code}): {said}", 200))
    try:
        return _vector(source, document["data"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise SourceError("what answers there is not Prometheus: its answer has another form") from None


def _vector(source: PullSource, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its instant vector, or its scalar; what is not a number there (0 of 0) is no sample."""
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar" and isinstance(result, list):
        result = [{"metric": {}, "value": result}]
    elif kind != "vector" or not isinstance(result, list):
        raise SourceError(f"the query gives a {kind}: write one that gives an instant vector or a scalar")
    if len(result) > MOST_ROWS:
        raise SourceError(f"the query gives {len(result)} series: at most {MOST_ROWS}")
    found = []
    for one in result:
        moment, value = float(one["value"][0]), float(one["value"][1])
        if value == value:  # noqa: PLR0124 - NaN alone differs from itself
            labels = _labels(source, one["metric"])
            found.append({"metric": source.metric, "time": moment, "value": value, "labels": labels})
    return found


def _labels(source: PullSource, given: Mapping[str, str]) -> dict[str, str]:
    if source.labels:
        return {ours: given[theirs] for theirs, ours in source.labels.items() if given.get(theirs)}
    return {name: value for name, value in given.items() if name != "__name__" and value}


# --- SQL

# Threads of their own: a database that hangs must not keep others from theirs.
_THREADS = ThreadPoolExecutor(32, thread_name_prefix="source")
_asked: dict[str, asyncio.Future[list[dict[str, Any]]]] = {}


async def _in_thread(source: PullSource, now: DateTime) -> list[dict[str, Any]]:
    """Ask in a thread. One that is still stuck in the question before gets no second one."""
    before = _asked.get(source.name)
    if before is not None and not before.done():
        raise SourceError("the question before is still unanswered")
    asked = _asked[source.name] = asyncio.get_running_loop().run_in_executor(_THREADS, _sql, source, now)
    asked.add_done_callback(lambda done: done.cancelled() or done.exception())  # of one that nobody waits for any more
    return await asyncio.shield(asked)


def _sql(source: PullSource, now: DateTime) -> list[dict[str, Any]]:
    url, seconds = _variable(source.url_env), source.timeout.total_seconds()
    try:
        rows = query_foreign_rows(url, source.url_env, source.query, seconds, MOST_ROWS + 1)
    except ForeignQueryError as error:
        raise SourceError(one_line(str(error), 200)) from None
    if len(rows) > MOST_ROWS:
        raise SourceError(f"the query gives more than {MOST_ROWS} rows: group them")
    return [_row(source, row, now) for row in rows]


def _row(source: PullSource, row: Mapping[str, Any], now: DateTime) -> dict[str, Any]:
    """A row as a sample. What is wrong with it is said when it is taken in."""
    found = {str(name).lower() if str(name).lower() in _FIXED else str(name): value for name, value in row.items()}
    count = found.get("count")
    return {
        "metric": found.get("metric") or source.metric,
        "time": _time(found.get("time"), source, now),
        "value": _number(found.get("value")),
        **({"count": _number(count)} if count is not None else {}),
        "labels": {name: str(value) for name, value in found.items() if name not in _FIXED and value is not None},
    }


_FIXED = frozenset({"metric", "time", "value", "count"})


def _time(given: Any, source: PullSource, now: DateTime) -> Any:
    if given is None:
        return now.isoformat()
    when = given
    if isinstance(given, str):
        try:
            when = datetime.fromisoformat(given)
        except ValueError:
            return given
    if isinstance(when, datetime):
        return (when if when.tzinfo or not source.zone else when.replace(tzinfo=ZoneInfo(source.zone))).isoformat()
    return _number(when)


def _number(given: Any) -> Any:
    """Decimal and the like as a float; anything else is refused with the sample."""
    if given is None or isinstance(given, bool | int | float | str):
        return given
    try:
        return float(given)
    except (TypeError, ValueError):
        return str(given)


def _variable(name: str) -> str:
    found = os.environ.get(name, "")
    if not found:
        raise SourceError(f"the environment variable {name} is not set")
    return found
