"""Storage on both databases: snapshots, tokens, the chain of a timeline, the order of the outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import sqlite

from domain.commands import Draft, Note
from domain.incident import Impact
from storage import outbox
from storage.incidents import incidents, turns
from storage.incidents.incidents import RESPONSE, STEP, TurnLease
from storage.incidents.timeline import FACT, hash_fact
from storage.outbox import OUTBOX, OutboxEntry
from storage.types import DurationType, UtcDateTime
from tests.installations import BEGAN, InstallationHarness, installation_fixture  # noqa: F401


def owed(key: str, **fields: Any) -> OutboxEntry:
    given = {
        "incident_id": "i", "response_id": "r", "step": "s/fix", "kind": "notice", "purpose": "assign",
        "person": "alice", "channel": "alice", "lane": 0, "rank": 0, "drill": False, "payload": {},
    }  # fmt: skip
    return OutboxEntry(key=key, **{**given, **fields})


def enqueue(installation: InstallationHarness, *rows: OutboxEntry) -> None:
    with installation.installation.database.write() as connection:
        outbox.enqueue_entries(connection, rows, installation.now)


def claim(installation: InstallationHarness, limit: int = 8, lease: str = "x/1", **how: Any) -> list[str]:
    with installation.installation.database.write() as connection:
        until = installation.now + outbox.LEASE
        given = {"ready_since": installation.now, **how}
        rows = outbox.claim_messages(connection, installation.now, until, limit=limit, lease=lease, **given)
        return [row.key for row in rows]


# --- snapshots ---


def test_a_snapshot_comes_back_as_it_was_saved(installation: InstallationHarness) -> None:
    ref = installation.post(
        impact=Impact(3, 2, 1, 1),
        origin="public-opinion",
        service="checkout",
        kind="outage",
        drill=True,
        pace={"declared": 20.0},
    )
    installation.deliver()
    first = installation.snapshot(ref)
    assert first.steps["s/post"].postings == {"website-en": "published"}
    assert first.steps["s/write"].texts == {"en": "We are sorry."}
    assert first.incident.pace == {"declared": 20.0}
    with installation.installation.database.write() as connection:
        before = replace(first, steps={})
        connection.execute(delete(STEP))
        assert incidents.save_snapshot(connection, before, first, installation.now)
    assert installation.snapshot(ref) == first


def test_saving_writes_only_what_changed(installation: InstallationHarness) -> None:
    ref = installation.declare("say")
    before = installation.snapshot(ref)
    state = replace(before.steps["s/write"], evidence="seen")
    after = replace(before, steps={**before.steps, "s/write": state})
    with installation.installation.database.write() as connection:
        connection.execute(update(STEP).where(STEP.c.id == "s/pass").values(evidence="by someone else"))
        assert incidents.save_snapshot(connection, before, after, None)
    assert [s.evidence for s in installation.snapshot(ref).steps.values()] == ["seen", "by someone else", ""]


def test_with_a_stale_token_nothing_is_written(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.wait(minutes=5)
    before = installation.snapshot(ref)
    name = before.response.id
    with installation.installation.database.write() as connection:
        (old,) = incidents.lease_turns(connection, [name], installation.now, installation.now)
        (new,) = incidents.lease_turns(connection, [name], installation.now, installation.now)
    assert new.token == old.token + 1
    state = replace(before.steps["s/fix"], evidence="stale")
    after = replace(
        before, steps={"s/fix": state}, incident=replace(before.incident, title="stale"),
        response=replace(before.response, silence_level=2),
    )  # fmt: skip
    with installation.installation.database.write() as connection:
        assert not incidents.save_snapshot(connection, before, after, None, old)
        assert not incidents.save_snapshot(
            connection, before, after, None, TurnLease(name, new.token + 1, installation.now)
        )
    assert installation.snapshot(ref) == before
    with installation.installation.database.write() as connection:
        assert incidents.save_snapshot(connection, before, after, None, new)
    assert installation.snapshot(ref).incident.title == "stale"


def test_only_what_is_due_is_taken_and_a_leased_one_is_left_alone(installation: InstallationHarness) -> None:
    ref = installation.declare()
    name = installation.snapshot(ref).response.id
    with installation.installation.database.write() as connection:
        assert incidents.lease_turns(connection, [name], installation.now, installation.now) == [], (
            "due in five minutes"
        )
    installation.wait(minutes=5)
    until = installation.now.add(seconds=20)
    with installation.installation.database.write() as connection:
        assert [row.id for row in incidents.list_due_responses(connection, installation.now, limit=9)] == [name]
        incidents.lease_turns(connection, [name], installation.now, until)
        assert incidents.list_due_responses(connection, installation.now, limit=9) == []
        assert [
            row.id for row in incidents.list_due_responses(connection, installation.now, limit=9, taken_too=True)
        ] == [name]
        assert [row.id for row in incidents.list_due_responses(connection, until, limit=9)] == [name], (
            "its lease has run out"
        )


def test_the_most_harmful_incident_is_due_first(installation: InstallationHarness) -> None:
    small, great = installation.declare(), installation.declare(impact=Impact(customers=10))
    installation.wait(minutes=5)
    with installation.installation.database.read() as connection:
        assert [row.ref for row in incidents.list_due_responses(connection, installation.now, limit=9)] == [
            great,
            small,
        ]


def test_a_wake_brings_the_next_look_forward_and_never_back(installation: InstallationHarness) -> None:
    ref = installation.declare()
    name = installation.snapshot(ref).response.id
    for now, wanted in ((BEGAN.add(minutes=2), 2), (BEGAN.add(minutes=4), 2), (BEGAN.add(minutes=1), 1)):
        with installation.installation.database.write() as connection:
            incidents.wake_responses(connection, [name], now)
            found = connection.execute(select(RESPONSE.c.wake_at)).scalar_one()
        assert found == BEGAN.add(minutes=wanted)


def test_equal_playbooks_are_kept_once_and_the_copy_outlives_an_edit(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.declare()
    path = installation.installation.settings.playbooks_dir / "call.yaml"
    path.write_text(path.read_text().replace("due: 40m", "due: 55m"))
    installation.installation.library._pace._last = None
    third = installation.declare()
    with installation.installation.database.read() as connection:
        assert len(connection.execute(select(incidents.COPY.c.digest)).all()) == 2
    assert installation.snapshot(ref).response.playbook.step("s", "fix").due == timedelta(minutes=40)
    assert installation.snapshot(third).response.playbook.step("s", "fix").due == timedelta(minutes=55)


# --- types ---


def test_a_naive_time_is_refused(installation: InstallationHarness) -> None:
    with pytest.raises(ValueError, match="has no time zone: give one, for example 2026-11-02T03:00:00"):
        UtcDateTime().process_bind_param(datetime(2026, 11, 2, 3), sqlite.dialect())  # noqa: DTZ001 - the point


@pytest.mark.parametrize(
    "when",
    [
        pendulum.datetime(2026, 11, 2, 3, 4, 5, 678901),
        pendulum.datetime(1969, 12, 31, 23, 59, 59, 999999),
        pendulum.datetime(2026, 3, 29, 3, 30, tz="Europe/Berlin"),
        datetime(2026, 11, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=8))),
    ],
)
def test_a_time_comes_back_exact_and_in_utc(installation: InstallationHarness, when: Any) -> None:
    with installation.installation.database.write() as connection:
        turns.save_installation_fact(connection, "x", {"a": 1}, when)
        found = turns.load_installation_fact(connection, "x")
    assert found is not None
    assert found[1] == when
    assert found[1].microsecond == when.microsecond
    assert found[1].timezone_name == "UTC"


def test_a_span_comes_back_exact() -> None:
    for span in (timedelta(0), timedelta(microseconds=1), timedelta(days=366, microseconds=5)):
        bound = DurationType().process_bind_param(span, sqlite.dialect())
        assert DurationType().process_result_value(bound, sqlite.dialect()) == span


# --- the timeline ---


def _alter(connection: Connection) -> None:
    connection.execute(update(FACT).where(FACT.c.seq == 3).values(data={"owner": "mallory"}))


def _rehash(connection: Connection) -> None:
    """A careful forger: the altered fact's own hash is made to fit."""
    connection.execute(update(FACT).where(FACT.c.seq == 3).values(by="mallory"))
    row = connection.execute(select(FACT).where(FACT.c.seq == 3)).one()
    connection.execute(update(FACT).where(FACT.c.seq == 3).values(hash=hash_fact(dict(row._mapping))))


def _remove(connection: Connection) -> None:
    connection.execute(delete(FACT).where(FACT.c.seq == 2))


def _shorten(connection: Connection) -> None:
    connection.execute(delete(FACT).where(FACT.c.seq >= 4))


def _add(connection: Connection) -> None:
    last = connection.execute(select(FACT).order_by(FACT.c.seq.desc()).limit(1)).one()
    row = {**last._mapping, "seq": last.seq + 1, "previous": last.hash, "kind": "noted"}
    connection.execute(insert(FACT).values({**row, "hash": hash_fact(row)}))


def _reorder(connection: Connection) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        connection.execute(update(FACT).where(FACT.c.seq == old).values(seq=new))


def _later(connection: Connection) -> None:
    connection.execute(update(FACT).where(FACT.c.seq == 1).values(at=BEGAN.add(seconds=1)))


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (_alter, "fact 3 (step-opened, 2026-11-02T03:00:00+00:00) was altered"),
        (_rehash, "fact 4 (noted, 2026-11-02T03:00:00+00:00) was altered"),
        (_remove, "fact 2 is missing"),
        (_shorten, "ends at fact 3, but 4 were recorded"),
        (_add, "ends at fact 5, but 4 were recorded"),
        (_reorder, "fact 2 (step-opened"),
        (_later, "fact 1 (declared"),
    ],
)
def test_a_timeline_that_was_touched_is_found_out(
    installation: InstallationHarness, forge: Callable[[Connection], None], said: str
) -> None:
    ref = installation.declare()
    installation.do(ref, Note, "alice", text='seen: "<b>" 你好 \u2028 😀')
    assert installation.verified(ref) is None
    with installation.installation.database.write() as connection:
        forge(connection)
    assert said in (installation.verified(ref) or "")


def test_a_long_history_still_verifies_and_is_numbered_without_gaps(installation: InstallationHarness) -> None:
    ref = installation.post()
    installation.deliver()
    for _ in range(6):
        installation.wait(minutes=10)
        installation.turn("guarantor")
    assert [fact.seq for fact in installation.facts(ref)] == list(range(1, len(installation.facts(ref)) + 1))
    assert installation.verified(ref) is None


# --- the outbox ---


def test_a_key_is_kept_once(installation: InstallationHarness) -> None:
    enqueue(installation, owed("a"), owed("b"))
    enqueue(installation, owed("b", person="bob"), owed("c"))
    with installation.installation.database.read() as connection:
        rows = connection.execute(select(OUTBOX.c.key, OUTBOX.c.person).order_by(OUTBOX.c.id)).all()
    assert [tuple(row) for row in rows] == [("a", "alice"), ("b", "alice"), ("c", "alice")]


def test_pages_first_then_harm_then_age_and_one_channel_a_claim(installation: InstallationHarness) -> None:
    enqueue(
        installation,
        owed("bulk", lane=2, rank=-9),
        owed("late", rank=1),
        owed("first", rank=0),
        owed("second", rank=0),
        owed("worst", rank=-5, channel="bob"),
    )
    assert claim(installation) == ["worst"]
    assert claim(installation) == ["first", "second", "late"]
    assert claim(installation) == ["bulk"]
    assert claim(installation) == []


def test_a_claim_takes_no_more_than_asked_for_and_nothing_of_a_busy_channel(installation: InstallationHarness) -> None:
    enqueue(installation, *[owed(f"k{i}") for i in range(5)], owed("other", channel="bob", rank=9))
    assert claim(installation, limit=2) == ["k0", "k1"]
    assert claim(installation, busy={"alice"}) == ["other"]
    assert claim(installation, worst=0, busy={"alice"}) == []


def test_a_publication_is_claimed_alone_and_those_of_one_incident_in_their_order(
    installation: InstallationHarness,
) -> None:
    post = {"lane": outbox.PRIORITY_PUBLICATION, "kind": "publication"}
    enqueue(installation, owed("p1", **post), owed("p2", **post), owed("q1", **post, incident_id="other", rank=9))
    assert claim(installation, lease="first/1") == ["p1"]
    assert claim(installation) == ["q1"], "another incident's goes beside it"
    assert claim(installation) == []
    with installation.installation.database.write() as connection:
        (first,) = (row for row in outbox.list_leased(connection) if row.key == "p1")
        outbox.save_outcome(connection, first.id, "first/1", state="sent")
    assert claim(installation) == ["p2"]


def test_less_urgent_pages_wait_while_a_more_urgent_one_can_soon_go(installation: InstallationHarness) -> None:
    enqueue(
        installation, owed("first", rank=0), owed("second", rank=1, channel="bob"),
        owed("post", lane=1, kind="publication", channel="site"),
    )  # fmt: skip
    with installation.installation.database.read() as connection:
        assert outbox.most_urgent_rank(connection, installation.now, installation.now, ()) == 0
        assert outbox.most_urgent_rank(connection, installation.now, installation.now, {"alice"}) == 1, (
            "nobody waits for a slow channel"
        )
        assert not outbox.has_ready_messages(
            connection, installation.now, installation.now, {"alice"}, outbox.PRIORITY_PAGE, most=0
        )
        assert outbox.has_ready_messages(
            connection, installation.now, installation.now, {"alice"}, outbox.PRIORITY_PUBLICATION, most=0
        )
    assert claim(installation, busy={"alice"}, worst=outbox.PRIORITY_PAGE, most=0) == []
    assert claim(installation, busy={"alice"}, most=0) == ["post"], "statements have room of their own"
    assert claim(installation, most=0) == ["first"]
    assert claim(installation, most=1) == ["second"]


def test_notices_wait_for_no_publication(installation: InstallationHarness) -> None:
    enqueue(installation, owed("p1", lane=1, kind="publication"), owed("n1", lane=2))
    assert claim(installation) == ["p1"]
    assert claim(installation) == ["n1"]


def test_only_pages_and_publications_where_bulk_has_its_share(installation: InstallationHarness) -> None:
    enqueue(installation, owed("bulk", lane=2))
    assert claim(installation, worst=outbox.PRIORITY_PUBLICATION) == []
    assert claim(installation) == ["bulk"]


def test_only_what_has_waited_long_enough_is_taken_over(installation: InstallationHarness) -> None:
    enqueue(installation, owed("a"))
    assert claim(installation, ready_since=installation.now.subtract(seconds=1)) == []
    installation.wait(seconds=1)
    assert claim(installation, ready_since=installation.now.subtract(seconds=1)) == ["a"]


def test_an_outcome_is_recorded_by_the_holder_of_the_lease_alone(installation: InstallationHarness) -> None:
    enqueue(installation, owed("a"))
    claim(installation, lease="mine/1")
    with installation.installation.database.write() as connection:
        (row,) = outbox.list_leased(connection)
        assert (row.attempts, row.attempt_started_at) == (1, installation.now)
        assert not outbox.save_outcome(connection, row.id, "other/1", state="sent")
        assert outbox.save_outcome(connection, row.id, "mine/1", state="sent")
        assert not outbox.save_outcome(connection, row.id, "mine/1", state="dead"), "once"
        assert outbox.count_by_state(connection) == {"sent": 1}


def test_what_is_on_its_way_is_neither_withdrawn_nor_overtaken(installation: InstallationHarness) -> None:
    enqueue(installation, owed("a"), owed("b"))
    claim(installation, limit=1)
    with installation.installation.database.write() as connection:
        assert outbox.cancel_messages(connection, "r", "s/fix", ["assign"], "acknowledged") == 1
        assert outbox.coalesce_messages(connection, "r", "s/fix", "alice") == 0
        states = connection.execute(select(OUTBOX.c.key, OUTBOX.c.state).order_by(OUTBOX.c.id)).all()
    assert [tuple(row) for row in states] == [("a", "leased"), ("b", "cancelled")]


def test_an_error_in_the_middle_takes_all_of_it_back(installation: InstallationHarness) -> None:
    ref = installation.declare("say")

    def break_off() -> None:
        with installation.installation.database.write() as connection:
            connection.execute(update(STEP).values(evidence="half"))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        break_off()
    assert {s.evidence for s in installation.snapshot(ref).steps.values()} == {""}
    assert installation.do(ref, Draft, "chenyu", step="s/write", texts={"en": "x"}).changed, (
        "and nobody waits for its lock"
    )
