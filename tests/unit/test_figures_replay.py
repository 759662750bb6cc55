"""The end of a replay: its warnings once everything was evaluated, and the truth when it was not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cli.client import ApiRefusal, ServerNotRunning
from cli.samples_push import SamplePushTally
from cli.samples_replay import _Replay, _show, _warnings
from engine.samples.csv_file import SampleRow, format_utc

END = 1_772_424_000_000_000
WARNING = {
    "ref": "WRN-3",
    "rule": "tier-1",
    "tier": "yellow",
    "worst": "red",
    "title": {"en": "Customers wait", "zh": "客户在等"},
    "began_at": "2026-03-02T03:10:00+00:00",
    "ended_at": None,
}


@pytest.fixture(name="course")
def course_fixture() -> _Replay:
    return _Replay("replay-a", 600, [SampleRow(2, END - 1, "m", 1)], END - 3_600_000_000, END, "", SamplePushTally())


@pytest.fixture(autouse=True)
def _time_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("cli.samples_replay.time.sleep", sleep)
    monkeypatch.setattr("cli.samples_replay.time.monotonic", lambda: now[0])
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", "C")


def answers(monkeypatch: pytest.MonkeyPatch, found: Iterator[Any]) -> None:
    def get(path: str, _token: str, **query: str) -> Any:
        assert (path, query) == ("/api/warnings", {"lane": "replay-a", "status": "all"})
        answer = next(found)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("cli.samples_replay.client.get", get)


def at(seconds: float | None, *warnings: dict[str, Any]) -> dict[str, Any]:
    evaluated = None if seconds is None else format_utc(END - round(seconds * 1e6))
    return {"warnings": list(warnings), "evaluated_to": evaluated}


def forever(answer: Any) -> Iterator[Any]:
    while True:
        yield answer


def test_it_waits_as_long_as_the_evaluation_comes_nearer(monkeypatch: pytest.MonkeyPatch, course: _Replay) -> None:
    slow = [at(None), *(at(3600 - n) for n in range(0, 3600, 10) for _ in range(40)), at(0, WARNING)]
    answers(monkeypatch, iter(slow))
    assert _warnings(course) == ([WARNING], format_utc(END))


def test_it_says_how_far_when_the_evaluation_stands_still(
    monkeypatch: pytest.MonkeyPatch, course: _Replay, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, forever(at(60, WARNING)))
    found, evaluated = _warnings(course)
    _show(found, evaluated, course)
    out = capsys.readouterr().out
    assert "WRN-3    red     2026-03-02T03:10:00 -   Customers wait" in out
    assert "evaluated only as far as 2026-03-02T03:59:00" in out


@pytest.mark.parametrize(
    "answer", [at(None), ApiRefusal(404, "there is no such page"), ServerNotRunning("gone"), {"x": 1}]
)
def test_where_nobody_evaluates_it_never_says_that_all_is_quiet(
    monkeypatch: pytest.MonkeyPatch, course: _Replay, capsys: pytest.CaptureFixture[str], answer: Any
) -> None:
    answers(monkeypatch, forever(answer))
    found, evaluated = _warnings(course)
    assert (found, evaluated) == (None, None)
    _show(found, evaluated, course)
    assert "nobody evaluates rules here" in capsys.readouterr().out


def test_quiet_is_said_when_it_is_known(
    monkeypatch: pytest.MonkeyPatch, course: _Replay, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, forever(at(0)))
    _show(*_warnings(course), course)
    assert capsys.readouterr().out == "no warning: quiet figures start nothing\n"
