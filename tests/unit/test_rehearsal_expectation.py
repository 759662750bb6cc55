"""What a rehearsal expects, against lists written by hand. Minutes of the rehearsed clock."""

from __future__ import annotations

from pathlib import Path

import pytest

import playbooks
from domain.playbook import Playbook
from domain.roster import Person, PublicChannel, Role, Roster
from engine.rehearsal.expectation import RehearsalExpectation, compute_expectation
from engine.rehearsal.expected_step import OwnerBehaviour
from engine.rehearsal.owner_actions import OwnerAction, OwnerActions
from engine.rehearsal.persona_selection import choose_personas
from engine.rehearsal.personas import Persona, PersonaManner, PersonaSet
from engine.rehearsal.request import RehearsalRequest
from engine.rehearsal.step_schedule import RehearsalClocks
from engine.rehearsal.time_bounds import TimeBounds, exact_moment
from playbooks.playbook_library import PlaybookLibrary
from playbooks.playbook_loader import parse_playbook
from playbooks.roster_file import parse_roster

SHIPPED = Path(playbooks.__file__).parent
SAMPLE = parse_roster((SHIPPED / "sample" / "roster.yaml").read_text(encoding="utf-8"), "roster.yaml")
PEOPLE = {name: Person(name, name.title(), (name,)) for name in ("ana", "ben", "cai", "dan", "eva", "last")}
ROSTER = Roster(
    people=PEOPLE,
    roles={
        "commander": Role("commander", "", "ana", "ben"),
        "writer": Role("writer", "", "cai", "dan"),
        "engineer": Role("engineer", "", "dan", "eva"),
        "last-resort": Role("last-resort", "", "last", "ana"),
    },
    public={"site": PublicChannel("site", "official-site", "en", sandbox=True)},
)
HEAD = "id: p\ntitle: P\ncommander: commander\nlast_resort: last-resort\nstages:\n"
Line = tuple[float, str, str, str]


def playbook(steps: str, stage: str = "id: s, title: S, starts: 0m, ends: 2h", head: str = HEAD) -> Playbook:
    body = "\n".join(f"      - {{{step}}}" for step in steps.strip().splitlines())
    fields = "\n    ".join(stage.split(", "))
    return parse_playbook(f"{head}  - {fields}\n    steps:\n{body}\n", "p.yaml")


def cast(**parts: PersonaManner) -> PersonaSet:
    """Everyone answers in one minute and works for two, but for those who have another part."""
    return PersonaSet({name: Persona(name, parts.get(name, PersonaManner.PROMPT), 1.0, 2.0) for name in PEOPLE})


def expected(
    plan: Playbook,
    behaviour: OwnerBehaviour,
    *,
    closes: float = 90,
    slack: float = 0,
    roster: Roster = ROSTER,
    **about: str,
) -> RehearsalExpectation:
    clocks = RehearsalClocks(exact_moment(closes * 60), closes * 60 + 86_400)
    return compute_expectation(plan, roster, behaviour, clocks, about, slack=slack * 60, prompt=slack * 30)


def required(found: RehearsalExpectation) -> list[Line]:
    return [(due.window.lo / 60, due.step, str(due.purpose), due.person) for due in found.required]


def allowed(found: RehearsalExpectation) -> set[tuple[str, str, str]]:
    return {due.key for due in found.dues if not due.least}


ACT = "id: a, kind: act, title: A, owner: engineer, due: 1h, ack_within: 5m, remind: 10m"


def test_an_owner_who_answers_is_called_once() -> None:
    found = expected(playbook(ACT), cast())
    assert required(found) == [(0, "s/a", "assign", "dan")]
    assert allowed(found) == set()
    assert found.courses["s/a"].done == exact_moment(3 * 60)


def test_an_absent_owner_is_relieved_by_the_backup() -> None:
    found = expected(playbook(ACT), cast(dan=PersonaManner.ABSENT))
    assert required(found) == [(0, "s/a", "assign", "dan"), (5, "s/a", "backup", "eva")]
    assert found.courses["s/a"].done_by == "eva"
    assert found.courses["s/a"].done == exact_moment(8 * 60)


def test_someone_late_answers_after_the_backup_was_called_and_finishes_when_reminded() -> None:
    found = expected(playbook(ACT), cast(dan=PersonaManner.LATE))
    assert required(found) == [
        (0, "s/a", "assign", "dan"),
        (5, "s/a", "backup", "eva"),
        (16, "s/a", "remind", "dan"),
    ]
    assert found.courses["s/a"].done == exact_moment(17 * 60)


def test_nobody_answers_and_everyone_is_called_up_to_the_last_resort_and_at_the_deadline() -> None:
    away = dict.fromkeys(PEOPLE, PersonaManner.ABSENT)
    found = expected(playbook(ACT), cast(**away))
    assert required(found) == [
        (0, "s/a", "assign", "dan"),
        (5, "s/a", "backup", "eva"),
        (10, "s/a", "commander", "ana"),
        (15, "s/a", "last-resort", "last"),
        (25, "s/a", "remind", "dan"),
        (25, "s/a", "remind", "last"),
        (60, "s/a", "overdue", "ana"),
        (60, "s/a", "overdue", "dan"),
        (60, "s/a", "overdue", "eva"),
    ]
    assert {due.least for due in found.required if due.purpose == "remind"} == {4}, "at 25, 35, 45 and 55"


def test_a_backup_that_the_roster_lacks_is_a_call_that_cannot_be_made() -> None:
    roles = {**ROSTER.roles, "engineer": Role("engineer", "", "dan")}
    lacking = Roster(people=PEOPLE, roles=roles, public=ROSTER.public)
    found = expected(playbook(ACT), cast(dan=PersonaManner.ABSENT), roster=lacking)
    assert required(found) == [
        (0, "s/a", "assign", "dan"),
        (5, "s/a", "backup", ""),
        (5, "s/a", "commander", "ana"),
    ]
    assert [due.cannot for due in found.required if not due.person] == ["the role engineer has no backup"]
    assert found.gaps == ("s/a: backup to nobody: there is no backup for the role engineer; name one in roster.yaml",)


STATEMENT = """
id: draft, kind: draft, title: D, owner: writer, tell: [engineer], due: 30m, ack_within: 5m
id: approve, kind: approve, title: A, owner: commander, of: draft, needs: [draft], due: 40m, ack_within: 5m
id: publish, kind: publish, title: P, owner: writer, of: draft, needs: [approve], due: 50m, remind: 5m
"""


def test_a_statement_goes_from_its_author_to_its_approver_to_every_channel() -> None:
    found = expected(playbook(STATEMENT), cast())
    assert required(found) == [
        (0, "s/draft", "assign", "cai"),
        (0, "s/draft", "inform", "dan"),
        (3, "s/approve", "assign", "ana"),
    ]
    assert [(p.step, p.channel, p.window.lo / 60) for p in found.postings] == [("s/publish", "site", 6)]


def test_rounds_are_called_again_until_the_close() -> None:
    stage = "id: r, title: R, starts: 30m, ends: 4h, repeat: 30m"
    found = expected(playbook("id: t, kind: tell, title: T, owner: writer, brief: true", stage), cast(), closes=100)
    assert required(found) == [
        (30, "r/t", "brief", "cai"),
        (60, "r/t#2", "brief", "cai"),
        (90, "r/t#3", "brief", "cai"),
    ]


def test_what_does_not_apply_is_skipped_and_what_needs_it_goes_on() -> None:
    steps = """
id: a, kind: act, title: A, owner: engineer, due: 1h, when: {kind: [outage]}
id: b, kind: act, title: B, owner: writer, due: 1h, needs: [a]
"""
    assert required(expected(playbook(steps), cast())) == [(0, "s/b", "assign", "cai")]
    assert required(expected(playbook(steps), cast(), kind="outage")) == [
        (0, "s/a", "assign", "dan"),
        (3, "s/b", "assign", "cai"),
    ]


def test_a_closing_stage_begins_with_the_close() -> None:
    steps = "id: report, kind: act, title: R, owner: commander, due: 3h, ack_within: 30m"
    found = expected(playbook(steps, "id: c, title: C, from: closed, starts: 0m, ends: 4h"), cast(), closes=90)
    assert required(found) == [(90, "c/report", "assign", "ana")]


def test_silence_is_broken_by_the_commander_then_by_the_executive() -> None:
    watch = "never_silent: {within: 20m, then: 10m, first: commander, after: engineer}\nstages:\n"
    found = expected(playbook(ACT, head=HEAD.replace("stages:\n", watch)), cast(), closes=45)
    assert [line for line in required(found) if line[2] == "silence"] == [
        (20, "", "silence", "ana"),
        (30, "", "silence", "dan"),
    ]
    times = {due.person: (due.least, due.most) for due in found.required if due.purpose == "silence"}
    assert times == {"ana": (2, 2), "dan": (1, 1)}


def test_a_late_acknowledgement_makes_the_next_call_possible_not_due() -> None:
    """The window is 5 minutes; the answer came within half a minute of its end."""
    when = TimeBounds(5.2 * 60, 5.4 * 60)
    deeds = OwnerActions(
        {"s/a": OwnerAction("dan", when)}, {"s/a": OwnerAction("dan", when.plus(60))}, {("s/a", "assign", "dan"): 60.0}
    )
    found = expected(playbook(ACT), deeds, slack=2)
    assert required(found) == [(0, "s/a", "assign", "dan")]
    assert allowed(found) == {("s/a", "backup", "eva")}


def test_a_commander_who_was_called_proves_that_the_backup_was_due() -> None:
    when = exact_moment(11 * 60)
    heard = {("s/a", "assign", "dan"): 12.0, ("s/a", "commander", "ana"): 10.2 * 60}
    deeds = OwnerActions({"s/a": OwnerAction("ana", when)}, {"s/a": OwnerAction("ana", when.plus(60))}, heard)
    assert (5, "s/a", "backup", "eva") in required(expected(playbook(ACT), deeds, slack=8))


def test_the_four_hour_response_as_its_mission_says() -> None:
    """Nobody absent, nobody late: what must be public, when, and who is told."""
    plan = PlaybookLibrary().get("four-hour-response")
    order = RehearsalRequest(plan)
    found = compute_expectation(
        plan, SAMPLE, PersonaSet(), RehearsalClocks(exact_moment(order.closes_at), order.closes_at + 86_400), {}
    )
    assert order.closes_at == (4 * 60 + 20) * 60
    published = sorted({(posting.step, posting.window.lo / 3600 < by) for posting in found.postings for by in (4,)})
    assert published == [
        ("apology/publish", True),
        ("briefing/publish-measures", True),
        ("compensation/publish", True),
        *((f"updates/publish{n}", True) for n in ("", "#2", "#3", "#4", "#5")),
    ]
    begun = {line[1:]: line[0] for line in required(found)}
    for minute, step, purpose, person in (
        (0, "apology/agents", "inform", "agents"),
        (0, "apology/draft", "assign", "chenyu"),
        (0, "apology/trace", "assign", "fenglei"),
        (0, "apology/platform", "inform", "platform"),
        (30, "compensation/draft", "assign", "gaomin"),
        (30, "brief/paragraph", "brief", "wangjie"),
        (60, "briefing/arrange", "assign", "chenyu"),
        (60, "containment/contain", "assign", "alice"),
        (90, "briefing/notes", "assign", "chenyu"),
        (120, "briefing/measures", "assign", "fenglei"),
        (180, "briefing/hold", "assign", "chenyu"),
        (210, "brief/paragraph#4", "brief", "wangjie"),
        (260, "closing/report", "assign", "alice"),
    ):
        assert begun[step, purpose, person] == minute, step
    assert found.gaps == ()


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_cast_has_one_absent_owner_and_one_late_and_shows_backup_and_reminder(seed: int) -> None:
    plan = PlaybookLibrary().get("four-hour-response")
    clocks = RehearsalClocks(exact_moment(RehearsalRequest(plan).closes_at), 10**6)
    chosen = choose_personas(plan, SAMPLE, {}, clocks, seed)
    assert chosen == choose_personas(plan, SAMPLE, {}, clocks, seed)
    (absent,), (late,) = chosen.people_with(PersonaManner.ABSENT), chosen.people_with(PersonaManner.LATE)
    found = compute_expectation(plan, SAMPLE, chosen, clocks, {})
    assert {due.purpose for due in found.required} >= {"assign", "backup", "remind", "inform", "brief"}
    assert absent not in {course.taken_by for course in found.courses.values()}
    assert late in {course.taken_by for course in found.courses.values()}
    assert all(course.done.hi <= course.laid.due.lo for course in found.courses.values())
