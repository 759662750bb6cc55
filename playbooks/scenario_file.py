"""Tabletop scenario files: shipped ones, a category each, and the home's own in `scenarios/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from domain.durations import parse_duration
from domain.tabletop.scenario import (
    Injection,
    InjectionEffect,
    ObserverQuestion,
    Scenario,
    ScenarioCategory,
    ScoringScale,
)
from domain.text import Text
from playbooks.errors import BadFile, FileFinding, quote_value
from playbooks.field_types import Duration, FileForm, Id, LocalizedWords
from playbooks.validation_messages import nearest_word, read_form
from playbooks.yaml_source import YamlSource, read_text

SHIPPED = Path(__file__).parent / "scenarios"


class InjectionForm(FileForm):
    """One event of a scenario."""

    id: Id = Field(description="Its name.", examples=["press-calls"])
    at: Duration = Field(description="Since the declaration.", examples=["15m"])
    effect: Annotated[InjectionEffect, Field(strict=False)] = Field(
        description="message, unreachable, reject or incident.", examples=["message"]
    )
    text: LocalizedWords = Field(description="What whoever hears of it is told.", examples=["A reporter calls."])
    to: str = Field("", max_length=64, description="The role.", examples=["pr-lead"])
    step: str = Field("", max_length=130, description="Of a rejection: stage/step.", examples=["apology/approve"])
    playbook: str = Field("", max_length=64, description="Of a second incident.", examples=["service-outage"])
    within: Duration | None = Field(None, description="Acknowledged within.", examples=["5m"])
    due: Duration | None = Field(None, description="Answered within.", examples=["20m"])


class QuestionForm(FileForm):
    """A question to the observer."""

    id: Id = Field(description="Its name.", examples=["regret"])
    scale: Annotated[ScoringScale, Field(strict=False)] = Field(
        description="adaptability, manner or skill.", examples=["manner"]
    )
    text: LocalizedWords = Field(description="The question.", examples=["Was regret expressed first?"])


class ScenarioForm(FileForm):
    """A scenario."""

    id: Id = Field(description="Its name.", examples=["second-outage"])
    title: LocalizedWords = Field(description="In a line.", examples=["A second outage"])
    story: LocalizedWords = Field(description="What everybody knows at the beginning.", examples=["Checkout is down."])
    playbook: Id = Field("four-hour-response", description="What is rehearsed.", examples=["service-outage"])
    injections: list[InjectionForm] = Field(min_length=1, max_length=20, description="In time.", examples=["[...]"])
    questions: list[QuestionForm] = Field([], max_length=20, description="Beside the usual.", examples=["[...]"])


class ScenariosForm(FileForm):
    """The scenarios of a category."""

    category: Annotated[ScenarioCategory, Field(strict=False)] = Field(
        description="technology, opinion, people, customers or partners.", examples=["people"]
    )
    scenarios: list[ScenarioForm] = Field(min_length=1, description="The situations.", examples=["[...]"])


def read_scenarios(path: Path) -> list[Scenario]:
    """Read the scenarios of one file.

    Raises:
        BadFile: unreadable, broken, or one that contradicts itself.
    """
    form = read_form(ScenariosForm, read_text(path), str(path), _wrong)
    return [_built(form.category, one) for one in form.scenarios]


def load_scenarios(home: Path | None = None) -> dict[str, Scenario]:
    """Load every scenario by its id, shipped ones first; one of the home replaces a shipped one of its name.

    Raises:
        BadFile: one of the files.
    """
    folders = [SHIPPED, *([home / "scenarios"] if home is not None else [])]
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml"))]
    return {one.id: one for file in files for one in read_scenarios(file)}


def find_scenario(home: Path | None, name: str) -> Scenario:
    """Return the scenario of that name.

    Raises:
        BadFile: there is none, or a file is broken.
    """
    known = load_scenarios(home)
    if name not in known:
        near = nearest_word(name, known)
        remedy = f"did you mean {near}?" if near else "`tocsin rehearse --scenarios` lists them"
        raise BadFile([FileFinding("--scenario", None, "", f"no scenario {quote_value(name)}", remedy)])
    return known[name]


_NEEDS = {
    InjectionEffect.MESSAGE: ("to", "within"),
    InjectionEffect.UNREACHABLE: ("to", "within"),
    InjectionEffect.REJECT: ("step", "due"),
    InjectionEffect.INCIDENT: ("playbook", "within"),
}


def _wrong(form: ScenariosForm, found: YamlSource) -> Iterator[FileFinding]:
    for place, scenario in enumerate(form.scenarios):
        for number, injection in enumerate(scenario.injections):
            for name in _NEEDS[injection.effect]:
                if not getattr(injection, name):
                    at = ("scenarios", place, "injections", number, name)
                    yield found.finding(at, f"is missing, and a {injection.effect} needs it", f"{name}: ...")


def _built(category: ScenarioCategory, form: ScenarioForm) -> Scenario:
    return Scenario(
        id=form.id, category=category, title=_text(form.title), story=_text(form.story), playbook=form.playbook,
        injections=tuple(_injection(one) for one in form.injections),
        questions=tuple(ObserverQuestion(one.id, one.scale, _text(one.text)) for one in form.questions),
    )  # fmt: skip


def _injection(form: InjectionForm) -> Injection:
    return Injection(
        id=form.id, at=parse_duration(form.at), effect=form.effect, text=_text(form.text), to=form.to, step=form.step,
        playbook=form.playbook, within=parse_duration(form.within) if form.within else None,
        due=parse_duration(form.due) if form.due else None,
    )  # fmt: skip


def _text(form: LocalizedWords) -> Text:
    return Text(form.en, form.zh)
