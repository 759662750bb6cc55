"""Playbook documents: the JSON-able form in which a response keeps its copy, written and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import timedelta
from functools import lru_cache
from typing import Any

from domain.durations import format_duration, parse_duration
from domain.playbook import Playbook, Stage, Step, StepKind, UpdateWatch
from domain.text import Text

_RENAMED = {"clock": "from"}  # `from` is a word of Python's own


def to_document(playbook: Playbook) -> dict[str, Any]:
    """Write the playbook as texts, numbers, lists and mappings, as a file would be. Defaults are left out.

    Raises:
        ValueError: a duration of less than a second, which no file can hold.
    """
    return {"id": playbook.id, **_fields_of(playbook)}


def _fields_of(thing: Any) -> dict[str, Any]:
    document = {}
    for known in fields(thing):
        value = getattr(thing, known.name)
        default = known.default_factory() if known.default_factory is not MISSING else known.default
        if value != default:
            document[_RENAMED.get(known.name, known.name)] = _plain(value)
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, Text):
        return {"en": value.en, "zh": value.zh} if value.zh else value.en
    if isinstance(value, timedelta):
        return _span(value)
    if isinstance(value, Mapping):
        return {key: list(items) for key, items in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Stage | Step | UpdateWatch):
        return _fields_of(value)
    return str(value) if isinstance(value, StepKind) else value


def _span(span: timedelta) -> str:
    text = format_duration(span)
    if span < timedelta(0) or parse_duration(text) != span:
        raise ValueError(f"{span} is no duration that a playbook can hold: whole seconds, up to a year")
    return text


def from_document(document: Mapping[str, Any]) -> Playbook:
    """Read the playbook of a document that was checked when it was written: nothing is checked again.

    Raises:
        TypeError, ValueError, KeyError: the document was made by something else.
    """
    return Playbook(**_built(document, _PLAYBOOK))


def _built(document: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """Build the keyword arguments of a dataclass; an empty value takes the default."""
    return {
        ("clock" if key == "from" else key): readers[key](value) if key in readers else value
        for key, value in document.items()
        if value is not None
    }


# A playbook says `5m` a hundred times, and documents are read at every turn.
_duration = lru_cache(maxsize=1024)(parse_duration)


def _text(value: str | Mapping[str, str]) -> Text:
    return Text(value) if isinstance(value, str) else Text(value.get("en", ""), value.get("zh", ""))


def _when(value: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(items) for key, items in value.items()}


def _step(document: Mapping[str, Any]) -> Step:
    return Step(**_built(document, _STEP))


def _stage(document: Mapping[str, Any]) -> Stage:
    return Stage(**_built(document, _STAGE))


def _never_silent(document: Mapping[str, Any]) -> UpdateWatch:
    return UpdateWatch(**_built(document, _NEVER_SILENT))


_STEP: dict[str, Callable[[Any], Any]] = {
    "kind": StepKind,
    **dict.fromkeys(("title", "instruction", "template"), _text),
    **dict.fromkeys(("opens", "due", "ack_within", "remind"), _duration),
    **dict.fromkeys(("needs", "channels", "tell"), tuple),
    "when": _when,
}
_STAGE: dict[str, Callable[[Any], Any]] = {
    "title": _text,
    **dict.fromkeys(("starts", "ends", "repeat"), _duration),
    "steps": lambda steps: tuple(map(_step, steps)),
}
_NEVER_SILENT: dict[str, Callable[[Any], Any]] = dict.fromkeys(("within", "then"), _duration)
_PLAYBOOK: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("title", "summary", "holding_script"), _text),
    "objective": _duration,
    "never_silent": _never_silent,
    "stages": lambda stages: tuple(map(_stage, stages)),
}
