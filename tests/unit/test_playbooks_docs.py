"""The reference cannot rot: every key is on it under its heading, every example of it loads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from domain.playbook import StepKind
from playbooks.playbook_loader import parse_playbook
from playbooks.playbook_models import FORMS
from playbooks.roster_file import find_missing_roles, parse_roster

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "playbooks.md").read_text(encoding="utf-8")
HEADINGS = {
    "PlaybookForm": "Playbook",
    "NeverSilentForm": "never_silent",
    "StageForm": "Stages",
    "StepForm": "Steps",
    "TextForm": "Texts",
    "RosterForm": "Roster",
    "PersonForm": "People",
    "RoleForm": "Roles",
    "PublicChannelForm": "Official channels",
}


def section(heading: str) -> str:
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found.group(1)


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_key_is_documented_with_its_meaning_and_no_other(form: type[BaseModel]) -> None:
    rows = dict(
        re.findall(
            r"^\| `([a-z_]+)` \| (.*?)(?: \*\*Required\.\*\*)? \| `",
            section(HEADINGS[form.__name__]),
            re.MULTILINE,
        )
    )
    assert rows == {info.alias or name: info.description for name, info in form.model_fields.items()}


def test_every_kind_of_step_is_documented() -> None:
    for kind in StepKind:
        assert f"`{kind}`" in section("Steps"), kind


def test_the_example_playbook_and_roster_load() -> None:
    playbook, roster = examples()
    found = parse_playbook(playbook, "docs/playbooks.md")
    assert {finding.field for finding in find_missing_roles(found, parse_roster(roster, "docs/playbooks.md"))} == {
        "stages[0].steps[0].owner",  # the example roster is a short one
        "stages[0].steps[1].backup",
        "last_resort",
    }


def test_the_command_that_writes_the_schema_writes_the_schema() -> None:
    command = re.search(r"python -c '(.*?)' >", PAGE)
    assert command
    done = subprocess.run(
        [sys.executable, "-c", command.group(1)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    schema = (ROOT / "playbooks" / "schema" / "playbook.schema.json").read_text(encoding="utf-8")
    assert done.stdout == schema
