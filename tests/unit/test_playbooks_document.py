"""A playbook survives the way into a document and back, and the way through a file."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

import playbooks
from domain.playbook import Playbook, Stage, Step, StepKind
from domain.playbook_checks import check_playbook
from domain.text import Text
from playbooks.playbook_library import PlaybookLibrary
from playbooks.playbook_loader import from_document, parse_playbook, playbook_json_schema, to_document
from tests.strategies import playbooks as random_playbooks

SCHEMA = Path(playbooks.__file__).parent / "schema" / "playbook.schema.json"


@given(random_playbooks())
@settings(max_examples=50, deadline=None)
def test_a_random_playbook_is_sound_and_comes_back_the_same(playbook: Playbook) -> None:
    assert check_playbook(playbook) == []
    document = json.loads(json.dumps(to_document(playbook)))
    assert from_document(document) == playbook


@given(random_playbooks())
@settings(max_examples=20, deadline=None)
def test_a_document_written_as_yaml_is_a_file_that_loads_the_same(playbook: Playbook) -> None:
    text = yaml.safe_dump(to_document(playbook), allow_unicode=True, sort_keys=False)
    assert parse_playbook(text, "random.yaml") == playbook


@given(random_playbooks())
@settings(max_examples=20, deadline=None)
def test_every_document_obeys_the_schema(playbook: Playbook) -> None:
    jsonschema.validate(to_document(playbook), playbook_json_schema())


@pytest.mark.parametrize("playbook", PlaybookLibrary().all(), ids=lambda playbook: playbook.id)
def test_a_shipped_playbook_comes_back_the_same(playbook: Playbook) -> None:
    assert from_document(json.loads(json.dumps(to_document(playbook)))) == playbook


def test_a_duration_that_no_file_can_hold_is_refused_not_rounded() -> None:
    step = Step("a", StepKind.ACT, Text("A"), "pr-lead", due=timedelta(seconds=90.5))
    playbook = Playbook("p", Text("P"), (Stage("s", Text("S"), (step,), timedelta(hours=1)),))
    with pytest.raises(ValueError, match="whole seconds"):
        to_document(playbook)


def test_the_shipped_schema_is_the_one_of_the_models() -> None:
    assert json.loads(SCHEMA.read_text()) == playbook_json_schema(), "write it anew: see docs/playbooks.md"


def test_the_schema_refuses_what_the_loader_refuses() -> None:
    document = to_document(PlaybookLibrary().get("service-outage"))
    for broken in (
        {**document, "tittle": "x"},
        {**document, "objective": "15"},
        {**document, "objective": ""},
        {**document, "stages": []},
        {key: value for key, value in document.items() if key != "title"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, playbook_json_schema())
