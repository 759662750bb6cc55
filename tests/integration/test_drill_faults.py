"""Faults are put right whatever happens to whoever began them; the proxy harms as told, and not for longer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from domain.drill.plan import FaultHook, PlannedFault
from domain.text import Text
from engine.drill.fault_injection import NOTE, FaultFailed, FaultInjector, hook_document, parse_hook, revert_left_faults
from engine.drill.processes import ProxyProcess
from tests.chains import ROOT, chain, free_port
from tests.integration.test_drill_load import good, serve


def fault_of(port: int, **changes: object) -> PlannedFault:
    url = f"http://127.0.0.1:{port}/faults/agents"
    given = {
        "inject": FaultHook(url=url, json={"broken": True}), "revert": FaultHook(url=url, json={"broken": False}),
        "hold": timedelta(seconds=30), "horizon": timedelta(seconds=30), **changes,
    }  # fmt: skip
    return PlannedFault(id="f", title=Text("F"), percent=100, **given)  # type: ignore[arg-type]


def until(holds: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_hook_breaks_and_mends(tmp_path: Path) -> None:
    with chain(tmp_path) as there:
        keeper = FaultInjector(fault_of(there.port), tmp_path, "D-1", None)

        async def course() -> None:
            await keeper.inject()
            assert (tmp_path / NOTE).exists()
            assert "ended" not in there.truth["faults"][-1]
            assert await keeper.revert()

        asyncio.run(course())
        assert "ended" in there.truth["faults"][-1]
        assert not (tmp_path / NOTE).exists()


def test_a_fault_that_cannot_begin_leaves_nothing_broken(tmp_path: Path) -> None:
    with chain(tmp_path) as there:
        nowhere = FaultHook(url=f"http://127.0.0.1:{free_port()}/x", timeout=timedelta(seconds=1))
        keeper = FaultInjector(fault_of(there.port, inject=nowhere), tmp_path, "D-1", None)
        with pytest.raises(FaultFailed):
            asyncio.run(keeper.inject())
        assert not (tmp_path / NOTE).exists()


KILLED = """
import asyncio, sys, json
from pathlib import Path
from tests.integration.test_drill_faults import fault_of
from engine.drill.fault_injection import FaultInjector
async def main():
    await FaultInjector(fault_of(int(sys.argv[1])), Path(sys.argv[2]), "D-1", None).inject()
    print("broken", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_broke_it_is_killed_and_it_is_put_right(tmp_path: Path, blow: signal.Signals) -> None:
    with chain(tmp_path) as there:
        command = [sys.executable, "-c", KILLED, str(there.port), str(tmp_path)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"broken\n"
        assert there.truth["faults"][-1].get("ended") is None
        os.kill(process.pid, blow)
        process.wait()
        until(lambda: "ended" in there.truth["faults"][-1])
        until(lambda: not (tmp_path / NOTE).exists())


def test_what_even_the_dead_man_could_not_do_the_next_one_does(tmp_path: Path) -> None:
    with chain(tmp_path) as there:
        left = tmp_path / "drills" / "20260101-000000"
        left.mkdir(parents=True)
        revert = fault_of(there.port).revert
        assert revert is not None
        (left / NOTE).write_text(json.dumps({"drill": "D-0", "revert": hook_document(revert)}))
        assert parse_hook(hook_document(revert)) == revert
        assert revert_left_faults(left.parent) == [left.name]
        assert revert_left_faults(left.parent) == []


async def ask(port: int, seconds: float = 5.0) -> tuple[str, float]:
    """What one request through the proxy gets, and how long it took."""
    begun = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session,
            session.get(f"http://127.0.0.1:{port}/x") as answer,
        ):
            await answer.read()
            said = str(answer.status)
    except TimeoutError:
        said = "timeout"
    except aiohttp.ClientError:
        said = "cut"
    return said, time.monotonic() - begun


@pytest.mark.parametrize(
    ("toxics", "said", "least"),
    [
        ({}, "200", 0.0),
        ({"latency": 0.7}, "200", 0.7),
        ({"reset": 1.0}, "cut", 0.0),
        ({"errors": 1.0}, "503", 0.0),
        ({"black_hole": 1.0}, "timeout", 1.5),
        ({"stall": 1.0}, "timeout", 1.5),
        ({"bandwidth": 200.0}, "200", 0.5),
    ],
)
def test_the_proxy_harms_as_told_and_is_well_again(toxics: dict[str, float], said: str, least: float) -> None:
    async def course() -> None:
        runner, upstream = await serve(good)
        listen = free_port()
        proxy = await ProxyProcess.start(fault_of(1, listen=f"127.0.0.1:{listen}", upstream=f"127.0.0.1:{upstream}"))
        try:
            assert (await ask(listen))[0] == "200"
            await proxy.apply_faults(toxics, 60)
            # Told over a pipe: it is in force a moment later.
            async with asyncio.timeout(10):
                while True:
                    found, took = await ask(listen, 1.5)
                    if found == said and took >= least:
                        break
            await proxy.apply_faults({}, 0)
            async with asyncio.timeout(10):
                while (await ask(listen, 1.5))[0] != "200":
                    pass
        finally:
            await proxy.kill()
            await runner.cleanup()

    asyncio.run(course())


def test_the_dead_man_limit_of_the_proxy() -> None:
    async def course() -> None:
        runner, upstream = await serve(good)
        listen = free_port()
        proxy = await ProxyProcess.start(fault_of(1, listen=f"127.0.0.1:{listen}", upstream=f"127.0.0.1:{upstream}"))
        try:
            await proxy.apply_faults({"stall": 1.0}, 1.0)
            async with asyncio.timeout(10):
                while (await ask(listen, 3.0))[0] != "200":
                    pass
        finally:
            await proxy.kill()
            await runner.cleanup()

    asyncio.run(course())
