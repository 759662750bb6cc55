"""What a decision does about texts for the public, one sentence a case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.commands import Approve, Cancel, Close, Done, Draft, Reject, Retry
from domain.facts import FactKind
from domain.incident import StepStatus
from domain.notifications import NotificationPurpose
from domain.roster import PublicChannel
from tests.procedures import ANA, BEN, EVA, approved, calls, give, kinds, m, playbook, said, statement, step
from tests.world import World, roster

K, P = FactKind, NotificationPurpose


# --- publishing ---


def test_a_text_is_ordered_once_on_each_channel_and_only_when_approved() -> None:
    world = World(playbook(*statement()))
    world.decide()
    give(world, Draft, BEN, "s/draft", texts={"en": "We are sorry."})
    assert not world.decide().publications
    give(world, Approve, ANA, "s/approve", digest=world.snapshot.steps["s/draft"].digest)
    decision = world.decide()
    assert [(one.channel, one.text) for one in decision.publications] == [
        ("website-en", "We are sorry."), ("website-zh", "We are sorry."), ("weibo", "We are sorry."),
    ]  # fmt: skip
    assert not world.after(m(1)).publications


def test_a_publication_complete_on_every_channel_is_done_and_opens_what_needs_it() -> None:
    world = World(playbook(*statement(), step("after", needs=("publish",), owner="executive")))
    world.decide()
    approved(world)
    world.decide()
    first, *rest = world.publications
    world.publications = rest
    world.record_publication_outcomes()
    assert world.decide().snapshot.steps["s/publish"].active
    world.publications = [first]
    world.record_publication_outcomes()
    decision = world.decide()
    assert decision.snapshot.steps["s/publish"].status is StepStatus.DONE
    assert said(decision.notices) == [(EVA, P.ASSIGN)]


def in_rounds() -> World:
    """A statement every half hour; the first is approved and ordered, the second round begins."""
    steps = (replace(step, due=m(25)) for step in statement())
    world = World(playbook(*steps, repeat=m(30), ends=m(180)))
    world.decide()
    approved(world)
    world.decide()
    world.after(m(30))
    return world


def test_what_is_on_its_way_to_the_public_outlives_its_round() -> None:
    world = in_rounds()
    assert world.snapshot.steps["s/publish#2"].active
    assert K.SUPERSEDED not in kinds(world, "s/publish")
    world.record_publication_outcomes()
    assert world.decide().snapshot.steps["s/publish"].status is StepStatus.DONE


def test_what_could_not_be_posted_ends_with_its_round() -> None:
    world = in_rounds()
    world.record_publication_outcomes(K.PUBLISH_FAILED)
    assert world.decide().snapshot.steps["s/publish"].status is StepStatus.SUPERSEDED


def test_only_the_channels_that_a_step_names_are_used() -> None:
    world = World(playbook(*statement(channels=("weibo",))))
    world.decide()
    approved(world)
    assert [one.channel for one in world.decide().publications] == ["weibo"]


def test_an_edit_voids_the_approval_and_calls_the_approver_again() -> None:
    world = World(playbook(*statement(opens=m(30))))
    world.decide()
    approved(world)
    world.decide()
    give(world, Draft, BEN, "s/draft", texts={"en": "We are very sorry."})
    assert K.VOIDED in kinds(world, "s/approve")
    assert said(world.decide().notices) == [(ANA, P.ASSIGN)]
    assert not world.after(m(30)).publications


def test_an_official_channel_added_after_the_approval_voids_it() -> None:
    world = World(playbook(*statement(opens=m(30))))
    world.decide()
    approved(world)
    people = world.snapshot.roster
    public = {**people.public, "new": PublicChannel("new", "official-new", "en", sandbox=True)}
    world.snapshot = replace(world.snapshot, roster=replace(people, public=public))
    decision = world.after(m(30))
    assert not decision.publications
    assert [f.data["reason"] for f in world.facts if f.kind is K.VOIDED] == [
        "the official channels changed since the approval"
    ]
    world.decide()
    assert not world.decide().facts, "once"


@pytest.mark.parametrize("kind", [K.IN_DOUBT, K.PUBLISH_FAILED])
def test_a_posting_in_doubt_calls_the_commander_once(kind: FactKind) -> None:
    world = World(playbook(*statement(channels=("weibo",))))
    world.decide()
    approved(world)
    world.decide()
    world.record_publication_outcomes(kind)
    decision = world.decide()
    assert said(decision.notices) == [(ANA, P.DOUBT), (BEN, P.DOUBT)]
    assert "weibo" in str(decision.notices[0].because)
    world.live(m(10))
    assert calls(world).count((0, ANA, P.DOUBT)) == 1
    assert not world.publications, "nothing in doubt is ordered again by itself"


def test_each_further_posting_in_doubt_calls_again() -> None:
    """Also when an earlier one was settled in between."""
    world = World(playbook(*statement(channels=("weibo", "website-en"))))
    world.decide()
    approved(world)
    world.decide()
    weibo, english = sorted(world.publications, key=lambda one: one.channel, reverse=True)
    world.publications = [weibo]
    world.record_publication_outcomes(K.IN_DOUBT)
    world.decide()
    give(world, Done, BEN, "s/publish", evidence="https://weibo.example/1", channel="weibo")
    world.decide()
    world.publications = [english]
    world.record_publication_outcomes(K.IN_DOUBT)
    assert said(world.decide().notices) == [(ANA, P.DOUBT), (BEN, P.DOUBT)]


@pytest.mark.parametrize("end", [Close, Cancel])
def test_a_posting_that_becomes_doubtful_after_the_end_still_calls_the_commander(end: type) -> None:
    """It was on its way when the incident ended: it may stand in public, and somebody must look."""
    world = World(playbook(*statement(channels=("weibo", "website-en"))))
    world.decide()
    approved(world)
    world.decide()
    give(world, end, ANA, reason="over")
    weibo, english = sorted(world.publications, key=lambda one: one.channel, reverse=True)
    world.publications = [english]
    world.record_publication_outcomes(K.PUBLISH_FAILED)
    assert not said(world.decide().notices)
    world.publications = [weibo]
    world.record_publication_outcomes(K.IN_DOUBT)
    assert (ANA, P.DOUBT) in said(world.decide().notices)
    assert not world.decide().notices


def test_a_retry_orders_a_new_attempt_under_a_new_key() -> None:
    world = World(playbook(*statement(channels=("weibo",))))
    world.decide()
    approved(world)
    first = world.decide().publications[0]
    world.record_publication_outcomes(K.IN_DOUBT)
    world.decide()
    give(world, Retry, ANA, "s/publish", channel="weibo")
    (again,) = world.decide().publications
    assert again.text == first.text
    assert again.key("INC-1", "p") != first.key("INC-1", "p")


def test_posted_by_hand_with_its_link_completes_the_step() -> None:
    world = World(playbook(*statement(channels=("weibo",))))
    world.decide()
    approved(world)
    world.decide()
    world.record_publication_outcomes(K.PUBLISH_FAILED)
    world.decide()
    give(world, Done, BEN, "s/publish", evidence="https://weibo.example/1")
    assert world.decide().snapshot.steps["s/publish"].status is StepStatus.DONE
    assert world.snapshot.steps["s/publish"].receipts == {"weibo": "https://weibo.example/1"}


def test_a_drill_publishes_to_a_sandbox_and_never_to_the_real_channel() -> None:
    public = {
        "weibo": PublicChannel("weibo", "official-weibo", "en"),
        "box": PublicChannel("box", "box", "en", sandbox=True),
    }
    world = World(playbook(*statement(channels=("weibo",))), people=roster(public=public), drill=True)
    world.decide()
    approved(world)
    assert [(one.channel, one.target) for one in world.decide().publications] == [("weibo", "box")]


def test_a_drill_without_a_sandbox_publishes_nothing_and_says_so() -> None:
    public = {"weibo": PublicChannel("weibo", "official-weibo", "en")}
    world = World(playbook(*statement(channels=("weibo",))), people=roster(public=public), drill=True)
    world.decide()
    approved(world)
    decision = world.decide()
    assert not decision.publications
    assert [f.data["reason"] for f in decision.facts if f.kind is K.PUBLISH_FAILED] == ["no sandbox stands in for it"]
    assert (ANA, P.DOUBT) in said(decision.notices)


def test_a_rejected_text_goes_back_to_its_author_and_then_to_the_approver_again() -> None:
    world = World(playbook(*statement()))
    world.decide()
    give(world, Draft, BEN, "s/draft", texts={"en": "Not us."})
    world.decide()
    give(world, Reject, ANA, "s/approve", reason="Say sorry first.")
    assert said(world.decide().notices) == [(BEN, P.ASSIGN)]
    give(world, Draft, BEN, "s/draft", texts={"en": "We are sorry."})
    assert said(world.decide().notices) == [(ANA, P.ASSIGN)]


@pytest.mark.parametrize(("amount", "approver"), [(50_000, ANA), (50_001, EVA), (None, ANA)])
def test_a_sum_above_the_limit_goes_to_the_role_above(amount: int | None, approver: str) -> None:
    people = roster()
    limited = {**people.people, ANA: replace(people.people[ANA], approval_limit=50_000)}
    draft, approve, publish = statement()
    world = World(playbook(draft, replace(approve, over_limit="executive"), publish),
                  people=replace(people, people=limited))  # fmt: skip
    world.decide()
    give(world, Draft, BEN, "s/draft", texts={"en": "Coupons."}, amount=amount)
    assert said(world.decide().notices) == [(approver, P.ASSIGN)]
