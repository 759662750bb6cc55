"""Publications to real receivers: once, as approved, and never repeated by themselves."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from domain.commands import Cancel, Close, Done, Reopen, Retry
from domain.incident import PublicationState
from storage.outbox import OUTBOX
from tests.impatient import CHANNELS, ROSTER, TAGS, installation_fixture, one_fixture, refuse  # noqa: F401
from tests.installations import InstallationHarness

# --- publications ---


def test_a_publication_goes_out_as_approved_and_its_receipt_completes_the_step(
    installation: InstallationHarness,
) -> None:
    ref = installation.post()
    installation.deliver()
    (posted,) = installation.receiver.at("/inbox/official-website-en")
    assert posted.json["message"] == "We are sorry."
    installation.turn()
    state = installation.snapshot(ref).steps["s/post"]
    assert (state.status, state.receipts) == ("done", {"website-en": installation.row(ref, kind="publication").receipt})
    assert state.receipts["website-en"]


def test_a_publication_in_doubt_is_never_repeated_and_the_commander_is_called(
    installation: InstallationHarness,
) -> None:
    installation.receiver.script("/inbox/official-website-en", delay=5)
    ref = installation.post()
    installation.deliver()
    assert installation.row(ref, kind="publication").state == "unknown"
    assert len(installation.facts(ref, "publication-in-doubt")) == 1
    installation.turn()
    installation.deliver()
    assert [row.purpose for row in installation.rows(ref, person="alice", step="s/post")] == ["publication-in-doubt"]
    installation.wait(hours=3)
    installation.turn()
    installation.deliver()
    assert len(installation.receiver.at("/inbox/official-website-en")) == 1, "by nobody, ever, but a person"


def test_a_person_may_order_it_again_or_say_that_it_stands(installation: InstallationHarness) -> None:
    installation.receiver.script("/inbox/official-website-en", delay=5, times=1)
    ref = installation.post()
    installation.deliver()
    installation.turn()
    installation.do(ref, Retry, "alice", step="s/post", channel="website-en")
    installation.turn()
    installation.deliver()
    installation.turn()
    assert len(installation.receiver.at("/inbox/official-website-en")) == 2
    assert len({row.key for row in installation.rows(ref, kind="publication")}) == 2
    assert installation.snapshot(ref).steps["s/post"].status == "done"


@pytest.mark.parametrize("decided", [True, False])
def test_posted_by_hand_while_it_waits_for_its_next_attempt_it_is_not_posted_again(
    one: InstallationHarness, decided: bool
) -> None:
    refuse(one, "official-website-en", status=429)
    ref = one.post()
    one.deliver()
    assert one.row(ref, kind="publication").state == "retry"
    one.do(ref, Done, "chenyu", step="s/post", evidence="https://example.org/1")
    if decided:
        one.turn()
    one.receiver.clear()
    one.wait(minutes=5)
    one.deliver()
    assert one.row(ref, kind="publication").state == "cancelled"
    assert one.receiver.at("/inbox/official-website-en") == []
    assert one.snapshot(ref).steps["s/post"].postings == {"website-en": PublicationState.PUBLISHED}


@pytest.mark.parametrize("command", [Close, Cancel])
def test_what_is_closed_or_cancelled_before_it_went_out_does_not_go_out(
    one: InstallationHarness, command: type
) -> None:
    ref = one.post()
    one.do(ref, command, "alice", reason="declared in error")
    one.turn()
    one.deliver()
    assert one.row(ref, kind="publication").state == "cancelled"
    assert one.receiver.at("/inbox/official-website-en") == []
    assert one.facts(ref, "publication-failed")[0].data["reason"] == "its step is abandoned"


def test_reopened_the_commander_is_asked_about_what_never_went_out(one: InstallationHarness) -> None:
    ref = one.post()
    one.do(ref, Close, "alice", reason="over")
    one.turn()
    one.deliver()
    one.do(ref, Reopen, "alice", reason="not over")
    one.turn()
    assert one.rows(ref, person="alice", purpose="publication-in-doubt")


def test_a_drill_never_reaches_a_channel_that_is_no_sandbox_even_if_the_roster_changed_since(
    one: InstallationHarness,
) -> None:
    ref = one.post(drill=True)
    path = one.installation.settings.roster_file
    path.write_text(ROSTER.replace("sandbox: true", "sandbox: false"), encoding="utf-8")
    one.installation._roster._pace._last = None  # look at once, not within a second
    assert not one.installation.roster().public["website-en"].sandbox
    one.deliver()
    assert one.row(ref, kind="publication").detail == "a drill publishes to a sandbox only"
    assert one.receiver.at("/inbox/official") == []


def test_a_drill_on_a_sandbox_carries_its_mark(one: InstallationHarness) -> None:
    one.post(drill=True)
    one.deliver()
    (posted,) = one.receiver.at("/inbox/official-website-en")
    assert "DRILL" in posted.json["message"]


@pytest.mark.parametrize("change", ["body", "digest", "channel", "target"])
def test_a_text_altered_after_its_approval_is_refused_at_the_last_door(one: InstallationHarness, change: str) -> None:
    ref = one.post()
    row = one.row(ref, kind="publication")
    values: dict[str, object] = {"payload": {**row.payload, change: "We are not sorry."}}
    if change == "channel":
        values = {"channel": "official-weibo"}
    with one.installation.database.write() as connection:
        connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(**values))
    one.deliver()
    assert one.row(ref, kind="publication").state == "dead"
    assert one.receiver.at("/inbox/official") == []
    assert one.facts(ref, "publication-failed")


def test_no_message_and_no_fact_names_an_address(one: InstallationHarness) -> None:
    refuse(one, "fenglei", "fenglei-mail", status=500)
    ref = one.declare()
    one.deliver()
    told = " ".join(str(x) for x in (*one.facts(ref), *(row.detail for row in one.rows(ref))))
    assert "127.0.0.1" not in told
    assert "json://" not in told
