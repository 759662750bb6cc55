"""Installations with impatient channels, where one person has two channels: for tests of delivery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.home import SAMPLE_HOME
from tests.installations import InstallationHarness, installation_harness

ROSTER = (SAMPLE_HOME / "roster.yaml").read_text(encoding="utf-8")
ROSTER = ROSTER.replace("channels: [fenglei]", "channels: [fenglei, fenglei-mail]")
TAGS = (
    "alice", "bob", "chenyu", "dora", "fenglei", "fenglei-mail", "erik", "gaomin", "hana", "linyue", "wangjie",
    "agents", "platform", "official-website-en", "official-website-zh", "official-weibo",
)  # fmt: skip
# Impatient channels: a receiver that does not answer costs a test less than a second.
CHANNELS = "version: 1\nurls:\n" + "".join(
    f"  - json://127.0.0.1:{{port}}/inbox/{tag}?rto=0.5&cto=0.5:\n      - tag: {tag}\n" for tag in TAGS
)


@pytest.fixture(name="installation")
def installation_fixture(home: Path, database_url: str) -> Iterator[InstallationHarness]:
    """On both databases."""
    with installation_harness(home, database_url, roster=ROSTER, channels=CHANNELS) as opened:
        yield opened


@pytest.fixture(name="one")
def one_fixture(home: Path) -> Iterator[InstallationHarness]:
    """On SQLite, for what does not depend on the database."""
    with installation_harness(home, roster=ROSTER, channels=CHANNELS) as opened:
        yield opened


def refuse(installation: InstallationHarness, *people: str, status: int = 403) -> None:
    for person in people:
        installation.receiver.script(f"/inbox/{person}", status=status)
