"""Rule loader: from the text of a file to a checked rule with its trials, or to findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pendulum
from pendulum import DateTime
from pydantic import BaseModel

from domain.durations import parse_duration
from domain.warning.metrics import LABELS, METRICS, Metric
from domain.warning.rule import Rule
from domain.warning.rule_checks import check_rule
from domain.warning.rule_trial import RuleTrial, TrialExpectation, TrialSeries
from playbooks.errors import BadFile, FileFinding, quote_value
from playbooks.rule_document import RuleMistakes, build_rule
from playbooks.rule_models import RuleForm, RuleTestForm, SeriesForm
from playbooks.validation_messages import nearest_word, suggest_choice, validate_form
from playbooks.yaml_source import YamlSource, read_text, read_yaml

F = TypeVar("F", bound=BaseModel)
MOST_VALUES = 100_000  # of one test: two weeks by the 10 s
LONGEST_TEST = timedelta(days=35)
_PIECE = re.compile(r"(_|-?\d+(?:\.\d+)?)(?:([+-]\d+(?:\.\d+)?))?(?:x(\d{1,6}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RuleVocabulary:
    """Names that a rule file may use. `playbooks`: None where it is not known, so not checked."""

    metrics: Mapping[str, Metric] = field(default_factory=lambda: METRICS)
    labels: Collection[str] = LABELS
    playbooks: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A rule with the trials that its file brings along."""

    rule: Rule
    trials: tuple[RuleTrial, ...] = ()
    source: str = ""


def parse_rule(text: str, source: str, installation: RuleVocabulary | None = None) -> RuleFile:
    """Parse the rule that `text` describes. `source` is the file's name, for errors.

    Raises:
        BadFile: broken YAML, unknown keys, values that do not fit, or a rule that could not work.
    """
    installation = installation or RuleVocabulary()
    found = read_yaml(text, source)
    form = validate_form(RuleForm, found)
    mistakes = RuleMistakes()
    rule = build_rule(form, installation.metrics, mistakes)
    _names(form, installation, mistakes)
    trials = tuple(_trial(one, place, form, installation, mistakes) for place, one in enumerate(form.tests))
    if rule is not None:
        mistakes.found += [
            (one.path, one.reason, one.remedy) for one in check_rule(rule, installation.metrics[rule.metric])
        ]
    raise_mistakes(mistakes, found)
    assert rule is not None  # noqa: S101 - else there was a mistake; this tells the type checker
    return RuleFile(rule, trials, source)


def load_rule(path: Path, installation: RuleVocabulary | None = None) -> RuleFile:
    """Load the rule of a file.

    Raises:
        BadFile: as `parse_rule`, or the file cannot be read.
    """
    return parse_rule(read_text(path), str(path), installation)


def raise_mistakes(mistakes: RuleMistakes, found: YamlSource) -> None:
    """Raise BadFile if there are mistakes, in the order of the file."""
    if mistakes.found:
        findings: dict[FileFinding, None] = {found.finding(*one): None for one in mistakes.found}
        raise BadFile(sorted(findings, key=lambda finding: finding.line or 0))


def parse_rule_moment(text: str, path: tuple[str | int, ...], mistakes: RuleMistakes) -> DateTime:
    """Parse a time of a file; its offset is kept."""
    try:
        at = pendulum.parse(text)
    except ValueError:
        at = None
    if isinstance(at, DateTime):
        return at
    mistakes.add(path, f"{quote_value(text)} is no moment", "for example 2026-11-10T20:00:00+08:00")
    return pendulum.datetime(2026, 1, 1)


def _names(form: RuleForm, installation: RuleVocabulary, mistakes: RuleMistakes) -> None:
    for place, name in enumerate(form.by):
        _label(name, ("by", place), installation, mistakes)
        if name in form.by[:place]:
            mistakes.add(("by", place), f"label {name} is there twice", "once is enough")
    for name in form.labels:
        _label(name, ("labels", name), installation, mistakes)
    wanted = form.starts.playbook if form.starts else None
    if wanted is not None and installation.playbooks is not None and wanted not in installation.playbooks:
        mistakes.add(("starts",), f"no playbook {quote_value(wanted)}", suggest_choice(wanted, installation.playbooks))


def _label(name: str, path: tuple[str | int, ...], installation: RuleVocabulary, mistakes: RuleMistakes) -> None:
    if name not in installation.labels:
        near = nearest_word(name, installation.labels)
        remedy = f"did you mean {near}?" if near else "declare it under labels: in metrics.yaml"
        mistakes.add(path, f"no label {quote_value(name)}", remedy)


def _trial(
    form: RuleTestForm, place: int, rule: RuleForm, installation: RuleVocabulary, mistakes: RuleMistakes
) -> RuleTrial:
    at = ("tests", place)
    lines = tuple(
        _line(one, (*at, "series", number), rule, installation, mistakes) for number, one in enumerate(form.series)
    )
    expect = tuple(
        TrialExpectation(parse_duration(one.at), one.phase, one.tier, dict(one.labels)) for one in form.expect
    )
    for number, one in enumerate(form.expect):
        for name in set(one.labels) - set(rule.by):
            mistakes.add((*at, "expect", number, "labels", name), "is no label of `by`", suggest_choice(name, rule.by))
    if not expect and not form.never_fires:
        mistakes.add((*at, "expect"), "expects nothing", "expect: [{at: 5m, phase: firing}], or never_fires: true")
    if sum(len(line.values) * max(line.weeks, 1) for line in lines) > MOST_VALUES:
        mistakes.add((*at, "series"), f"has more than {MOST_VALUES} figures", "every: 1m instead of 10s")
    start = parse_rule_moment(form.start, (*at, "start"), mistakes)
    trial = RuleTrial(form.name, lines, expect, start, frozenset(form.holidays), form.never_fires)
    if trial.lasts > LONGEST_TEST:
        mistakes.add(at, "lasts longer than 35 days", "a shorter test")
    return trial


def _line(
    form: SeriesForm, at: tuple[str | int, ...], rule: RuleForm, installation: RuleVocabulary, mistakes: RuleMistakes
) -> TrialSeries:
    if form.metric is not None and form.metric not in (rule.metric, rule.per):
        known = [name for name in (rule.metric, rule.per) if name]
        mistakes.add(
            (*at, "metric"), f"the rule does not look at {quote_value(form.metric)}", suggest_choice(form.metric, known)
        )
    for name in form.labels:
        _label(name, (*at, "labels", name), installation, mistakes)
    count = form.count
    if count.unit or count.number <= 0:
        mistakes.add((*at, "count"), f"{quote_value(count.text)} is no number of events", "count: 20")
    every = parse_duration(form.every)
    if every < timedelta(seconds=1):
        mistakes.add((*at, "every"), "is no time from one sample to the next", "every: 10s")
    return TrialSeries(
        form.metric or rule.metric,
        tuple(_told(lambda: list(parse_values(form.values)), (*at, "values"), mistakes, [])),
        every,
        _told(lambda: _signed(form.starts), (*at, "starts"), mistakes, timedelta(0)),
        dict(form.labels),
        count.number,
        form.weeks,
    )


T = TypeVar("T")


def _told(read: Callable[[], T], path: tuple[str | int, ...], mistakes: RuleMistakes, instead: T) -> T:
    try:
        return read()
    except ValueError as error:
        reason, _, remedy = str(error).partition("; ")
        mistakes.add(path, reason, remedy)
        return instead


def _signed(text: str) -> timedelta:
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)


def parse_values(text: str) -> Iterator[float | None]:
    """Parse short figures: `3x10` is 3 ten times, `20+5x4` is 20 25 30 35, `_` is a gap, `_x6` six of them.

    Raises:
        ValueError: anything else; the message says what would be right.
    """
    told = 0
    for piece in text.split():
        match = _PIECE.fullmatch(piece)
        if match is None or (match[1] == "_" and match[2]):
            raise ValueError(
                f"{quote_value(piece)} is not a figure; write 3x10 for ten times 3, 20+5x4, or _ for a gap"
            )
        times = int(match[3] or 1)
        told += times
        if told > MOST_VALUES:
            raise ValueError(f"has more than {MOST_VALUES} figures; every: 1m instead of 10s")
        step = float(match[2] or 0)
        for number in range(times):
            yield None if match[1] == "_" else float(match[1]) + step * number


def rule_json_schema() -> dict[str, Any]:
    """Return the JSON schema of a rule's file, for editors: keys and values, not their relations."""
    schema = RuleForm.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Tocsin warning rule"}
