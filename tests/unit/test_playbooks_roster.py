"""The roster's file: whoever could not be reached as written is named with line and remedy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.playbook import Playbook, Stage, Step, StepKind, UpdateWatch
from domain.roster import Person, PublicChannel, Role, Roster
from domain.text import Text
from playbooks.errors import BadFile
from playbooks.playbook_library import PlaybookLibrary
from playbooks.roster_file import find_missing_roles, parse_roster

GOOD = """\
currency: CNY
people:
  alice: {name: Alice Zhang, channels: [alice, mail], timezone: Asia/Shanghai, approval_limit: 50000}
  bob: {name: 鲍勃, channels: ["alice#2"], language: zh_CN}
roles:
  incident-commander: {title: Incident commander, primary: alice, backup: bob}
public_channels:
  weibo: {channel: official-weibo, language: zh_CN, limit: 140, sandbox: true}
"""
TAGS = frozenset({"alice", "mail", "official-weibo"})

BROKEN = [
    ("a person without channels", "[alice, mail]", "[]", 3, "people.alice.channels", "no channel", "[alice]"),
    (
        "no word of channels",
        "channels: [alice, mail], ",
        "",
        3,
        "people.alice.channels",
        "missing",
        "[alice]",
    ),
    (
        "an unknown tag",
        "[alice, mail]",
        "[alice, mial]",
        3,
        "people.alice.channels[1]",
        "'mial'",
        "mean mail?",
    ),
    (
        "an unknown official tag",
        "official-weibo",
        "weibo",
        8,
        "public_channels.weibo.channel",
        "'weibo'",
        "official-weibo?",
    ),
    (
        "a role naming nobody",
        "backup: bob",
        "backup: bop",
        6,
        "roles.incident-commander.backup",
        "'bop'",
        "mean bob?",
    ),
    (
        "no primary",
        "primary: alice, ",
        "",
        6,
        "roles.incident-commander.primary",
        "missing",
        "primary: alice",
    ),
    (
        "one's own backup",
        "backup: bob",
        "backup: alice",
        6,
        "roles.incident-commander.backup",
        "their own",
        "second",
    ),
    (
        "a bad time zone",
        "Asia/Shanghai",
        "Asia/Shangai",
        3,
        "people.alice.timezone",
        "'Asia/Shangai'",
        "Asia/Shanghai?",
    ),
    (
        "no time zone at all",
        "Asia/Shanghai",
        "../etc",
        3,
        "people.alice.timezone",
        "'../etc'",
        "Asia/Shanghai",
    ),
    (
        "a folder of zones",
        "Asia/Shanghai",
        "Asia",
        3,
        "people.alice.timezone",
        "no time zone",
        "timezone: Asia/Shanghai",
    ),
    (
        "a bad language",
        "language: zh_CN}\nroles",
        "language: zh}\nroles",
        4,
        "people.bob.language",
        "'zh'",
        "mean zh_CN?",
    ),
    (
        "an unknown key",
        "approval_limit",
        "aproval_limit",
        3,
        "people.alice.aproval_limit",
        "unknown",
        "approval_limit?",
    ),
    ("a limit in words", "50000", "50k", 3, "people.alice.approval_limit", "not a whole number", "50000"),
    ("a negative limit", "50000", "-1", 3, "people.alice.approval_limit", "too small", "0 or more"),
    (
        "no character at all",
        "limit: 140",
        "limit: 0",
        8,
        "public_channels.weibo.limit",
        "too small",
        "1 or more",
    ),
    ("a bad currency", "CNY", "yuan", 1, "currency", "'yuan' cannot", "currency: CNY"),
    ("a bad id of a person", "  bob:", "  Bob B:", 4, "people.Bob B", "'Bob B' cannot be used", "lower-case"),
    (
        "an unknown section",
        "public_channels",
        "public",
        7,
        "public",
        "unknown key",
        "did you mean public_channels?",
    ),
    ("a person twice", "  bob:", "  alice:", 4, "people.alice", "is there twice", "keep one"),
    (
        "a nameless person",
        "name: Alice Zhang",
        'name: ""',
        3,
        "people.alice.name",
        "is empty",
        "name: Alice Zhang",
    ),
]


def test_a_good_roster_is_what_it_says() -> None:
    assert parse_roster(GOOD, "roster.yaml", TAGS) == Roster(
        people={
            "alice": Person("alice", "Alice Zhang", ("alice", "mail"), "en", "Asia/Shanghai", 50_000),
            "bob": Person("bob", "鲍勃", ("alice#2",), "zh_CN"),
        },
        roles={"incident-commander": Role("incident-commander", "Incident commander", "alice", "bob")},
        public={"weibo": PublicChannel("weibo", "official-weibo", "zh_CN", 140, sandbox=True)},
        currency="CNY",
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "reason", "remedy"),
    [row[1:] for row in BROKEN],
    ids=[row[0] for row in BROKEN],
)
def test_a_broken_roster_says(old: str, new: str, line: int, field: str, reason: str, remedy: str) -> None:
    assert old in GOOD
    with pytest.raises(BadFile) as caught:
        parse_roster(GOOD.replace(old, new, 1), "roster.yaml", TAGS)
    hit = [finding for finding in caught.value.findings if (finding.line, finding.field) == (line, field)]
    assert hit, str(caught.value)
    assert reason in hit[0].reason
    assert remedy in hit[0].remedy


def test_without_known_tags_no_tag_is_judged() -> None:
    assert parse_roster(GOOD.replace("[alice, mail]", "[whatever]"), "roster.yaml")


@pytest.mark.parametrize("tags", [None, TAGS])
def test_an_address_in_place_of_a_tag_is_refused_and_its_password_not_repeated(
    tags: frozenset[str] | None,
) -> None:
    with pytest.raises(BadFile) as caught:
        parse_roster(GOOD.replace("[alice, mail]", '["mailto://me:hunter2@example.com"]'), "roster.yaml", tags)
    (finding,) = caught.value.findings
    assert (finding.line, finding.reason) == (3, "is an address, not a tag")
    assert "hunter2" not in repr(caught.value)


def test_an_address_as_a_key_is_not_repeated_either() -> None:
    with pytest.raises(BadFile) as caught:
        parse_roster(GOOD.replace("  bob:", '  "mailto://me:hunter2@example.com":'), "roster.yaml")
    assert "hunter2" not in repr(caught.value) + repr(caught.value.findings)


def test_what_a_playbook_names_and_the_roster_does_not_know_is_named() -> None:
    steps = (
        Step("a", StepKind.ACT, Text("A"), "incident-comander", backup="nobody"),
        Step("b", StepKind.TELL, Text("B"), "incident-commander", tell=("press",)),
        Step("c", StepKind.PUBLISH, Text("C"), "incident-commander", channels=("weibo", "webio")),
    )
    silence = UpdateWatch(timedelta(hours=1), timedelta(minutes=15))
    playbook = Playbook(
        "p",
        Text("P"),
        (Stage("s", Text("S"), steps, silence.within),),
        never_silent=silence,
        last_resort="nobody",
    )
    found = {
        (finding.field, finding.reason): finding.remedy
        for finding in find_missing_roles(playbook, parse_roster(GOOD, "r"))
    }
    assert set(found) == {
        ("stages[0].steps[0].owner", "no role 'incident-comander'"),
        ("stages[0].steps[0].backup", "no role 'nobody'"),
        ("stages[0].steps[1].tell", "no role 'press'"),
        ("never_silent.after", "no role 'executive'"),
        ("stages[0].steps[2].channels", "no official channel 'webio'"),
    }
    assert found["stages[0].steps[0].owner", "no role 'incident-comander'"].startswith(
        "did you mean incident-commander?"
    )
    assert found["stages[0].steps[2].channels", "no official channel 'webio'"] == "did you mean weibo?"


def test_an_empty_roster_lacks_every_role_of_a_shipped_playbook() -> None:
    playbook = PlaybookLibrary().get("four-hour-response")
    found = find_missing_roles(playbook, Roster())
    assert {finding.reason.split("'")[1] for finding in found} == set(playbook.roles())
    assert all(str(finding).startswith("playbook four-hour-response: ") for finding in found)
