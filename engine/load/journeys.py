"""Journey of one customer: each step when it is due, its answer checked, what it made written down."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp

from domain.drill.plan import DRILL_HEADER, HttpStep, Journey, ResponseCheck
from engine.load.measurements import StepResult
from engine.load.target_allowlist import TargetAllowlist

LARGEST = 1_048_576  # bytes of an answer that are read; more is a failed step
_NAME = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_BROKEN = 500


class DrillMarkMissing(RuntimeError):
    """A target took a write without returning the drill mark: it does not know that this is a drill."""


class LedgerWriteFailed(RuntimeError):
    """Something was made at a target and cannot be put on record: nothing more may be made."""


class JourneyHost(Protocol):
    """What a journey needs of the load engine."""

    drill: str
    border: TargetAllowlist
    session: aiohttp.ClientSession
    asking: dict[int, float]  # steps under way: their own number -> when each was due

    def record_step(self, result: StepResult) -> None:
        """Record the result of one step."""

    def record_created(self, kind: str, name: str) -> None:
        """Record that something was made at the target."""

    def record_doubtful(self, kind: str) -> None:
        """Record that something may have been made: it was asked for, and no answer came."""

    def may_send(self) -> bool:
        """Whether one more request may be sent: caps and aborts say no."""


def fill_template(template: str, values: Mapping[str, str], *, clean: Callable[[str], str] = str) -> str:
    """Replace each `{name}` by its extracted value; KeyError for a name that nothing extracted."""
    return _NAME.sub(lambda match: clean(values[match[1]]), template)


def fill_json(data: Any, values: Mapping[str, str]) -> Any:
    """Fill every text of a JSON value."""
    if isinstance(data, str):
        return fill_template(data, values)
    if isinstance(data, Mapping):
        return {key: fill_json(value, values) for key, value in data.items()}
    return [fill_json(value, values) for value in data] if isinstance(data, list) else data


def value_at_path(data: Any, path: str) -> Any:
    """The value at a dotted path, `ticket.id` or `items.0.id`; None where there is none."""
    for part in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


async def run_journey(by: JourneyHost, journey: Journey, due: float, dice: random.Random) -> bool:
    """Run a journey that is due at `due` (of the loop's clock); whether it ended well.

    Latency counts from when a step was due: the journey's moment for the first, for the others the end of the
    one before and the thinking. A stall of the target or of ourselves is in it.
    """
    values: dict[str, str] = {"drill": by.drill, "dice": str(dice.randrange(10**9))}
    for step in journey.steps:
        for attempt in range(max(1, step.most)):
            least, longest = (span.total_seconds() for span in step.think)
            due += dice.uniform(least, longest)
            if due > perf_counter():
                await asyncio.sleep(due - perf_counter())
            if not by.may_send():
                return False
            result, answer = await _ask(by, journey, step, values, due)
            due = perf_counter()
            again = result.ok and step.repeat_until is not None and not _holds(step.repeat_until, answer)
            if again and attempt == step.most - 1:
                result.ok, result.why = False, "not so after the last try"
            by.record_step(result)
            if not result.ok:
                return False
            if not again:
                break
    return True


class _Answer:
    """Status, body and, where it is asked for, JSON."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body
        self._data: Any = ...

    @property
    def data(self) -> Any:
        """The body as JSON; None where it is none."""
        if self._data is ...:
            try:
                self._data = json.loads(self.body)
            except ValueError:
                self._data = None
        return self._data


async def _ask(
    by: JourneyHost, journey: Journey, step: HttpStep, values: dict[str, str], due: float
) -> tuple[StepResult, _Answer | None]:
    result = StepResult(journey.id, step.id, 0.0, 0.0, ok=False, answered=False)
    by.asking[id(result)] = due
    begun, answer, sent = perf_counter(), None, False
    try:
        url = by.border.check_url(fill_template(step.url, values, clean=lambda value: quote(value, safe="")))
        body = None if step.json is None else fill_json(step.json, values)
        headers = {
            **{name: fill_template(value, values) for name, value in step.headers.items()},
            DRILL_HEADER: by.drill,
        }
        limit = aiohttp.ClientTimeout(total=step.timeout.total_seconds())
        begun, sent = perf_counter(), True
        async with by.session.request(
            step.method, url, json=body, headers=headers, timeout=limit, allow_redirects=False
        ) as response:
            answer = _Answer(response.status, await response.content.read(LARGEST))
            marked = response.headers.get(DRILL_HEADER) == by.drill
        if step.writes and not marked:
            raise DrillMarkMissing(f"{step.id}: the target took it and did not say the mark back")
        result.answered = answer.status < _BROKEN
        result.why = _wrong(step.check, answer) or _extract(by, step, answer, values)
        result.ok = not result.why
    except KeyError as error:
        result.why = f"nothing extracted {error}"
    except TimeoutError:
        result.why = "timeout"
    except (aiohttp.ClientError, OSError):
        result.why = "connection"
    finally:
        del by.asking[id(result)]
        if step.creates and sent and answer is None:  # also where it was cut off by the end of the drill
            by.record_doubtful(step.creates)
    ended = perf_counter()
    result.latency, result.service = ended - due, ended - begun
    return result, answer


def _wrong(check: ResponseCheck, answer: _Answer) -> str:
    """What the check says against the answer; empty if nothing."""
    if answer.status not in check.status:
        return f"status {answer.status}"
    if check.contains and check.contains.encode() not in answer.body:
        return "check: words missing"
    for path, wanted in check.equals.items():
        if _shown(value_at_path(answer.data, path)) != wanted:
            return f"check: {path}"
    return ""


def _holds(check: ResponseCheck, answer: _Answer | None) -> bool:
    return answer is not None and not _wrong(check, answer)


def _extract(by: JourneyHost, step: HttpStep, answer: _Answer, values: dict[str, str]) -> str:
    for name, path in step.extract.items():
        found = value_at_path(answer.data, path)
        if found is None:
            return f"nothing at {path}"
        values[name] = _shown(found)
    if step.creates:
        by.record_created(step.creates, values[step.creates])
    return ""


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | float | dict | list) else str(value)
