"""Sudden situations: the library is whole, what is known is scored, and what is not known is never invented."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from domain.tabletop.scenario import USUAL, WEIGHTS, Category, Effect, Question, Scale
from domain.tabletop.scoring import Item, answered, score, timely
from domain.text import Text
from playbooks.errors import BadFile
from playbooks.library import Library
from playbooks.scenario_file import find, library, read_scenarios

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
    found = library()
    assert len(found) >= 20
    assert set(Counter(one.category for one in found.values())) == set(Category)
    assert {it.effect for one in found.values() for it in one.injections} == set(Effect)
    for one in found.values():
        texts = [one.title, one.story, *(it.text for it in one.injections), *(it.text for it in one.questions)]
        assert all(text.en and text.zh for text in texts), f"{one.id} is not in both languages"
        assert len({it.id for it in one.injections}) == len(one.injections)
        assert len({it.id for it in one.asked}) == len(one.asked), "a question is asked once"


def test_every_situation_fits_the_shipped_playbooks_and_roles() -> None:
    catalog, roles = Library(CATALOG), (ROOT / "playbooks" / "sample" / "roster.yaml").read_text()
    for one in library().values():
        playbook = catalog.get(one.playbook)
        for it in one.injections:
            assert not it.to or f"  {it.to}: {{title" in roles, f"{one.id}: nobody holds {it.to}"
            if it.effect is Effect.INCIDENT:
                catalog.get(it.playbook)
            if it.effect is Effect.REJECT:
                assert playbook.step(*it.step.split("/")).kind == "approve"


def test_a_home_adds_and_replaces(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "ours.yaml").write_text(ONE)
    assert len(library(tmp_path)) == len(library()) + 1
    assert find(tmp_path, "gone").lasts.total_seconds() == (5 + 15 + 5) * 60
    with pytest.raises(BadFile, match="did you mean gone"):
        find(tmp_path, "gonne")


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


def item(scale: Scale, share: float | None, name: str = "i") -> Item:
    return Item(name, scale, Text("t", "t"), share, measured=True)


def test_a_scale_is_the_mean_of_what_is_known_times_its_weight() -> None:
    found = score([
        item(Scale.ADAPTABILITY, 1.0), item(Scale.ADAPTABILITY, 0.5), item(Scale.ADAPTABILITY, None),
        item(Scale.SKILL, 0.5), item(Scale.MANNER, None),
    ])  # fmt: skip
    by = {part.scale: part for part in found.parts}
    assert (by[Scale.ADAPTABILITY].points, by[Scale.ADAPTABILITY].known, by[Scale.ADAPTABILITY].items) == (30.0, 2, 3)
    assert by[Scale.SKILL].points == 15.0
    assert by[Scale.MANNER].points is None, "never invented"
    assert (found.points, found.of) == (45.0, 70), "and left out of what could be had"
    assert sum(WEIGHTS.values()) == 100


def test_nothing_known_is_no_score() -> None:
    found = score([item(Scale.SKILL, None)])
    assert (found.points, found.of) == (0.0, 0)


def test_answers_are_of_questions_and_within_bounds() -> None:
    questions = (*USUAL, Question("own", Scale.SKILL, Text("Own?")))
    items = {one.id: one for one in answered(questions, {"tone": 3, "own": 0})}
    assert (items["tone"].share, items["own"].share, items["means"].share) == (0.75, 0.0, None)
    with pytest.raises(ValueError, match="no question 'tune'"):
        answered(questions, {"tune": 3})
    with pytest.raises(ValueError, match="is not 0 to 4"):
        answered(questions, {"tone": 5})


@pytest.mark.parametrize(
    ("took", "share"), [(0, 1.0), (300, 1.0), (600, 0.5), (899, 0.0017), (900, 0.0), (5_000, 0.0), (None, 0.0)]
)
def test_late_is_worth_less_and_less(took: float | None, share: float) -> None:
    assert timely(took, 300) == pytest.approx(share, abs=1e-3)
