"""The channels of the sample home: surveys lie in the inbox, and no file of the home ever learns whose they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from channels.directory import ChannelDirectory
from channels.message import Message
from channels.outcome import SendVerdict
from engine.customers import survey_answers
from engine.customers.recipient_address import send_to_recipient
from engine.customers.survey_schedule import run_due
from engine.delivery.deliver import Deliverer
from engine.home import SAMPLE_HOME
from engine.process import clock
from playbooks.followup_file import shipped_followup_plan
from tests.customers import plan_text, row
from tests.integration.test_customers_privacy import MAIL, PHONE, holding
from tests.receivers import HttpReceiver
from tests.served import Served, served, valid


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    """A home as `tocsin up` lays it out, with nobody asleep."""
    (home / "followup.yaml").write_text(plan_text(), encoding="utf-8")
    with served(home, free_port()) as running:
        yield running


def test_a_newcomer_sees_surveys_in_the_inbox_and_the_inbox_keeps_no_contact(web: Served, home: Path) -> None:
    ref = web.declare()
    rows = [row(1, contact=MAIL), row(2, contact=PHONE), row(3, contact=f"{MAIL.replace('8831', '7')}; {PHONE}")]
    taken = valid("customers-taken", web.post(ref, "customers", {"customers": rows}))
    assert taken["taken"] == 3
    assert web.post(ref, "close", {"id": "close-1", "reason": "over"}).is_success
    run_due(web.installation.customers, clock.now())
    sender = Deliverer(web.installation, "test", clock.now)
    sender.deliver()
    sender.close()
    found = web.client.get("/inbox/api/messages").json()["messages"]
    boxes = [message["name"] for message in found if message["name"].startswith("customers/")]
    assert sorted(boxes) == ["customers/mail", "customers/mail", "customers/sms"]
    assert all("/a/s/" in message["body"] for message in found if message["name"].startswith("customers/"))
    assert holding(home, MAIL, PHONE, PHONE.lstrip("+"), "7@example.com") == {}
    # A customer is forgotten: what says that there was one stays, what says who it was does not.
    survey_answers.forget_customer(web.installation.customers, "C1")
    assert holding(home, MAIL, PHONE) == {}


@pytest.mark.parametrize("box", [f"customers/{MAIL}", f"customers/{PHONE}", "customers/8613912345678"])
def test_the_inbox_takes_nothing_whose_box_is_a_contact(web: Served, box: str, home: Path) -> None:
    answer = web.client.post(f"/inbox/{box}", json={"title": "t", "message": "m"})
    assert (answer.status_code, "a contact is no box" in answer.json()["error"]) == (422, True)
    assert holding(home, MAIL, PHONE) == {}


def test_each_stand_in_of_the_sample_is_replaced_within_a_header(home: Path) -> None:
    """What a real gateway would read there is the contact, whole."""
    plan = shipped_followup_plan()
    with HttpReceiver() as receiver:
        text = (SAMPLE_HOME / "channels.yaml").read_text(encoding="utf-8").replace("{port}", str(receiver.port))
        (home / "channels.yaml").write_text(text, encoding="utf-8")
        directory = ChannelDirectory.load(home / "channels.yaml")
        for way, contact in (("mail", MAIL), ("phone", PHONE)):
            message = Message(title="t", body="b", key=f"SURVEY/{way}")
            outcome = send_to_recipient(directory, plan.channels[way], plan.placeholder[way], contact, message)
            assert outcome.verdict is SendVerdict.SENT
        got = {request.headers["x-customer"]: request for request in receiver.received}
    assert set(got) == {MAIL, PHONE}
    for contact, request in got.items():
        assert contact not in request.path + json.dumps(request.json)


def test_the_channel_of_drills_is_a_sandbox_of_this_machine(home: Path) -> None:
    text = (SAMPLE_HOME / "channels.yaml").read_text(encoding="utf-8").replace("{port}", "7700")
    (home / "channels.yaml").write_text(text, encoding="utf-8")
    directory = ChannelDirectory.load(home / "channels.yaml")
    info = directory.info(shipped_followup_plan().drill)
    assert info is not None
    assert info.sandbox
    assert directory.inbox_box(shipped_followup_plan().drill, 7700) == "customers/drill"
