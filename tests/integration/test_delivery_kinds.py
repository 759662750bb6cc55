"""Delivery kinds: one more is prepared, sent and recorded; one that nobody knows is refused in one line."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from pendulum import DateTime

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from domain.durations import later
from engine.delivery.deliver import Deliverer, DeliveryCounts
from engine.delivery.kinds import ChannelDelivery, DeliveryKind
from engine.delivery.outcomes import SendCancelled, SendPostponed, SendRecorded, SendResult, record_outcome
from engine.delivery.registry import DELIVERY_KINDS
from engine.delivery.retry import RetryPolicy
from storage import outbox
from storage.database import Connection
from storage.outbox import OUTBOX, OutboxEntry, OutboxMessage
from tests.impatient import installation_fixture, one_fixture  # noqa: F401
from tests.installations import InstallationHarness

ONCE = RetryPolicy(first_wait=1, longest_wait=1, jitter=0, max_attempts=1)


class PostcardDelivery(ChannelDelivery):
    """Postcards: a kind that only this test knows."""

    name = "postcard"
    stages: list[str]

    def prepare(self, message: OutboxMessage, now: DateTime) -> Message | SendResult:
        self.stages = [*getattr(self, "stages", ()), f"prepare {message.key}"]
        results: dict[str, SendResult] = {
            "unwanted": SendCancelled("they moved"),
            "early": SendPostponed(later(now, ONCE.wait_after(1))),
            "forbidden": SendOutcome(SendVerdict.REFUSED, detail="no postcards here"),
        }
        card = Message(title="Greetings", body=message.payload["body"], key=message.key)
        return results.get(message.purpose, card)

    def send(self, message: OutboxMessage, prepared: Message, now: DateTime) -> SendResult:
        self.stages.append(f"send {message.key}")
        return super().send(message, prepared, now)

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        self.stages.append(f"record {message.key}")
        return record_outcome(connection, message, result, now, policy=ONCE)


class TelegramDelivery(DeliveryKind[str]):
    """Telegrams: whose outcome is on record before the chunk is over."""

    name = "telegram"

    def prepare(self, message: OutboxMessage, now: DateTime) -> str:
        return "STOP"

    def send(self, message: OutboxMessage, prepared: str, now: DateTime) -> SendRecorded:
        with self.installation.database.write() as connection:
            return SendRecorded(self.record(connection, message, SendOutcome(SendVerdict.SENT), now))

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        return record_outcome(connection, message, result, now)


def owe(installation: InstallationHarness, *keys: str, **fields: Any) -> None:
    given: dict[str, Any] = {
        "incident_id": "", "response_id": "", "step": "", "kind": "postcard", "purpose": "greet", "person": "alice",
        "channel": "alice", "lane": outbox.PRIORITY_REST, "rank": 0, "drill": False, "payload": {"body": "Sunny."},
    } | fields  # fmt: skip
    with installation.installation.database.write() as connection:
        outbox.enqueue_entries(connection, [OutboxEntry(key=key, **given) for key in keys], installation.now)


def deliver(installation: InstallationHarness, *kinds: type[DeliveryKind[Any]]) -> tuple[Deliverer, DeliveryCounts]:
    sender = Deliverer(installation.installation, "test", installation.clock, kinds=(*DELIVERY_KINDS, *kinds))
    try:
        return sender, sender.deliver()
    finally:
        sender.close()


def rows(installation: InstallationHarness) -> list[OutboxMessage]:
    with installation.installation.database.read() as connection:
        return outbox.list_incident_messages(connection, "")


def test_a_further_kind_is_prepared_sent_and_recorded(installation: InstallationHarness) -> None:
    owe(installation, "p1", "p2")
    sender, counts = deliver(installation, PostcardDelivery)
    assert counts.by_state == {"sent": 2}
    kind = sender._kinds.find(rows(installation)[0])
    assert isinstance(kind, PostcardDelivery)
    assert kind.stages == ["prepare p1", "send p1", "prepare p2", "send p2", "record p1", "record p2"]
    assert installation.titles("alice") == ["Greetings", "Greetings"]
    assert {(row.state, row.attempts, row.sent_at) for row in rows(installation)} == {("sent", 1, installation.now)}


@pytest.mark.parametrize(
    ("purpose", "state", "detail", "attempts"),
    [
        ("unwanted", "cancelled", "they moved", 1),
        ("early", "retry", "", 0),
        ("forbidden", "dead", "no postcards here", 1),
    ],
)
def test_what_a_kind_does_not_let_out_is_recorded_and_not_sent(
    one: InstallationHarness, purpose: str, state: str, detail: str, attempts: int
) -> None:
    owe(one, "p1", purpose=purpose)
    deliver(one, PostcardDelivery)
    (row,) = rows(one)
    assert (row.state, row.detail, row.attempts) == (state, detail, attempts)
    assert one.receiver.received == []


def test_a_channel_that_breaks_leaves_the_outcome_unknown(
    one: InstallationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    owe(one, "p1")

    def broken() -> None:
        raise RuntimeError("no paper")

    monkeypatch.setattr(one.installation, "channels", broken)
    deliver(one, PostcardDelivery)
    (row,) = rows(one)
    assert (row.state, row.detail) == ("unknown", "the channel failed (RuntimeError)")


def test_what_a_kind_recorded_itself_is_counted_and_not_recorded_again(one: InstallationHarness) -> None:
    owe(one, "t1", kind="telegram")
    _, counts = deliver(one, TelegramDelivery)
    assert counts.by_state == {"sent": 1}
    assert rows(one)[0].attempts == 1


def test_an_unknown_kind_is_refused_in_one_clear_line_and_holds_up_nobody(installation: InstallationHarness) -> None:
    owe(installation, "p1")
    ref = installation.declare()
    assert installation.deliver().by_state == {"dead": 1, "sent": 1}
    (row,) = rows(installation)
    assert row.detail == (
        "no delivery kind `postcard`: this program knows notice, publication, handover, status-mail, survey, "
        "survey-alarm"
    )
    assert installation.row(ref).state == "sent"


def test_no_two_kinds_share_a_name() -> None:
    names = [kind.name for kind in DELIVERY_KINDS]
    assert len(set(names)) == len(names)


def test_a_message_has_every_column_of_its_row() -> None:
    assert {field.name for field in fields(OutboxMessage)} == {column.name for column in OUTBOX.columns}
