"""Sudden situations: the library is whole, what is known is scored, and what is not known is never invented."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from domain.tabletop.scenario import (
    STANDARD_QUESTIONS,
    WEIGHTS,
    InjectionEffect,
    ObserverQuestion,
    ScenarioCategory,
    ScoringScale,
)
from domain.tabletop.scoring import ScoredItem, score_answers, score_items, score_timeliness
from domain.text import Text
from playbooks.errors import BadFile
from playbooks.playbook_library import PlaybookLibrary
from playbooks.scenario_file import find_scenario, load_scenarios, read_scenarios

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "playbooks" / "catalog"
ONE = """
category: people
scenarios:
  - id: gone
    title: Gone
    story: Nobody knew.
    injections:
      - {id: away, at: 5m, effect: unreachable, to: technology-lead, text: On a plane., within: 15m}
"""


def test_the_library_has_twenty_situations_and_more_in_five_classes() -> None:
    found = load_scenarios()
    assert len(found) >= 20
    assert set(Counter(one.category for one in found.values())) == set(ScenarioCategory)
    assert {it.effect for one in found.values() for it in one.injections} == set(InjectionEffect)
    for one in found.values():
        texts = [one.title, one.story, *(it.text for it in one.injections), *(it.text for it in one.questions)]
        assert all(text.en and text.zh for text in texts), f"{one.id} is not in both languages"
        assert len({it.id for it in one.injections}) == len(one.injections)
        assert len({it.id for it in one.asked}) == len(one.asked), "a question is asked once"


def test_every_situation_fits_the_shipped_playbooks_and_roles() -> None:
    catalog, roles = PlaybookLibrary(CATALOG), (ROOT / "playbooks" / "sample" / "roster.yaml").read_text()
    for one in load_scenarios().values():
        playbook = catalog.get(one.playbook)
        for it in one.injections:
            assert not it.to or f"  {it.to}: {{title" in roles, f"{one.id}: nobody holds {it.to}"
            if it.effect is InjectionEffect.INCIDENT:
                catalog.get(it.playbook)
            if it.effect is InjectionEffect.REJECT:
                assert playbook.step(*it.step.split("/")).kind == "approve"


def test_a_home_adds_and_replaces(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "ours.yaml").write_text(ONE)
    assert len(load_scenarios(tmp_path)) == len(load_scenarios()) + 1
    assert find_scenario(tmp_path, "gone").lasts.total_seconds() == (5 + 15 + 5) * 60
    with pytest.raises(BadFile, match="did you mean gone"):
        find_scenario(tmp_path, "gonne")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("effect: unreachable, to: technology-lead,", "effect: unreachable,", "to: is missing"),
        ("effect: unreachable", "effect: vanish", "effect"),
        (", within: 15m", "", "within: is missing"),
        ("category: people", "category: weather", "category"),
        ("at: 5m", "at: soon", "at"),
    ],
)
def test_a_broken_one_says_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(ONE.replace(old, new))
    with pytest.raises(BadFile, match=said) as caught:
        read_scenarios(file)
    assert ":3" in str(caught.value) or ":2" in str(caught.value) or ":8" in str(caught.value), "no line"


def item(scale: ScoringScale, share: float | None, name: str = "i") -> ScoredItem:
    return ScoredItem(name, scale, Text("t", "t"), share, measured=True)


def test_a_scale_is_the_mean_of_what_is_known_times_its_weight() -> None:
    found = score_items(
        [
            item(ScoringScale.ADAPTABILITY, 1.0),
            item(ScoringScale.ADAPTABILITY, 0.5),
            item(ScoringScale.ADAPTABILITY, None),
            item(ScoringScale.SKILL, 0.5),
            item(ScoringScale.MANNER, None),
        ]
    )
    by = {part.scale: part for part in found.parts}
    assert (
        by[ScoringScale.ADAPTABILITY].points,
        by[ScoringScale.ADAPTABILITY].known,
        by[ScoringScale.ADAPTABILITY].items,
    ) == (30.0, 2, 3)
    assert by[ScoringScale.SKILL].points == 15.0
    assert by[ScoringScale.MANNER].points is None, "never invented"
    assert (found.points, found.of) == (45.0, 70), "and left out of what could be had"
    assert sum(WEIGHTS.values()) == 100


def test_nothing_known_is_no_score() -> None:
    found = score_items([item(ScoringScale.SKILL, None)])
    assert (found.points, found.of) == (0.0, 0)


def test_answers_are_of_questions_and_within_bounds() -> None:
    questions = (*STANDARD_QUESTIONS, ObserverQuestion("own", ScoringScale.SKILL, Text("Own?")))
    items = {one.id: one for one in score_answers(questions, {"tone": 3, "own": 0})}
    assert (items["tone"].share, items["own"].share, items["means"].share) == (0.75, 0.0, None)
    with pytest.raises(ValueError, match="no question 'tune'"):
        score_answers(questions, {"tune": 3})
    with pytest.raises(ValueError, match="is not 0 to 4"):
        score_answers(questions, {"tone": 5})


@pytest.mark.parametrize(
    ("took", "share"), [(0, 1.0), (300, 1.0), (600, 0.5), (899, 0.0017), (900, 0.0), (5_000, 0.0), (None, 0.0)]
)
def test_late_is_worth_less_and_less(took: float | None, share: float) -> None:
    assert score_timeliness(took, 300) == pytest.approx(share, abs=1e-3)
