"""The follow-up on a stepped clock: everybody asked once, reminded once, called where they should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from domain.commands import Done, Reopen
from domain.customers.survey import SurveyAnswer
from engine.customers import survey_answers
from storage.customers import affected_customers
from storage.incidents import board
from tests.customers import FollowUp, customer_installation, row
from tests.installations import InstallationHarness
from web.app import create_app


@pytest.fixture(name="installation")
def installation_fixture(home: Path, database_url: str) -> Iterator[InstallationHarness]:
    with customer_installation(home, database_url) as opened:
        opened.now = opened.now.set(hour=9, minute=59, second=59)
        yield opened


@pytest.fixture(name="one")
def one_fixture(home: Path) -> Iterator[InstallationHarness]:
    with customer_installation(home) as opened:
        opened.now = opened.now.set(hour=9, minute=59, second=59)
        yield opened


def test_everybody_is_asked_once_and_whoever_did_not_answer_is_reminded_once(installation: InstallationHarness) -> None:
    follow = FollowUp(installation)
    assert follow.take([row(n) for n in range(5)]).taken == 5
    follow.step()
    assert follow.asked() == [], "not before the close"
    follow.close()
    follow.step()
    assert sorted(follow.asked()) == [f"c{n}@example.com" for n in range(5)]
    tokens = follow.tokens()
    for n in (0, 1, 2):
        assert follow.answer(tokens[f"c{n}@example.com"])[1] is not None
    follow.run_until(73)
    counts = Counter(follow.asked())
    assert counts == {f"c{n}@example.com": 1 if n < 3 else 2 for n in range(5)}
    assert follow.row().state == "collected"
    result = follow.row().result
    assert (result["asked"], result["reminded"], result["answered"]) == (5, 2, 3)
    with TestClient(create_app(installation.installation), "http://127.0.0.1", client=("127.0.0.1", 5_000)) as client:
        entries = client.get(f"/api/incidents/{follow.ref}/timeline").json()["entries"]
        drawn = {lang: client.get(f"/incidents/{follow.ref}?lang={lang}").text for lang in ("en", "zh_CN")}
    (said,) = [entry["says"] for entry in entries if entry["kind"] == "follow-up-result"]
    assert "5 of 5 asked, 3 answered, satisfied 100.0 %" in said["en"]
    assert "共 5 人，已发送 5 人，已回答 3 人" in said["zh"]
    assert "Second complaints: 0.0 % (aim below 3.0 %)." in drawn["en"]
    assert "重复投诉：0.0 %（目标低于 3.0 %）。" in drawn["zh_CN"]
    assert installation.verified(follow.ref) is None


def test_at_night_nobody_is_written_to(installation: InstallationHarness) -> None:
    """10:00 UTC is 18:00 in Shanghai, where it is quiet from 21:00 to 9:00, and 2:00 in Los Angeles."""
    follow = FollowUp(installation)
    follow.take([row(1, time_zone="Asia/Shanghai"), row(2, time_zone="America/Los_Angeles")])
    follow.close()
    follow.step()
    assert follow.asked() == ["c1@example.com"]
    assert follow.row().next_at == installation.now.set(hour=17), "9:00 in Los Angeles, standard time"
    installation.now = installation.now.set(hour=16, minute=59)
    follow.step()
    assert len(follow.asked()) == 1
    installation.now = installation.now.set(hour=17, minute=0)
    follow.step()
    assert follow.asked() == ["c1@example.com", "c2@example.com"]


def test_what_was_owed_in_the_evening_and_comes_late_waits_for_the_morning(one: InstallationHarness) -> None:
    one.now = one.now.set(hour=20, minute=59, second=0)
    follow = FollowUp(one)
    follow.take([row(1)])
    follow.close()
    one.receiver.script("/mail/", status=503)
    follow.step()
    assert follow.asked() == ["c1@example.com"], "refused for now"
    one.receiver.clear()
    one.now = one.now.set(hour=22)
    follow.step()
    assert follow.asked() == [], "the second try would be at night"
    one.now = one.now.add(days=1).set(hour=9, minute=0)
    follow.step()
    assert follow.asked() == ["c1@example.com"]


def test_batches_go_at_the_rate_of_the_channel_the_most_harmed_first(one: InstallationHarness) -> None:
    follow = FollowUp(one)
    follow.take([row(n) for n in range(130)])
    follow.take(
        [
            row(500, order_value="900"),
            row(501, order_value="900", poor_service_30d="1"),
            row(502, public_complaint="yes"),
        ]
    )
    follow.close()
    follow.step()
    first = follow.asked()
    assert len(first) == 120
    assert follow.row().next_at == one.now.add(minutes=1)
    assert {"c500@example.com", "c501@example.com", "c502@example.com"} <= set(first)
    follow.step()
    assert len(follow.asked()) == 120, "not before the minute is over"
    one.wait(minutes=1)
    follow.step()
    assert len(follow.asked()) == 133
    assert len(set(follow.asked())) == 133


def test_each_contact_goes_by_its_channel_and_the_next_one_where_that_fails(one: InstallationHarness) -> None:
    one.receiver.script("/mail/c2@example.com", status=403)
    one.receiver.script("/mail/c3@example.com", status=403)
    follow = FollowUp(one)
    follow.take([
        row(1, contact="+8613800000001"), row(2, contact="c2@example.com;+8613800000002"), row(3), row(4, contact=""),
    ])  # fmt: skip
    follow.close()
    follow.step()
    follow.step()
    assert sorted(follow.asked("/sms/")) == ["+8613800000001", "+8613800000002"]
    found = follow.customers()
    assert {name: (r.state, r.reached, r.callback) for name, r in found.items()} == {
        "C1": ("asked", "sent", ""),
        "C2": ("asked", "sent", ""),
        "C3": ("unreached", "dead", "unreached"),
        "C4": ("new", "", "no-channel"),
    }
    assert follow.follow_steps()["callbacks/call"] == "open"
    with one.installation.database.read() as connection:
        shown, figures = board.board_figures(connection, one.now), board.delivery_figures(connection, one.now)
    assert not {"dead", "unknown"} & set(shown["outbox"]), "a survey that was refused is no message in trouble"
    assert (figures["surveys"]["dead"], figures["surveys"]["sent"]) == (2, 2)
    one.wait(hours=60)
    one.deliver()
    with one.installation.database.read() as connection:
        assert board.board_figures(connection, one.now)["outbox"] == {}, "nor is an alarm that waits"
    assert any("Call the customers" in title or "回电" in title for title in one.titles("gaomin"))


def test_a_refused_reminder_leaves_the_asked_as_they_are(one: InstallationHarness) -> None:
    follow = FollowUp(one)
    follow.take([row(1)])
    follow.close()
    follow.step()
    one.receiver.script("/mail/", status=403)
    follow.run_until(30)
    assert follow.customers()["C1"].callback == ""
    assert follow.row().state == "running"


def test_the_unhappy_the_unsolved_and_the_valuable_are_called_and_the_owner_hears_once(
    installation: InstallationHarness,
) -> None:
    follow = FollowUp(installation)
    follow.take([row(n) for n in range(4)] + [row(9, order_value="2000.01")])
    follow.close()
    follow.step()
    tokens = follow.tokens()
    follow.answer(tokens["c0@example.com"], csat="2")
    follow.answer(tokens["c1@example.com"], csat="3")
    follow.answer(tokens["c2@example.com"], csat="5", solved="no")
    follow.answer(tokens["c3@example.com"], csat="1", solved="no")
    follow.step()
    found = follow.customers()
    assert {name: r.callback for name, r in found.items()} == {
        "C0": "unhappy", "C1": "", "C2": "not-solved", "C3": "not-solved", "C9": "high-value",
    }  # fmt: skip
    assert [name for name, r in found.items() if r.reopened_at] in (["C2", "C3"], ["C3", "C2"])
    steps = follow.follow_steps()
    assert {name: state for name, state in steps.items() if state != "waiting"} == {
        "callbacks/call": "open", "reopened/settle": "open",
    }  # fmt: skip
    begun = [title for title in installation.titles("gaomin") if "INC-1" in title]
    assert len(begun) == 2, "one word for each list, not one for each customer"


def test_whoever_comes_up_after_the_list_was_done_is_a_new_call(one: InstallationHarness) -> None:
    follow = FollowUp(one)
    follow.take([row(1), row(2)])
    follow.close()
    follow.step()
    tokens = follow.tokens()
    follow.answer(tokens["c1@example.com"], solved="no")
    follow.step()
    follow.done("reopened/settle")
    one.wait(minutes=5)
    follow.step()
    assert "reopened/settle#2" not in follow.follow_steps(), "done is done"
    follow.answer(tokens["c2@example.com"], solved="no")
    follow.step()
    assert follow.follow_steps()["reopened/settle#2"] == "open"


@pytest.mark.parametrize("how", ["unhappy", "complains again", "after the result"])
def test_killed_between_an_answer_and_its_call_the_owner_hears_all_the_same(
    installation: InstallationHarness, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    follow = FollowUp(installation)
    follow.take([row(n) for n in range(3)])
    follow.close()
    follow.step()
    if how == "after the result":
        follow.run_until(80)
        assert follow.row().state == "collected"
    with monkeypatch.context() as killed:
        killed.setattr(survey_answers, "begin_callbacks", lambda *_: None)
        if how == "complains again":
            survey_answers.record_complaint(follow.service, follow.ref, "C1", installation.now, command_id="again")
        else:
            follow.answer(follow.tokens()["c1@example.com"], csat="1")
            follow.answer(follow.tokens()["c2@example.com"], csat="1")
    follow.step()
    stage = "reopened/settle" if how == "complains again" else "callbacks/call"
    assert stage not in follow.follow_steps(), "nobody has heard yet"
    installation.wait(seconds=31)
    follow.step()
    assert follow.follow_steps()[stage] == "open"
    if how == "after the result":
        assert follow.row().next_at == follow.row().erase_at, "and contacts are erased when they were to be"


def test_a_second_complaint_reopens_the_matter_and_counts_against_its_aim(installation: InstallationHarness) -> None:

    follow = FollowUp(installation)
    follow.take([row(n) for n in range(20)])
    follow.close()
    follow.step()
    assert survey_answers.record_complaint(follow.service, follow.ref, "C7", installation.now, command_id="again-1")
    assert not survey_answers.record_complaint(follow.service, follow.ref, "C7", installation.now, command_id="again-1")
    survey_answers.record_callback(follow.service, follow.ref, "C7", installation.now, by="gaomin", note="refunded")
    assert follow.customers()["C7"].called_by == "gaomin"
    installation.wait(minutes=1)
    survey_answers.record_complaint(follow.service, follow.ref, "C7", installation.now, command_id="again-2")
    found = follow.customers()["C7"]
    assert (found.complaints, found.callback, found.called_at) == (2, "complained-again", None)
    follow.run_until(73)
    assert follow.row().result["second_complaints"] == 1
    (fact,) = installation.facts(follow.ref, "follow-up-result")
    assert (fact.data["second"], fact.data["aim"]) == ("5.0 %", "3.0 %")


def test_reopened_nobody_more_is_asked_and_after_the_next_close_only_who_was_not(
    installation: InstallationHarness,
) -> None:
    follow = FollowUp(installation)
    follow.take([row(n) for n in range(150)])
    follow.close()
    follow.step()
    assert len(follow.asked()) == 120
    installation.do(follow.ref, Reopen, "alice", reason="again")
    installation.wait(hours=2)
    follow.step()
    follow.step()
    assert len(follow.asked()) == 120
    assert (follow.row().state, follow.row().next_at) == ("waiting", None)
    installation.wait(hours=1)
    follow.close()
    follow.step()
    assert sorted(Counter(follow.asked()).values()) == [1] * 150
    assert follow.row().collect_at == installation.now.add(hours=72, seconds=-1), "the clock starts anew"


def test_customers_who_come_after_the_close_are_asked_too(one: InstallationHarness) -> None:
    follow = FollowUp(one)
    follow.close()
    one.wait(hours=1)
    follow.take([row(1)])
    follow.step()
    assert follow.asked() == ["c1@example.com"]
    one.wait(minutes=30)
    follow.take([row(1), row(2)])
    follow.step()
    assert follow.asked() == ["c1@example.com", "c2@example.com"]


def test_a_drill_asks_no_customer_and_only_a_declared_sandbox(one: InstallationHarness) -> None:
    follow = FollowUp(one, drill=True, pace={"closed": 240})
    follow.take([row(1), row(2, time_zone="Asia/Tokyo")])
    one.now = one.now.set(hour=22)
    follow.close()
    follow.step()
    assert follow.asked() == []
    assert follow.asked("/sms/") == []
    sandbox = one.receiver.at("/inbox/customers")
    assert len(sandbox) == 2, "no night holds a drill up"
    assert all("DRILL" in str(r.json) for r in sandbox)
    assert "example.com" not in str([r.json for r in sandbox])
    assert follow.row().collect_at == one.now.add(minutes=18, seconds=-1)


def test_a_drill_whose_channel_is_no_sandbox_sends_nothing(home: Path) -> None:
    from tests import customers as module
    from tests.installations import installation_harness

    text = module.CHANNELS.replace("        sandbox: true\n", "")
    with installation_harness(home, channels=text) as installation:
        follow = FollowUp(installation, drill=True)
        follow.take([row(1)])
        follow.close()
        follow.step()
        assert installation.receiver.at("/inbox/customers") == []
        assert follow.customers()["C1"].reached == "dead"


def test_a_channel_without_a_place_for_the_contact_sends_nothing(home: Path) -> None:
    """Else every customer's link would go to one and the same address."""
    from tests import customers as module
    from tests.installations import installation_harness

    with installation_harness(
        home, channels=module.CHANNELS.replace(module.MAIL, "office@example.org")
    ) as installation:
        installation.now = installation.now.set(hour=10)
        follow = FollowUp(installation)
        follow.take([row(1)])
        follow.close()
        follow.step()
        assert follow.asked() == []
        assert follow.customers()["C1"].state == "unreached"


def test_an_incident_with_customers_is_completed_once_their_follow_up_is_read(one: InstallationHarness) -> None:
    follow = FollowUp(one)
    follow.take([row(1)])
    follow.close()
    follow.step()
    one.do(follow.ref, Done, "alice", step="report", evidence="x")
    follow.run_until(72)
    follow.step()
    assert follow.follow_steps()["result/read"] == "open"
    assert str(one.snapshot(follow.ref).incident.status) == "closed"
    follow.done("result/read")
    follow.step()
    assert str(one.snapshot(follow.ref).incident.status) == "completed"


def test_of_two_answers_at_once_one_is_kept(installation: InstallationHarness) -> None:
    """Whoever looked while the survey was open may come second all the same."""
    follow = FollowUp(installation)
    follow.take([row(1)])
    follow.close()
    follow.step()
    mine = follow.customers()["C1"].id
    with installation.installation.database.write() as connection:
        assert affected_customers.save_answer(connection, mine, SurveyAnswer(5, solved=True), installation.now)
        assert not affected_customers.save_answer(connection, mine, SurveyAnswer(1, solved=False), installation.now)
    assert follow.customers()["C1"].csat == 5
