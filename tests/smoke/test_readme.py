"""What the README tells people to type at three in the morning, typed, against the real thing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.smoke.stack import ROOT, Stack, until

ELSEWHERE = ("make run", "rehearse")  # typed by tests of their own


def typed(page: Path) -> list[str]:
    lines = re.findall(r"^\$ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [line for line in lines if not any(word in line for word in ELSEWHERE)]


@pytest.mark.timeout(420)
def test_every_command_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "apology.txt").write_text("We are sorry. Payments fail.\n", encoding="utf-8")
    (tmp_path / "apology.zh.txt").write_text("支付故障，我们深表歉意。\n", encoding="utf-8")
    with Stack(tmp_path / "stack") as stack:
        author = ""
        for line in typed(ROOT / "README.md"):
            # From wherever this test is, and a day in six seconds: the times of the figures are the same.
            words = line.replace(".venv/bin/", "").replace("examples/", f"{ROOT}/examples/").replace("600", "7200")
            token = author
            if " approve " in words:
                token = type_(stack, "tocsin roster token alice", tmp_path).split()[0]
                until(lambda: step(stack, "apology/approve") == "open", 20, "the approval is open")
            if " check" in words:  # right after the start Prefect does not have our schedules yet
                until(lambda: checked(stack), 150, "every link of the chain is sound")
            said = type_(stack, words.replace("TOCSIN_TOKEN=... ", ""), tmp_path, token=token)
            if " roster token " in words:
                author = said.split()[0]
            assert said.strip(), line
        until(lambda: step(stack, "apology/publish") == "done", 20, "the statement is public")
        public = [one for one in stack.receiver.received() if one["path"].startswith("/public/")]
        assert {one["path"] for one in public} == {"/public/website-en", "/public/website-zh", "/public/weibo"}


def type_(stack: Stack, line: str, folder: Path, *, token: str = "") -> str:
    words = re.findall(r'"[^"]*"|\S+', line)
    command = [sys.executable, "-m", "cli.main", *(word.strip('"') for word in words[1:])]
    environment = {**stack.environment, **({"TOCSIN_TOKEN": token} if token else {})}
    done = subprocess.run(
        command, cwd=folder, env=environment, input="y\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def checked(stack: Stack) -> bool:
    command = [sys.executable, "-m", "cli.main", "check", "--quiet", "--inbox"]
    return subprocess.run(command, env=stack.environment, capture_output=True, timeout=60, check=False).returncode == 0


def step(stack: Stack, name: str) -> str:
    try:
        document = stack.client.get("/api/incidents/INC-1").json()
    except httpx.HTTPError:
        return ""
    return str(next(one["state"] for stage in document["stages"] for one in stage["steps"] if one["id"] == name))
