"""Declarations that arrive together share a transaction, and nothing else: not a refusal, not a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.commands import Declare
from engine.process.clock import now
from engine.response import commands
from engine.response.commands import CommandRefused
from storage.database import StorageError
from tests.installations import InstallationHarness, sqlite_installation_fixture  # noqa: F401 - a fixture
from web.http.declare_batcher import DeclareBatcher


@pytest.fixture
def writers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def wanted(number: int, **changed: Any) -> Declare:
    return Declare(**{"id": f"d-{number}", "title": f"Incident {number}", "playbook": "four-hour-response", **changed})


def together(gathering: DeclareBatcher, asked: list[Declare]) -> list[Any]:
    async def run() -> list[Any]:
        return await asyncio.gather(*(gathering.declare(one) for one in asked), return_exceptions=True)

    return asyncio.run(run())


def test_many_at_once_are_few_transactions_and_each_has_its_answer(
    sqlite_installation: InstallationHarness, writers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = commands.declare_batch

    def counted(installation: Any, some: Any, at: Any) -> Any:
        sizes.append(len(some))
        return real(installation, some, at)

    monkeypatch.setattr(commands, "declare_batch", counted)
    answers = together(DeclareBatcher(sqlite_installation.installation, writers, now), [wanted(n) for n in range(120)])
    assert len({answer.ref for answer in answers}) == 120
    assert [answer.incident_id for answer in answers] == [f"d-{n}" for n in range(120)]
    assert sum(sizes) == 120
    assert len(sizes) <= 4


def test_a_refused_one_spoils_no_other(sqlite_installation: InstallationHarness, writers: ThreadPoolExecutor) -> None:
    asked = [wanted(1), wanted(2, title=" "), wanted(3)]
    answers = together(DeclareBatcher(sqlite_installation.installation, writers, now), asked)
    assert isinstance(answers[1], CommandRefused)
    assert [answers[0].changed, answers[2].changed] == [True, True]


def test_the_same_id_twice_in_one_transaction_is_one_incident(
    sqlite_installation: InstallationHarness, writers: ThreadPoolExecutor
) -> None:
    first, second = together(DeclareBatcher(sqlite_installation.installation, writers, now), [wanted(1), wanted(1)])
    assert first.ref == second.ref


def test_what_nobody_foresaw_spoils_only_its_own(
    sqlite_installation: InstallationHarness, writers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = commands.declare_batch

    def failing(installation: Any, some: Any, at: Any) -> Any:
        if any(one.id == "d-2" for one in some):
            raise ZeroDivisionError
        return real(installation, some, at)

    monkeypatch.setattr(commands, "declare_batch", failing)
    answers = together(DeclareBatcher(sqlite_installation.installation, writers, now), [wanted(n) for n in range(4)])
    done = "CommandResult"
    assert [type(answer).__name__ for answer in answers] == [done, done, "ZeroDivisionError", done]


def test_a_database_that_cannot_be_written_is_said_to_each(
    sqlite_installation: InstallationHarness, writers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(installation: Any, some: Any, at: Any) -> Any:
        raise StorageError("the disk is full: free some space; nothing that was recorded is lost")

    monkeypatch.setattr(commands, "declare_batch", full)
    gathering = DeclareBatcher(sqlite_installation.installation, writers, now)
    assert all(isinstance(answer, StorageError) for answer in together(gathering, [wanted(1), wanted(2)]))
    monkeypatch.undo()
    assert together(gathering, [wanted(1)])[0].changed, "it is tried again with the next"
