"""A customer's contact in the addresses of real channels: the mail goes to them, and to nobody else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.customers import CHANNELS, MAIL, FollowUp, row
from tests.installations import installation_harness
from tests.receivers import SmtpReceiver


def test_a_survey_by_mail_reaches_its_customer_alone(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with SmtpReceiver() as mail:
        address = f"mailto://{mail.host}?from=care@example.org&to={MAIL}&cto=0.5&rto=0.5"
        before, _, after = CHANNELS.partition(f"json://127.0.0.1:{{port}}/mail/{MAIL}?rto=0.5&cto=0.5")
        with installation_harness(home, channels=f'{before}"{address}"{after}'.replace('"', "")) as installation:
            installation.now = installation.now.set(hour=10)
            follow = FollowUp(installation)
            follow.take([row(1), row(2, language="zh_CN"), row(3, contact="c3+tag@example.com")])
            mail.behaviour.refuse["c2@example.com"] = "550 5.1.1 c2@example.com: no such user"
            follow.close()
            follow.step()
            found = {one.recipients: one for one in mail.received}
            assert set(found) == {("c1@example.com",), ("c3+tag@example.com",)}
            assert all("recipient.invalid" not in str(one.message) for one in mail.received)
            assert "/a/s/" in found["c1@example.com",].text
            states = {name: one.reached for name, one in follow.customers().items()}
            assert states == {"C1": "sent", "C2": "dead", "C3": "sent"}
            assert "c2@example.com" not in str(rows_of(follow))
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # that is the mail server
    assert [line for line in ours if "@example.com" in line] == []


def rows_of(follow: FollowUp) -> list:  # type: ignore[type-arg]
    with follow.installation.installation.database.read() as connection:
        from storage.outbox import list_incident_messages

        return list_incident_messages(connection, follow.row().response_id)


def test_a_survey_without_an_answer_is_in_doubt_and_not_sent_again(home: Path) -> None:
    with installation_harness(home, channels=CHANNELS) as installation:
        installation.now = installation.now.set(hour=10)
        installation.receiver.script("/mail/", cut="after", times=1)
        follow = FollowUp(installation)
        follow.take([row(1)])
        follow.close()
        for _ in range(3):
            follow.step()
            installation.wait(hours=1)
        assert follow.asked() == ["c1@example.com"]
        assert follow.customers()["C1"].reached == "unknown"
        installation.wait(hours=23)
        follow.step()
        assert follow.asked() == ["c1@example.com"] * 2, "the reminder"
        (body,) = {r.json["message"] for r in installation.receiver.at("/mail/")[1:]}
        assert "only reminder" in body


def test_a_channel_that_is_down_is_tried_again_and_then_a_person_calls(home: Path) -> None:
    with installation_harness(home, channels=CHANNELS) as installation:
        installation.now = installation.now.set(hour=10)
        installation.receiver.script("/mail/", status=503)
        follow = FollowUp(installation)
        follow.take([row(1)])
        follow.close()
        tries = 0
        while follow.customers()["C1"].state != "unreached":
            follow.step()
            installation.wait(minutes=6)
            tries += 1
            assert tries < 30
        assert len(follow.asked()) == 8
        assert follow.customers()["C1"].callback == "unreached"
