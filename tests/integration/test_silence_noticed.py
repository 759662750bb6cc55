"""Silence is noticed: each way in which nothing happens pages the last resort, and the heartbeat stays away."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.audit.auditor import Auditor
from storage import outbox
from tests.installations import InstallationHarness, installation_fixture  # noqa: F401 - a fixture
from tests.integration.test_auditor import watcher

LAST_RESORT = "wangjie"


def a_late_turn(installation: InstallationHarness) -> None:
    """The ladder was to be climbed two minutes ago, and nobody took the turn."""
    installation.declare()
    installation.turn()
    installation.deliver()
    installation.wait(minutes=7)


def a_stuck_row(installation: InstallationHarness) -> None:
    """A message that is owed, and that nobody sends."""
    installation.declare("inform")
    installation.turn()
    installation.wait(minutes=6)


def a_row_in_dead_hands(installation: InstallationHarness) -> None:
    """A message that a sender of another machine took, and never came back."""
    installation.declare("inform")
    installation.turn()
    with installation.installation.database.write() as connection:
        until = installation.now.add(seconds=30)
        outbox.claim_messages(
            connection, installation.now, until, limit=10, lease="elsewhere:engine-1/x", ready_since=installation.now
        )
    installation.wait(minutes=6)


def a_dead_channel(installation: InstallationHarness) -> None:
    """The service refuses every message of one person."""
    installation.receiver.script("/inbox/agents", status=403)
    installation.declare("inform")
    installation.turn()
    installation.deliver()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (a_late_turn, "个流程步进已迟到"),
        (a_stuck_row, "有消息已积压 7 分钟"),
        (a_row_in_dead_hands, "有消息已积压"),
        (a_dead_channel, "agents"),
    ],
)
def test_the_last_resort_is_paged_and_the_heart_stops(
    installation: InstallationHarness, harm: Callable[[InstallationHarness], None], says: str
) -> None:
    with watcher() as (url, beats):
        installation.installation.settings = installation.installation.settings.model_copy(
            update={"heartbeat_url": url}
        )
        auditor = Auditor(installation.installation, installation.clock)
        auditor.run_once()
        assert len(beats) == 1, "all was well"
        harm(installation)
        installation.wait(minutes=1)
        for _ in range(9):  # a look every 15 seconds: two minutes
            auditor.run_once()
            installation.wait(seconds=15)
        assert len(beats) == 1
    titles = installation.titles(LAST_RESORT)
    assert [title for title in titles if says in title], titles
    assert len([title for title in titles if "Tocsin" in title]) == 1, "once, not at each look"
