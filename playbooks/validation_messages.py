"""Validation messages: Pydantic's errors as findings, in words for the editor of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from playbooks.errors import BadFile, FileFinding, quote_value
from playbooks.field_types import TextForm
from playbooks.playbook_models import example_of
from playbooks.yaml_source import YamlSource, describe_kind, read_yaml

F = TypeVar("F", bound=BaseModel)
MOST_FINDINGS = 50  # nobody reads more at once
_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_ID_PATTERN = "^[a-z0-9][a-z0-9-]*$"


def list_findings(form: type[BaseModel], error: ValidationError, source: YamlSource) -> list[FileFinding]:
    """Turn validation errors into findings, in the file's order. A mistyped key is one finding, not two."""
    errors = error.errors(include_url=False)
    meant = {
        (*found["loc"][:-1], near)
        for found in errors
        if found["type"] == "extra_forbidden"
        and (near := nearest_word(str(found["loc"][-1]), _keys(_form_at(form, found["loc"][:-1]))))
    }
    kept = [found for found in errors if not (found["type"] == "missing" and found["loc"] in meant)]
    findings = {_explained(form, found, source): None for found in kept}  # a dict keeps the order, drops repeats
    in_order = sorted(findings, key=lambda finding: finding.line or 0)
    if len(in_order) > MOST_FINDINGS:
        more = f"and {len(in_order) - MOST_FINDINGS} more mistakes"
        in_order[MOST_FINDINGS:] = [FileFinding(source.file, None, "file", more, "mend these first")]
    return in_order


def validate_form(form: type[F], found: YamlSource) -> F:
    """Validate the data as that form.

    Raises:
        BadFile: unknown keys or wrong values.
    """
    try:
        return form.model_validate(found.data)
    except ValidationError as error:
        raise BadFile(list_findings(form, error, found)) from None


def read_form(form: type[F], text: str, file: str, wrong: Callable[[F, YamlSource], Iterable[FileFinding]]) -> F:
    """Read a file as its form. `wrong` yields contradictions between values that are each allowed alone.

    Raises:
        BadFile: broken YAML, unknown keys, values that cannot be, contradictions; in the order of the file.
    """
    found = read_yaml(text, file)
    read = validate_form(form, found)
    findings = sorted(wrong(read, found), key=lambda finding: finding.line or 0)
    if findings:
        raise BadFile(findings)
    return read


def nearest_word(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known word that was probably meant."""
    names = list(known)
    near = get_close_matches(word, names, n=1, cutoff=cutoff)
    if not near and len(word) > 1:  # a part of one name only: `zh` for zh_CN
        near = [name for name in names if word in name]
    return near[0] if len(near) == 1 else None


def suggest_choice(word: str, known: Iterable[str]) -> str:
    """Suggest known words for an unknown one, as a remedy."""
    names = sorted(known)
    near = nearest_word(word, names)
    if near:
        return f"did you mean {near}?"
    return f"one of {', '.join(names)}" if names else "there is none yet: add it first"


def _explained(form: type[BaseModel], found: Any, source: YamlSource) -> FileFinding:
    path: tuple[str | int, ...] = found["loc"]
    broken_key = bool(path) and path[-1] == "[key]"
    path = path[:-1] if broken_key else path
    owner = _form_at(form, path[:-2] if path and isinstance(path[-1], int) else path[:-1])
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    return source.finding(path, *_words_for(found, owner, key))


def _words_for(found: Any, owner: type[BaseModel] | None, key: str) -> tuple[str, str]:
    """Reason and remedy of one validation error."""
    what, value, extra = found["type"], found["input"], found.get("ctx", {})
    example = example_of(owner, key) if owner else "pr-lead"  # else a mapping by id, or a text of a list
    if what == "tocsin":
        return extra["reason"], extra["remedy"]
    if what == "missing":
        return "is missing", f"add {example}"
    if what == "extra_forbidden" and owner is TextForm and value is None:
        return "unknown key", "put the text before it in quotes: its comma ended it"
    if what == "extra_forbidden":
        return "unknown key", suggest_choice(key, _keys(owner))
    if what in _WANTED:
        wanted = "a text or {en: ..., zh: ...}" if _is_text(owner, key) else _WANTED[what]
        return f"is {describe_kind(value)}, not {wanted}", _as(wanted, value, example)
    return _of_value(what, value, extra, example) or (found["msg"], f"for example {example}")


def _of_value(what: str, value: object, extra: Mapping[str, Any], example: str) -> tuple[str, str] | None:
    """Words for a value of the right type that is not allowed."""
    if what in {"enum", "literal_error"}:
        known = extra["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        near = nearest_word(str(value), known)
        hint = f"did you mean {near}? One of" if near else "one of"
        return f"{quote_value(value)} is not known", f"{hint} {', '.join(known)}"
    if what == "string_pattern_mismatch":
        rule = "lower-case letters, digits and hyphens, " if extra["pattern"] == _ID_PATTERN else ""
        return f"{quote_value(value)} cannot be used here", f"{rule}for example {example}"
    if what in {"string_too_short", "too_short"}:
        return "is empty", f"for example {example}"
    if what in {"string_too_long", "too_long"}:
        return "is too long", f"at most {extra['max_length']}"
    if what == "greater_than_equal":
        return "is too small", f"{extra['ge']} or more"
    return None


def _as(wanted: str, value: object, example: str) -> str:
    if wanted.startswith("a text") and isinstance(value, bool | int):
        return f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if wanted == "a list" and isinstance(value, str):
        return f"put it in brackets: [{value[:60]}]"
    return f"for example {example}"


def _keys(form: type[BaseModel] | None) -> list[str]:
    return [info.alias or name for name, info in form.model_fields.items()] if form else []


def _is_text(form: type[BaseModel] | None, key: str) -> bool:
    info = form.model_fields.get(key) if form else None
    return bool(info) and _inner(info.annotation)[0] is TextForm  # type: ignore[union-attr]


def _form_at(form: type[BaseModel], path: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Return the form that describes the mapping at `path`; None where it is plain data."""
    here: type[BaseModel] | None = form
    inside = False  # within a list or a mapping by id: the next part of the path is an item
    for part in path:
        if inside or here is None:
            inside = False
            continue
        info = next((info for name, info in here.model_fields.items() if part in (name, info.alias)), None)
        here, inside = _inner(info.annotation) if info else (None, False)
    return here


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The form within an annotation, and whether it is held in a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    held = get_origin(annotation) in (list, dict)
    for argument in get_args(annotation):
        inner, deeper = _inner(argument)
        if inner:
            return inner, held or deeper
    return None, held
