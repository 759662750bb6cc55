"""The channel file as a process sees it that never sends: tags and faults, without the senders' libraries."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.delivery.channel_file import ChannelFile, ChannelFileProbe

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
    seen = ChannelFileProbe(file)
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
    code = f"import sys, web.app, engine.installation; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "main", ["include: {0}\n", "include:\n  - {0}\n", "include: [ {0} ]\n", 'include: "more.yaml"\n']
)
def test_an_included_file_is_watched_and_what_it_includes_too(
    tmp_path: Path, main: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.delivery.channel_file._LOOK_SECONDS", -1.0)
    (tmp_path / "channels.yaml").write_text(main.format("more.yaml"))
    (tmp_path / "more.yaml").write_text("include: deepest.yaml\n" + GOOD)
    (tmp_path / "deepest.yaml").write_text(GOOD.replace("alice", "dora"))
    file = ChannelFile(tmp_path / "channels.yaml")
    assert file.tags() == frozenset({"alice", "dora"})
    (tmp_path / "more.yaml").write_text("include: deepest.yaml\n" + GOOD.replace("alice", "bob"))
    assert file.tags() == frozenset({"bob", "dora"})
    (tmp_path / "deepest.yaml").write_text("urls: nonsense")
    assert "deepest.yaml" in file.finding()
    assert file.tags() == frozenset({"bob", "dora"}), "the last good version"
    (tmp_path / "deepest.yaml").write_text(GOOD.replace("alice", "erik"))
    assert (file.tags(), file.finding()) == (frozenset({"bob", "erik"}), "")


def test_an_included_text_file_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.delivery.channel_file._LOOK_SECONDS", -1.0)
    (tmp_path / "channels.conf").write_text("include more.conf\n")
    (tmp_path / "more.conf").write_text("alice=json://127.0.0.1:9/a\n")
    file = ChannelFile(tmp_path / "channels.conf")
    assert file.tags() == frozenset({"alice"})
    (tmp_path / "more.conf").write_text("carol=json://127.0.0.1:9/a\n")
    assert file.tags() == frozenset({"carol"})
