"""The channel file as a process sees it that never sends: tags and faults, without the senders' libraries."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine.channel_file import SeenThroughAnother

ROOT = Path(__file__).resolve().parents[2]
GOOD = "urls:\n  - json://127.0.0.1:9/inbox/alice:\n      tag: alice\n"


def until(answer: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not answer():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_tags_and_faults_come_from_the_other_process(tmp_path: Path) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text(GOOD)
    seen = SeenThroughAnother(file)
    assert seen.tags() is None  # never waits: nothing can be said about any tag yet
    until(lambda: seen.tags() == frozenset({"alice"}))
    assert seen.finding() == ""

    file.write_text("urls:\n  - jsn://secret.example/x:\n      tag: bob\n")
    until(lambda: bool(seen.finding()))
    assert "channels.yaml, line 2" in seen.finding()
    assert "secret" not in seen.finding()
    assert seen.tags() == frozenset({"alice"})  # the last good version

    file.write_text(GOOD.replace("alice", "carol"))
    until(lambda: seen.tags() == frozenset({"carol"}))
    assert seen.finding() == ""

    file.unlink()
    until(lambda: "cannot be read" in seen.finding())
    assert seen.tags() == frozenset({"carol"})


def test_the_web_process_carries_no_senders() -> None:
    heavy = "{'apprise', 'requests', 'cryptography', 'numpy', 'httpx', 'prefect'}"
    code = f"import sys, web.app, engine.house; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
