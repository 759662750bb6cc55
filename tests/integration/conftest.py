"""Supervisors for the tests of this folder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.process import reaper
from engine.process.startup_checks import read_state
from tests.integration.supervised import Up


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    made: list[Up] = []

    def make(moods: dict[str, str], **environment: str) -> Up:
        made.append(Up(tmp_path, moods, stdout=subprocess.PIPE, **environment))
        return made[-1]

    yield make
    for one in made:
        state = read_state(one.home)
        one.process.kill()
        one.process.communicate()
        if state:
            reaper.kill_marked(state["mark"])
