"""Playbook loader: from the text of a file to a checked playbook, or to findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from domain.playbook import Playbook
from domain.playbook_checks import check_playbook
from playbooks.errors import BadFile
from playbooks.playbook_document import from_document, to_document
from playbooks.playbook_models import PlaybookForm
from playbooks.validation_messages import list_findings
from playbooks.yaml_source import read_text, read_yaml

__all__ = ["from_document", "load_playbook", "parse_playbook", "playbook_json_schema", "to_document"]


def parse_playbook(text: str, source: str) -> Playbook:
    """Parse the playbook that `text` describes. `source` is the file's name, for errors.

    Raises:
        BadFile: broken YAML, unknown keys, wrong values, or a procedure that could not work.
    """
    found = read_yaml(text, source)
    try:
        PlaybookForm.model_validate(found.data)
    except ValidationError as error:
        raise BadFile(list_findings(PlaybookForm, error, found)) from None
    playbook = from_document(found.data)
    unsound = check_playbook(playbook)
    if unsound:
        findings = (found.finding(problem.path, problem.reason, problem.remedy) for problem in unsound)
        raise BadFile(sorted(findings, key=lambda finding: finding.line or 0))
    return playbook


def load_playbook(path: Path) -> Playbook:
    """Load the playbook of a file.

    Raises:
        BadFile: as `parse_playbook`, or the file cannot be read.
    """
    return parse_playbook(read_text(path), str(path))


def playbook_json_schema() -> dict[str, Any]:
    """Return the JSON schema of a playbook's file, for editors: keys and values, not their relations."""
    schema = PlaybookForm.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Tocsin playbook"}
