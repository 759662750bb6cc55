"""`tocsin` as somebody types it, many times: each command a process of its own, forked from one that knows them all.

What a start from nothing costs is held by tests/unit/test_cli_light.py.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def type_(
    *words: str, environment: Mapping[str, str], typed: str = "", cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Its exit code, and what it said, as `subprocess.run` would tell."""
    with tempfile.TemporaryDirectory(prefix="tocsin-typed-") as folder:
        (Path(folder) / "in").write_text(typed, encoding="utf-8")
        order = {"words": words, "environment": dict(environment), "cwd": str(cwd), "folder": folder}
        process = _kept()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{json.dumps(order)}\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert line, "the process that forks has ended"
        except BaseException:  # a test that was ended for its time: its answer must not become the next one's
            process.kill()
            process.wait()
            _kept.cache_clear()
            raise
        out, err = ((Path(folder) / name).read_text(encoding="utf-8") for name in ("out", "err"))
    return subprocess.CompletedProcess(["tocsin", *words], int(line), out, err)


@cache
def _kept() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.typed"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def end() -> None:
        if process.poll() is None and process.stdin is not None:
            process.stdin.close()
            process.wait(10)

    atexit.register(end)
    return process


def main() -> None:
    """Fork for each order of a line, until there are no more."""
    import cli.main

    for package in ("cli", "storage"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            if not module.ispkg:
                importlib.import_module(module.name)
    for name in (
        "engine.accounts.accounts",
        "engine.installation",
        "engine.response.commands",
        "httpx",
        "rich.table",
        "rich.live",
    ):
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            _run(order, cli.main.main)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(order: dict[str, Any], command: Any) -> None:
    """In the child: be that process, and end."""
    code: object = 70
    try:
        os.environ.clear()
        os.environ.update(order["environment"])
        time.tzset()
        os.chdir(order["cwd"])
        folder = Path(order["folder"])
        for number, name, flags in ((0, "in", os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
            os.dup2(os.open(folder / name, flags | os.O_CREAT), number)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        sys.argv = ["tocsin", *order["words"]]
        try:
            command()
            code = 0
        except SystemExit as ended:
            code = 0 if ended.code is None else ended.code
        except BaseException:  # noqa: BLE001 - as the interpreter does at its end
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
