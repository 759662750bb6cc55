"""Broken rule files: each case one sentence, and exactly what its reader is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.errors import BadFile, FileFinding
from playbooks.rule_amounts import NotAnAmount, parse_amount
from playbooks.rule_loader import RuleFile, RuleVocabulary, parse_rule, parse_values
from tests.unit.broken_rules import CASES, CHANGE, GOOD, bad

HOUSE = RuleVocabulary(playbooks=["standby-agents", "process-retrospective"])


def findings(text: str) -> tuple[FileFinding, ...]:
    with pytest.raises(BadFile) as caught:
        parse_rule(text, "r.yaml", HOUSE)
    return caught.value.findings


@pytest.mark.parametrize(("says", "text", "where", "reason", "remedy"), CASES, ids=[row[0] for row in CASES])
def test_a_broken_rule_says(says: str, text: str, where: tuple[int, str], reason: str, remedy: str) -> None:
    found = findings(text)
    hit = [finding for finding in found if (finding.line, finding.field) == where]
    assert hit, f"not at {where}: {[str(finding) for finding in found]}"
    assert reason in hit[0].reason, hit[0]
    assert remedy in hit[0].remedy, hit[0]
    assert hit[0].file == "r.yaml"


def test_the_good_ones_are_good() -> None:
    assert parse_rule(GOOD, "r.yaml", HOUSE).rule.levels[0].recover == 25
    assert [level.threshold for level in parse_rule(CHANGE, "r.yaml", HOUSE).rule.levels] == [0.5, 1.0]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = bad("window: 2m", "window: 5s", bad("recover: 25s", "recover: 35s")) + "by: [servce]\nstarts: none\n"
    assert [finding.line for finding in findings(text)] == [4, 6, 8, 9]


def test_a_rule_is_short_words_even_of_ten_megabytes_of_threshold() -> None:
    (finding,) = findings(bad("above: 30s", f"above: {'9' * 900_000}"))
    assert len(str(finding)) <= 300


@pytest.mark.parametrize(
    ("written", "number", "unit"),
    [
        (30, 30, ""), ("30", 30, ""), ("0.85", 0.85, ""), (".5", 0.5, ""), ("-5", -5, ""), ("85%", 85, "%"),
        ("85 %", 85, "%"), ("30s", 30, "s"), ("1m30s", 90, "s"), ("250ms", 0.25, "s"), ("1.5s", 1.5, "s"),
        ("10 points", 10, "points"), ("1 point", 1, "points"), ("PT2M", 120, "s"),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(written: object, number: float, unit: str) -> None:
    found = parse_amount(written)
    assert (found.number, found.unit) == (number, unit)


@pytest.mark.parametrize(
    "written", [True, None, "", "1e9", "1,5", "85%%", "--1", "nan", "0x10", [], "1_000", "５０%", "9" * 41]
)
def test_what_is_no_number(written: object) -> None:
    with pytest.raises(NotAnAmount, match="is not a number; for example"):
        parse_amount(written)


def test_figures_in_short() -> None:
    assert list(parse_values("3x3 9 _x2 20+5x3 20-5x2 -1.5")) == [3, 3, 3, 9, None, None, 20, 25, 30, 20, 15, -1.5]
    assert list(parse_values("")) == []
    for wrong in ("3x", "x3", "_+1x3", "3 x 3", "1e5", "a"):
        with pytest.raises(ValueError, match="is not a figure"):
            list(parse_values(wrong))
    with pytest.raises(ValueError, match="more than 100000"):
        list(parse_values("1x99999 1x99999"))


@given(
    st.text(max_size=300)
    | st.lists(
        st.sampled_from([*GOOD.splitlines(), *CHANGE.splitlines(), "tests: []", "by: [a]", "- ", "&a", "*a", "{", "]"])
    ).map("\n".join)
)
def test_whatever_the_text_it_loads_or_is_refused_with_findings(text: str) -> None:
    found: tuple[FileFinding, ...] = ()
    said = ""
    try:
        assert isinstance(parse_rule(text, "r.yaml", HOUSE), RuleFile)
    except BadFile as error:
        found, said = error.findings, str(error)
    assert len(said.split("\n")) == max(1, len(found))
    assert all(len(line) <= 300 for line in said.split("\n"))
