"""Pages to real receivers: what is sent, what is repeated and marked, and who is called instead."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from sqlalchemy import update

from channels.outcome import SendOutcome, SendVerdict
from domain.commands import Acknowledge, Reassign
from engine.delivery.notices import NoticeDelivery
from engine.delivery.send_slots import MAX_REST_THREADS, MAX_THREADS
from storage import outbox
from storage.outbox import OUTBOX
from tests.impatient import CHANNELS, ROSTER, TAGS, installation_fixture, one_fixture, refuse  # noqa: F401
from tests.installations import InstallationHarness, installation_harness

SENDER = """
import pendulum
from engine.delivery.deliver import Deliverer
from engine.installation import Installation
from storage.settings import load_settings
Deliverer(Installation(load_settings()).open(), "victim", lambda: pendulum.now("UTC")).deliver()
"""


# --- pages ---


def test_a_page_arrives_once_and_its_receipt_is_kept(installation: InstallationHarness) -> None:
    ref = installation.declare()
    assert installation.deliver().by_state == {"sent": 1}
    row = installation.row(ref)
    assert (row.state, row.attempts, row.sent_at, row.lease != "") == ("sent", 1, installation.now, True)
    (title,) = installation.titles("fenglei")
    assert title.startswith("INC-1 ")
    assert not installation.deliver().by_state
    assert len(installation.receiver.received) == 1


def test_refused_everywhere_it_goes_to_the_next_channel_the_backup_and_the_commander(
    installation: InstallationHarness,
) -> None:
    refuse(installation, "fenglei", "fenglei-mail", "erik")
    ref = installation.declare()
    installation.deliver()
    assert [(row.person, row.channel, row.state) for row in installation.rows(ref)] == [
        ("fenglei", "fenglei", "dead"),
        ("fenglei", "fenglei-mail", "dead"),
        ("erik", "erik", "dead"),
        ("alice", "alice", "sent"),
    ]
    assert "could not be reached on any channel" in installation.row(ref, person="alice").payload["body"]
    assert [fact.data["channel"] for fact in installation.facts(ref, "notice-not-delivered")] == [
        "fenglei", "fenglei-mail", "erik",
    ]  # fmt: skip
    assert installation.verified(ref) is None


def test_refused_by_everyone_ends_and_is_on_the_timeline(one: InstallationHarness) -> None:
    refuse(one, "")
    ref = one.declare()
    one.deliver()
    assert {row.state for row in one.rows(ref)} == {"dead"}
    assert [row.person for row in one.rows(ref)] == ["fenglei", "fenglei", "erik", "alice", "wangjie"]


def test_a_failure_is_tried_again_later_and_later(one: InstallationHarness) -> None:
    refuse(one, "chenyu", status=503)
    ref = one.declare("say")
    waits = []
    for attempt in range(1, 5):
        assert one.deliver().by_state == {"retry": 1}, attempt
        row = one.row(ref)
        assert row.attempts == attempt
        waits.append((row.next_attempt_at - one.now).total_seconds())
        assert not one.deliver().by_state, "not before its time"
        one.now = row.next_attempt_at
    assert waits == sorted(waits)
    assert waits[-1] > 4
    one.receiver.clear()
    assert one.deliver().by_state == {"sent": 1}


def test_what_the_rate_of_a_channel_held_back_is_no_attempt(one: InstallationHarness) -> None:
    """However often: the message waits its turn, and nobody else is called for it."""
    ref = one.declare()
    for _ in range(9):
        with one.installation.database.write() as connection:
            lease = uuid.uuid4().hex
            (row,) = outbox.claim_messages(
                connection, one.now, one.now + outbox.LEASE, limit=9, lease=lease, ready_since=one.now
            )
            held = SendOutcome(SendVerdict.FAILED, detail="20 a minute", retry_after=7.0, begun=False)
            assert NoticeDelivery(one.installation).record(connection, row, held, one.now) == "retry"
        row = one.row(ref)
        assert (row.attempts, row.next_attempt_at) == (0, one.now.add(seconds=7))
        one.wait(seconds=7)
    one.deliver()
    assert one.row(ref).state == "sent"


def test_a_page_whose_person_has_another_channel_does_not_wait_for_a_failing_one(one: InstallationHarness) -> None:
    refuse(one, "fenglei", status=503)
    one.receiver.script("/inbox/fenglei-mail")
    ref = one.declare()
    one.deliver()
    assert [(row.channel, row.state) for row in one.rows(ref)] == [("fenglei", "dead"), ("fenglei-mail", "sent")]


def test_after_the_last_attempt_the_backup_is_called(one: InstallationHarness) -> None:
    refuse(one, "chenyu", status=503)
    ref = one.declare("say")
    for _ in range(5):
        one.deliver()
        one.now = max(row.next_attempt_at for row in one.rows(ref))
    assert (one.row(ref, person="chenyu").attempts, one.row(ref, person="chenyu").state) == (5, "dead")
    assert one.row(ref, person="dora").state in ("pending", "sent")


def test_a_page_without_an_answer_is_sent_again_marked(installation: InstallationHarness) -> None:
    installation.receiver.script("/inbox/fenglei", delay=5, times=1)
    ref = installation.declare()
    assert installation.deliver().by_state == {"retry": 1, "sent": 1}
    first, second = installation.receiver.at("/inbox/fenglei")
    assert "ossible duplicate" not in first.json["title"]
    assert "可能重复" in second.json["title"] or "ossible duplicate" in second.json["title"]
    assert installation.row(ref).state == "sent"
    assert [fact.data["again"] for fact in installation.facts(ref, "notice-outcome-unknown")] == [True]


def test_a_page_never_answered_goes_to_the_next_channel_after_two_repeats(one: InstallationHarness) -> None:
    one.receiver.script("/inbox/fenglei", cut="after")
    one.receiver.script("/inbox/fenglei-mail")
    ref = one.declare()
    one.deliver()
    assert [(row.channel, row.state, row.attempts) for row in one.rows(ref)] == [
        ("fenglei", "unknown", 3),
        ("fenglei-mail", "sent", 1),
    ]
    assert len(one.titles("fenglei-mail")) == 1


def test_a_person_without_any_channel_is_passed_over_at_once(one: InstallationHarness) -> None:
    ref = one.declare()
    with one.installation.database.write() as connection:
        connection.execute(update(OUTBOX).values(channel="nowhere", position=9))
    one.deliver()
    assert [(row.person, row.state) for row in one.rows(ref)] == [("fenglei", "dead"), ("erik", "sent")]


def test_each_reminder_of_the_silence_reaches_someone_though_the_commander_cannot_be_reached(home: Path) -> None:
    """Whoever stood in at the first reminder stands in at the second as well."""
    roster = ROSTER.replace("Last resort 最终联系人, primary: wangjie", "Last resort 最终联系人, primary: linyue")
    with installation_harness(home, roster=roster, channels=CHANNELS) as one:
        refuse(one, "alice", "fenglei", "erik")
        ref = one.declare()
        for minutes in (50, 10):
            one.wait(minutes=minutes)
            one.turn()
            one.deliver()
        silence = [(row.person, row.state) for row in one.rows(ref, purpose="silence")]
        assert silence.count(("linyue", "sent")) == 2
        assert silence.count(("wangjie", "sent")) == 1


def test_acknowledged_before_the_send_it_is_never_sent(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.do(ref, Acknowledge, "erik", step="fix")
    assert not installation.deliver().by_state
    assert installation.row(ref).state == "cancelled"
    assert installation.receiver.received == []


def test_handed_over_before_the_send_only_the_new_holder_hears_of_it(one: InstallationHarness) -> None:
    ref = one.declare()
    one.do(ref, Reassign, "alice", step="fix", to="dora")
    one.turn()
    one.deliver()
    assert one.row(ref, person="fenglei").state == "cancelled"
    assert one.row(ref, person="dora").purpose == "reassign"
    assert one.titles("dora") == ["INC-1 Handed to you: Fix it"]


def test_a_newer_call_overtakes_an_older_one_that_never_went_out(one: InstallationHarness) -> None:
    ref = one.declare("say")
    one.wait(minutes=20)
    one.turn()
    one.deliver()
    assert [(row.purpose, row.state) for row in one.rows(ref, person="chenyu")] == [
        ("assign", "coalesced"),
        ("overdue", "sent"),
    ]
    assert len(one.titles("chenyu")) == 1


# --- one sender and another ---


def test_a_slow_channel_holds_up_no_page_on_another(one: InstallationHarness) -> None:
    one.receiver.script("/inbox/fenglei", delay=0.4)
    one.declare()
    one.declare("say")
    one.deliver()
    arrived = {request.path: request.at for request in one.receiver.received}
    answered = min(row.sent_at for row in one.rows("INC-2") if row.sent_at)
    assert abs(arrived["/inbox/chenyu"] - arrived["/inbox/fenglei"]) < 0.3
    assert answered == one.now


def test_slow_bulk_messages_leave_threads_for_pages(one: InstallationHarness) -> None:
    """So many bulk messages hang as there are threads, on as many channels: a page goes out all the same."""
    for tag in TAGS:
        one.receiver.script(f"/inbox/{tag}", delay=0.45)
    one.receiver.script("/inbox/fenglei")
    refs = [one.declare("inform") for _ in range(MAX_THREADS)]
    rows = [one.row(ref) for ref in refs]
    with one.installation.database.write() as connection:
        for row, tag in zip(rows, TAGS, strict=False):
            connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(channel=tag))
    sender = one.sender()
    sender.deliver(wait=False)
    assert [one.row(ref).state for ref in refs].count("leased") == MAX_REST_THREADS
    begun = time.monotonic()
    page = one.declare()
    sender.deliver(wait=False)
    one.receiver.wait_for(lambda got: [r for r in got if "Fix it" in r.json["title"]])
    assert time.monotonic() - begun < 0.4
    assert one.row(page).state in ("leased", "sent")


def test_nothing_is_claimed_that_no_thread_is_free_for(one: InstallationHarness) -> None:
    """What waits in a queue of one process could be sent by another; and its lease would run out."""
    one.receiver.script("/inbox", delay=0.45)
    refs = [one.declare() for _ in range(MAX_THREADS + 2)]
    with one.installation.database.write() as connection:
        for row, tag in zip([one.row(ref) for ref in refs], TAGS, strict=False):
            connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(channel=tag))
    sender = one.sender()
    for _ in range(3):
        sender.deliver(wait=False)
    assert sorted(one.row(ref).state for ref in refs) == ["leased"] * MAX_THREADS + ["pending"] * 2
    other = one.sender("other")
    other.deliver()
    assert [one.row(ref).state for ref in refs].count("sent") >= 2


def test_pages_go_before_bulk_on_the_same_channel_and_the_most_harmful_first(one: InstallationHarness) -> None:
    from domain.incident import Impact

    small = one.declare()
    bulk = one.declare("inform")
    great = one.declare(impact=Impact(customers=5_000))
    drill = one.declare(drill=True, impact=Impact(customers=900_000))
    with one.installation.database.write() as connection:
        connection.execute(update(OUTBOX).values(channel="alice"))
    one.deliver()
    refs = [request.json["title"].split("INC-")[1].split()[0] for request in one.receiver.at("/inbox/alice")]
    assert [f"INC-{number}" for number in refs] == [great, small, drill, bulk]


def test_two_senders_at_once_send_everything_once(installation: InstallationHarness) -> None:
    for _ in range(30):
        installation.declare()
    senders = [installation.sender(f"s{i}") for i in range(3)]
    threads = [threading.Thread(target=sender.deliver) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = [request.json["title"] for request in installation.receiver.received]
    assert len(keys) == len(set(keys)) == 30


def test_a_sender_killed_while_the_receiver_holds_the_answer_is_judged_at_once(one: InstallationHarness) -> None:
    one.now = pendulum.now("UTC")
    text = CHANNELS.replace("rto=0.5", "rto=30").replace("{port}", str(one.receiver.port))
    one.installation.settings.channels_file.write_text(text)
    one.receiver.script("/inbox/fenglei", delay=20, times=1)
    ref = one.declare()
    victim = subprocess.Popen([sys.executable, "-c", SENDER], cwd=Path(__file__).parents[2])
    try:
        one.receiver.wait_for(len, timeout=20)
        one.now = pendulum.now("UTC")
        assert not one.deliver().by_state, "a living sender is left alone"
    finally:
        victim.kill()
        victim.wait()
    begun = time.monotonic()
    assert one.deliver().by_state == {"retry": 1, "sent": 1}
    assert time.monotonic() - begun < 5, "long before its lease runs out"
    assert [("ossible duplicate" in t or "可能重复" in t) for t in one.titles("fenglei")] == [False, True]
    assert one.row(ref).attempts == 2


def test_a_sender_whose_lease_ran_out_writes_nothing_more(installation: InstallationHarness) -> None:
    """It was frozen, not dead: others have judged what it had in hand."""
    ref = installation.declare()
    with installation.installation.database.write() as connection:
        (row,) = outbox.claim_messages(
            connection,
            installation.now,
            installation.now + outbox.LEASE,
            limit=8,
            lease="elsewhere:x/1",
            ready_since=installation.now,
        )
    assert not installation.deliver().by_state, "another machine's sender: its lease decides"
    installation.wait(seconds=31)
    assert installation.deliver().by_state == {"retry": 1, "sent": 1}
    with installation.installation.database.write() as connection:
        kind = NoticeDelivery(installation.installation)
        assert kind.record(connection, row, SendOutcome(SendVerdict.REFUSED), installation.now) == "overtaken"
    assert installation.row(ref).state == "sent"


def test_a_clock_stepped_back_an_hour_delays_no_message(one: InstallationHarness) -> None:
    ref = one.declare()
    refuse(one, "chenyu", status=503)
    one.declare("say")
    one.now -= timedelta(hours=1)
    assert one.deliver().by_state == {"sent": 1, "retry": 1}
    assert not one.deliver().by_state, "and what failed by the new time waits for its turn"
    assert one.row(ref).state == "sent"


@pytest.mark.slow
def test_what_cannot_be_recorded_is_judged_when_its_lease_runs_out(
    one: InstallationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent, but the disk was full: nothing is lost, and the repeat is marked."""
    from storage.database import StorageError

    ref = one.declare()

    def full(*_: object) -> str:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(NoticeDelivery, "record", full)
        one.deliver()
    assert one.row(ref).state == "leased"
    one.wait(seconds=31)
    assert one.deliver().by_state == {"retry": 1, "sent": 1}


def test_a_sender_that_was_frozen_before_its_first_send_gives_the_rows_back(one: InstallationHarness) -> None:
    ref = one.declare()
    sender = one.sender()
    rows = sender._claim(timedelta(0))
    done = replace(sender.deliver())
    sender._send_all(rows, done, time.monotonic() - 20)
    assert (one.row(ref).state, one.row(ref).attempts) == ("retry", 0)
    assert one.receiver.received == []
    assert sender.deliver().by_state == {"sent": 1}
