"""What each command does, and every illegal move refused in one line that says what would be right."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from domain.command_handlers import CommandRefused, handle_command
from domain.commands import (
    Acknowledge,
    Approve,
    Begin,
    Cancel,
    Close,
    Done,
    Draft,
    Mitigate,
    Note,
    Reassign,
    Reject,
    Reopen,
    Retry,
    SetImpact,
)
from domain.facts import FactKind
from domain.incident import Impact, IncidentStatus
from domain.playbook import Stage, StepKind
from domain.roster import PublicChannel
from domain.text import Text
from tests.procedures import ANA, BEN, CAI, give, m, playbook, statement, step
from tests.world import World, roster

K = FactKind
RECALL = Stage("recall", Text("r"), (step("again", due=m(20)),), ends=m(20), on_demand=True)
PLAN = playbook(
    *statement(channels=("weibo",)),
    step("trace", evidence=True),
    step("later", opens=m(30)),
    step("told", StepKind.TELL),
    step("never", when={"kind": ("other",)}),
    more=(RECALL,),
)


def world(**incident: Any) -> World:
    begun = World(PLAN, **incident)
    begun.decide()
    return begun


def make(command: type, by: str = CAI, **fields: Any) -> Any:
    return command(id=str(uuid.uuid4()), incident="INC-1", by=by, **fields)


def refusal(begun: World, command: type, by: str = CAI, **fields: Any) -> str:
    with pytest.raises(CommandRefused) as refused:
        handle_command(make(command, by, **fields), begun.snapshot, begun.now)
    said = str(refused.value)
    assert "\n" not in said
    assert len(said) < 400
    return said


REFUSED: list[tuple[str, type, dict[str, Any], str]] = [
    ("an unknown step", Acknowledge, {"step": "s/nothing"}, "there is no step 's/nothing'"),
    ("a step before its hour", Acknowledge, {"step": "later"}, "is waiting and cannot be asked to"),
    ("done before its hour", Done, {"step": "later"}, "possible now: draft, reassign"),
    ("done without the evidence asked for", Done, {"step": "trace"}, "asks for evidence"),
    ("blank evidence", Done, {"step": "trace", "evidence": "  "}, "asks for evidence"),
    ("evidence without end", Done, {"step": "trace", "evidence": "x" * 4_001}, "give a link to it"),
    ("a skipped step", Done, {"step": "never"}, "nothing more can be done with it"),
    ("a text marked done", Done, {"step": "s/draft"}, "is done by `tocsin draft`"),
    ("a text for a step without one", Draft, {"step": "trace", "texts": {"en": "x"}}, "no draft step: s/draft"),
    ("a text by nobody", Draft, {"step": "s/draft", "texts": {"en": "x"}, "by": ""}, "say who you are"),
    ("an empty text", Draft, {"step": "s/draft", "texts": {"en": " "}}, "the text is empty"),
    ("no text in the channel's language", Draft, {"step": "s/draft", "texts": {"zh_CN": "抱歉"}}, "speaks en"),
    ("a sum below nothing", Draft, {"step": "s/draft", "texts": {"en": "x"}, "amount": -1}, "0 to 10^15"),
    ("a sum beyond all", Draft, {"step": "s/draft", "texts": {"en": "x"}, "amount": 10**30}, "0 to 10^15"),
    ("an approval before its hour", Approve, {"step": "s/approve", "digest": ""}, "is waiting"),
    ("an approval of another kind of step", Approve, {"step": "trace", "digest": ""}, "no approve step: s/"),
    ("a rejection of another kind of step", Reject, {"step": "trace", "reason": "x"}, "is no approve step"),
    ("a retry before anything was ordered", Retry, {"step": "s/publish", "channel": "weibo"}, "is waiting"),
    ("reassigned to a stranger", Reassign, {"step": "trace", "to": "zoe"}, "does not know 'zoe'"),
    ("an empty note", Note, {"text": " "}, "the note is empty"),
    ("a note without end", Note, {"text": "x" * 10_000_000}, "at most 4000"),
    ("a note with a control character", Note, {"text": "a\x00b"}, "text holds a control character (U+0000)"),
    ("a note with half a character", Note, {"text": "\ud83d"}, "(U+D83D)"),
    ("a text with a control character", Draft, {"step": "s/draft", "texts": {"en": "\x1b[2J"}}, "(U+001B)"),
    ("closed early without a reason", Close, {}, "to close early, say why"),
    ("cancelled without a reason", Cancel, {}, "say why"),
    ("reopened while it runs", Reopen, {"reason": "x"}, "INC-1 is open and cannot be asked to reopen"),
    ("a stage that is not on demand", Begin, {"stage": "s"}, "one of recall"),
    ("an impact below nothing", SetImpact, {"impact": Impact(customers=-1)}, "0 or more"),
    ("an impact beyond all", SetImpact, {"impact": Impact(money=10**16)}, "at most 10^15"),
    ("a brand harm of four", SetImpact, {"impact": Impact(brand=4)}, "0 (none) to 3"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "fields", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(command: type, fields: dict[str, Any], said: str) -> None:
    begun = world()
    before = begun.snapshot
    assert said in refusal(begun, command, **{"by": CAI, **fields})
    assert begun.snapshot is before


MOVES = {
    "mitigate": make(Mitigate),
    "close": make(Close, reason="x"),
    "reopen": make(Reopen, reason="x"),
    "cancel": make(Cancel, reason="x"),
    "begin": make(Begin, stage="recall"),
    "work": make(Acknowledge, step="s/draft"),
    "note": make(Note, text="x"),
}
LEGAL = {
    IncidentStatus.OPEN: {"mitigate", "close", "cancel", "begin", "work", "note"},
    IncidentStatus.MITIGATED: {"close", "cancel", "begin", "work", "note"},
    IncidentStatus.CLOSED: {"reopen", "begin", "work", "note"},
    IncidentStatus.COMPLETED: {"reopen", "begin", "note"},
    IncidentStatus.CANCELLED: {"note"},
}


@pytest.mark.parametrize("status", list(IncidentStatus))
@pytest.mark.parametrize("move", list(MOVES))
def test_the_table_of_legal_moves_of_an_incident(status: IncidentStatus, move: str) -> None:
    begun = world()
    begun.snapshot = replace(begun.snapshot, incident=replace(begun.snapshot.incident, status=status))
    if move in LEGAL[status]:
        assert handle_command(MOVES[move], begun.snapshot, begun.now)
        return
    with pytest.raises(CommandRefused, match=f"INC-1 is {status} and cannot be .*; possible now: "):
        handle_command(MOVES[move], begun.snapshot, begun.now)


def test_an_acknowledgement_twice_is_one_fact() -> None:
    begun = world()
    command = make(Acknowledge, step="trace")
    (fact,) = handle_command(command, begun.snapshot, begun.now)
    assert (fact.kind, fact.step, fact.by) == (K.ACKNOWLEDGED, "s/trace", CAI)
    begun.record(fact)
    assert handle_command(command, begun.snapshot, begun.now) == []


def test_another_person_may_take_over_what_is_acknowledged() -> None:
    begun = world()
    give(begun, Acknowledge, CAI, "s/trace")
    (fact,) = handle_command(make(Acknowledge, BEN, step="trace"), begun.snapshot, begun.now)
    begun.record(fact)
    assert begun.snapshot.steps["s/trace"].holder == BEN


def test_done_twice_is_one_fact_and_says_how_late() -> None:
    begun = world()
    begun.after(m(75))
    command = make(Done, step="trace", evidence="log")
    (fact,) = handle_command(command, begun.snapshot, begun.now)
    assert fact.data == {"evidence": "log", "late_seconds": 15 * 60}
    begun.record(fact)
    assert handle_command(command, begun.snapshot, begun.now) == []


def test_a_short_name_will_do_only_where_it_is_clear() -> None:
    more = Stage("t", Text("t"), (step("trace"),), ends=m(60))
    begun = World(playbook(step("trace"), more=(more,)))
    begun.decide()
    assert "'trace' may be any of these steps: say which of s/trace, t/trace" in refusal(
        begun, Acknowledge, step="trace"
    )
    give(begun, Done, CAI, "t/trace")
    assert handle_command(make(Acknowledge, step="trace"), begun.snapshot, begun.now)[0].step == "s/trace"


def test_the_same_text_twice_is_one_version() -> None:
    begun = world()
    command = make(Draft, BEN, step="s/draft", texts={"en": "Sorry."})
    begun.record(handle_command(command, begun.snapshot, begun.now)[0])
    assert handle_command(command, begun.snapshot, begun.now) == []
    (again,) = handle_command(make(Draft, BEN, step="s/draft", texts={"en": "Sorry!"}), begun.snapshot, begun.now)
    assert again.data["version"] == 2


def drafted(**fields: Any) -> World:
    begun = world()
    give(begun, Draft, BEN, "s/draft", texts={"en": "Sorry."}, **fields)
    begun.decide()
    return begun


def test_only_the_text_as_it_stands_is_approved() -> None:
    assert "not the text as it stands now" in refusal(drafted(), Approve, ANA, step="s/approve", digest="0" * 64)


def test_author_and_approver_are_two_people_unless_the_playbook_allows_it() -> None:
    begun = drafted()
    digest = begun.snapshot.steps["s/draft"].digest
    assert "must be two people" in refusal(begun, Approve, BEN, step="s/approve", digest=digest)
    draft, approve, publish = statement()
    alone = World(playbook(draft, replace(approve, self_approval=True), publish))
    alone.decide()
    give(alone, Draft, BEN, "s/draft", texts={"en": "Sorry."})
    alone.decide()
    give(alone, Approve, BEN, "s/approve", digest=alone.snapshot.steps["s/draft"].digest)


def test_nobody_and_strangers_approve_nothing() -> None:
    begun = drafted()
    digest = begun.snapshot.steps["s/draft"].digest
    assert "say who you are" in refusal(begun, Approve, "", step="s/approve", digest=digest)
    assert "does not know 'zoe'" in refusal(begun, Approve, "zoe", step="s/approve", digest=digest)


def test_a_sum_above_the_approvers_limit_is_refused_naming_who_may() -> None:
    begun = drafted(amount=70_000)
    people = begun.snapshot.roster.people
    limits = {
        ANA: replace(people[ANA], approval_limit=50_000),
        CAI: replace(people[CAI], approval_limit=90_000),
    }
    begun.snapshot = replace(begun.snapshot, roster=roster(people={**people, **limits}))
    digest = begun.snapshot.steps["s/draft"].digest
    said = refusal(begun, Approve, ANA, step="s/approve", digest=digest)
    assert "70000 is above Ana's limit of 50000 CNY; ask cai" in said
    assert handle_command(make(Approve, CAI, step="s/approve", digest=digest), begun.snapshot, begun.now)


def test_an_approval_twice_is_one_fact_and_a_rejection_needs_a_reason() -> None:
    begun = drafted()
    assert "a rejection needs a reason" in refusal(begun, Reject, ANA, step="s/approve", reason=" ")
    command = make(Approve, ANA, step="s/approve", digest=begun.snapshot.steps["s/draft"].digest)
    begun.record(handle_command(command, begun.snapshot, begun.now)[0])
    assert handle_command(command, begun.snapshot, begun.now) == []


def ordered() -> World:
    begun = drafted()
    give(begun, Approve, ANA, "s/approve", digest=begun.snapshot.steps["s/draft"].digest)
    begun.decide()
    return begun


def test_what_is_ordered_is_corrected_and_not_edited() -> None:
    assert "begin a correction or a withdrawal" in refusal(ordered(), Draft, BEN, step="s/draft", texts={"en": "No."})


def test_only_what_is_in_doubt_is_ordered_again() -> None:
    begun = ordered()
    assert "'weibo' is not in doubt" in refusal(begun, Retry, ANA, step="s/publish", channel="weibo")
    begun.record_publication_outcomes(K.IN_DOUBT)
    (fact,) = handle_command(make(Retry, ANA, step="s/publish", channel="weibo"), begun.snapshot, begun.now)
    assert fact.kind is K.RETRIED


def test_by_hand_needs_a_link_an_approval_and_a_channel_of_the_step() -> None:
    begun = ordered()
    assert "give the link" in refusal(begun, Done, BEN, step="s/publish")
    said = refusal(begun, Done, BEN, step="s/publish", evidence="https://x", channel="nowhere")
    assert "does not publish on 'nowhere': one of weibo" in said
    early = World(playbook(*statement(channels=("weibo",))))
    early.decide()
    assert not early.do(make(Done, BEN, step="s/publish", evidence="https://x"))


def test_by_hand_closes_the_step_even_if_no_official_channel_is_left() -> None:
    begun = World(playbook(*statement()))
    begun.decide()
    give(begun, Draft, BEN, "s/draft", texts={"en": "Sorry."})
    begun.decide()
    give(begun, Approve, ANA, "s/approve", digest=begun.snapshot.steps["s/draft"].digest)
    begun.snapshot = replace(begun.snapshot, roster=roster(public={}))
    begun.decide()
    give(begun, Done, BEN, "s/publish", evidence="https://example.org/statement")
    assert begun.snapshot.steps["s/publish"].evidence == "https://example.org/statement"
    assert begun.snapshot.incident.last_public_at == begun.now


def test_a_stage_on_demand_is_begun_once_at_a_time() -> None:
    begun = world()
    give(begun, Begin, ANA, stage="recall")
    assert "already under way" in refusal(begun, Begin, ANA, stage="recall")
    begun.decide()
    give(begun, Done, CAI, "recall/again")
    give(begun, Begin, ANA, stage="recall")
    assert "recall/again#2" in begun.snapshot.steps


def test_the_same_impact_and_the_same_owner_again_are_no_facts() -> None:
    begun = world()
    assert handle_command(make(SetImpact, impact=Impact()), begun.snapshot, begun.now) == []
    assert handle_command(make(Reassign, step="trace", to=CAI), begun.snapshot, begun.now) == []


def test_a_text_longer_than_a_channel_is_refused_and_never_cut() -> None:
    public = {"weibo": PublicChannel("weibo", "official-weibo", "en", limit=10)}
    begun = World(PLAN, people=roster(public=public))
    begun.decide()
    said = refusal(begun, Draft, BEN, step="s/draft", texts={"en": "x" * 11})
    assert "weibo takes 10 characters and the text has 11" in said
    assert handle_command(make(Draft, BEN, step="s/draft", texts={"en": "x" * 10}), begun.snapshot, begun.now)
