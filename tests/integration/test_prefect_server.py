"""Prefect's server on SQLite, as we start it: a transaction that reads first may still write."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy
from prefect.server.database import configurations
from sqlalchemy.exc import OperationalError

from runner.prefect_server import begin_immediate_transactions

KIND = configurations.AioSqliteConfiguration


async def read_let_another_commit_and_write(file: Path) -> None:
    config = KIND(connection_url=f"sqlite+aiosqlite:///{file}")
    engine = await config.engine()
    first, second = await config.session(engine), await config.session(engine)
    write = sqlalchemy.text("INSERT INTO t VALUES (1)")
    async with engine.begin() as connection:
        await connection.execute(sqlalchemy.text("CREATE TABLE t (x INTEGER)"))

    async def another() -> None:
        async with second, config.begin_transaction(second, with_for_update=True):
            await second.execute(write)

    async with first, config.begin_transaction(first):
        await first.execute(sqlalchemy.text("SELECT count(*) FROM t"))
        waiting = asyncio.create_task(another())
        await asyncio.wait([waiting], timeout=0.2)
        await first.execute(write)
    await waiting
    await engine.dispose()


def test_as_prefect_begins_it_the_write_is_refused(tmp_path: Path) -> None:
    """The fault that our start mends; if this fails, Prefect has mended it and `runner/prefect_server.py` can go."""
    with pytest.raises(OperationalError, match="locked"):
        asyncio.run(read_let_another_commit_and_write(tmp_path / "p.db"))


def test_as_we_begin_it_the_write_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KIND, "begin_transaction", KIND.begin_transaction)
    assert begin_immediate_transactions()
    asyncio.run(read_let_another_commit_and_write(tmp_path / "p.db"))
