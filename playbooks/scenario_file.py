"""The library of sudden situations: shipped files, a class each, and the home's own in `scenarios/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from domain.durations import parse_duration
from domain.tabletop.scenario import Category, Effect, Injection, Question, Scale, Scenario
from domain.text import Text
from playbooks.errors import BadFile, Finding, quoted
from playbooks.explain import nearest, read_form
from playbooks.models import Duration, Form, Id, Words2
from playbooks.source import Source, read_text

SHIPPED = Path(__file__).parent / "scenarios"


class InjectionForm(Form):
    """One thing that happens."""

    id: Id = Field(description="Its name.", examples=["press-calls"])
    at: Duration = Field(description="Since the declaration.", examples=["15m"])
    effect: Annotated[Effect, Field(strict=False)] = Field(
        description="message, unreachable, reject or incident.", examples=["message"]
    )
    text: Words2 = Field(description="What whoever hears of it is told.", examples=["A reporter calls."])
    to: str = Field("", max_length=64, description="The role.", examples=["pr-lead"])
    step: str = Field("", max_length=130, description="Of a rejection: stage/step.", examples=["apology/approve"])
    playbook: str = Field("", max_length=64, description="Of a second incident.", examples=["service-outage"])
    within: Duration | None = Field(None, description="Acknowledged within.", examples=["5m"])
    due: Duration | None = Field(None, description="Answered within.", examples=["20m"])


class QuestionForm(Form):
    """What an observer is asked."""

    id: Id = Field(description="Its name.", examples=["regret"])
    scale: Annotated[Scale, Field(strict=False)] = Field(
        description="adaptability, manner or skill.", examples=["manner"]
    )
    text: Words2 = Field(description="The question.", examples=["Was regret expressed first?"])


class ScenarioForm(Form):
    """A sudden situation."""

    id: Id = Field(description="Its name.", examples=["second-outage"])
    title: Words2 = Field(description="In a line.", examples=["A second outage"])
    story: Words2 = Field(description="What everybody knows at the beginning.", examples=["Checkout is down."])
    playbook: Id = Field("four-hour-response", description="What is rehearsed.", examples=["service-outage"])
    injections: list[InjectionForm] = Field(min_length=1, max_length=20, description="In time.", examples=["[...]"])
    questions: list[QuestionForm] = Field([], max_length=20, description="Beside the usual.", examples=["[...]"])


class ScenariosForm(Form):
    """The situations of a class."""

    category: Annotated[Category, Field(strict=False)] = Field(
        description="technology, opinion, people, customers or partners.", examples=["people"]
    )
    scenarios: list[ScenarioForm] = Field(min_length=1, description="The situations.", examples=["[...]"])


def read_scenarios(path: Path) -> list[Scenario]:
    """The situations of one file.

    Raises:
        BadFile: unreadable, broken, or one that contradicts itself.
    """
    form = read_form(ScenariosForm, read_text(path), str(path), _wrong)
    return [_built(form.category, one) for one in form.scenarios]


def library(home: Path | None = None) -> dict[str, Scenario]:
    """Every situation by its id, shipped ones first; one of the home replaces a shipped one of its name.

    Raises:
        BadFile: one of the files.
    """
    folders = [SHIPPED, *([home / "scenarios"] if home is not None else [])]
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml"))]
    return {one.id: one for file in files for one in read_scenarios(file)}


def find(home: Path | None, name: str) -> Scenario:
    """The situation of that name.

    Raises:
        BadFile: there is none, or a file is broken.
    """
    known = library(home)
    if name not in known:
        near = nearest(name, known)
        remedy = f"did you mean {near}?" if near else "`tocsin rehearse --scenarios` lists them"
        raise BadFile([Finding("--scenario", None, "", f"no scenario {quoted(name)}", remedy)])
    return known[name]


_NEEDS = {
    Effect.MESSAGE: ("to", "within"), Effect.UNREACHABLE: ("to", "within"), Effect.REJECT: ("step", "due"),
    Effect.INCIDENT: ("playbook", "within"),
}  # fmt: skip


def _wrong(form: ScenariosForm, found: Source) -> Iterator[Finding]:
    for place, scenario in enumerate(form.scenarios):
        for number, injection in enumerate(scenario.injections):
            for name in _NEEDS[injection.effect]:
                if not getattr(injection, name):
                    at = ("scenarios", place, "injections", number, name)
                    yield found.finding(at, f"is missing, and a {injection.effect} needs it", f"{name}: ...")


def _built(category: Category, form: ScenarioForm) -> Scenario:
    return Scenario(
        id=form.id, category=category, title=_text(form.title), story=_text(form.story), playbook=form.playbook,
        injections=tuple(_injection(one) for one in form.injections),
        questions=tuple(Question(one.id, one.scale, _text(one.text)) for one in form.questions),
    )  # fmt: skip


def _injection(form: InjectionForm) -> Injection:
    return Injection(
        id=form.id, at=parse_duration(form.at), effect=form.effect, text=_text(form.text), to=form.to, step=form.step,
        playbook=form.playbook, within=parse_duration(form.within) if form.within else None,
        due=parse_duration(form.due) if form.due else None,
    )  # fmt: skip


def _text(form: Words2) -> Text:
    return Text(form.en, form.zh)
