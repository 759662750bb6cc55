"""The page on rules cannot rot: every key is on it under its heading, every example of it loads and passes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from domain.warning.metrics import LABELS, METRICS
from domain.warning.rule import Aggregate
from domain.warning.rule_state import RulePhase
from domain.warning.rule_trial import find_trial_failures
from playbooks.playbook_library import PlaybookLibrary
from playbooks.rule_loader import RuleVocabulary, parse_rule
from playbooks.rule_models import FORMS
from playbooks.rule_vocabulary import parse_calendar, parse_metrics
from playbooks.rulebook import Rulebook

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
HEADINGS = {
    "RuleForm": "Every key",
    "BaselineForm": "baseline",
    "StartsForm": "starts",
    "RuleTestForm": "Tests in the file",
    "SeriesForm": "series",
    "ExpectForm": "expect",
    "MetricsForm": "Your own figures",
    "MetricForm": "A figure",
    "CalendarForm": "Campaigns and holidays",
    "CampaignForm": "A campaign",
    "OverrideForm": "What a campaign changes",
    "TextForm": "Texts",
}


def section(heading: str) -> str:
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found.group(1)


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_key_is_documented_with_its_meaning_and_no_other(form: type[BaseModel]) -> None:
    row = r"^\| `([a-z_]+)` \| (.*?)(?: \*\*Required\.\*\*)? \| `"
    rows = dict(re.findall(row, section(HEADINGS[form.__name__]), re.MULTILINE))
    assert rows == {info.alias or name: info.description for name, info in form.model_fields.items()}


def test_every_figure_label_aggregate_and_phase_is_named() -> None:
    figures = section("Figures by name")
    for metric in METRICS.values():
        assert f"| `{metric.id}` | {metric.title.en} {metric.title.zh} | {metric.kind} | {metric.better} |" in figures
    assert all(f"`{label}`" in figures for label in LABELS)
    assert all(f"`{aggregate}`" in section("Aggregates") for aggregate in Aggregate)
    assert all(f"`{phase}`" in section("How it goes on") for phase in RulePhase)


def test_the_first_rule_loads_and_its_tests_pass() -> None:
    installation = RuleVocabulary(playbooks=[playbook.id for playbook in PlaybookLibrary().all()])
    file = parse_rule(examples()[0], "docs/rules.md", installation)
    assert [find_trial_failures(file.rule, trial) for trial in file.trials] == [[], []]


def test_the_other_examples_load() -> None:
    _, metrics, campaigns = examples()
    known = parse_metrics(metrics, "docs/rules.md")
    assert set(known.metrics) - set(METRICS) == {"parcels_on_dock"}
    rules = {rule.id: rule for rule in Rulebook().all()}
    assert parse_calendar(campaigns, "docs/rules.md", rules).campaigns[0].id == "double-eleven"


def test_the_command_that_writes_the_schema_writes_the_schema() -> None:
    command = re.search(r"python -c '(.*?)' >", PAGE)
    assert command
    done = subprocess.run(
        [sys.executable, "-c", command.group(1)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == (ROOT / "playbooks" / "schema" / "rule.schema.json").read_text(encoding="utf-8")
