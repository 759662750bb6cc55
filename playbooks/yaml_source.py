"""YAML source with line numbers: texts, whole numbers, true, false, null; nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from playbooks.errors import BadFile, FileFinding, one_line, quote_value

MAX_FILE_BYTES = 1024 * 1024  # bytes: the largest playbook that ships has 40,000
MAX_DEPTH = 20
MOST_NODES = 50_000  # after aliases are followed: a bomb of ten lines would make billions

_Key = str | int
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")  # `08` is a text, as YAML has it
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
# The C parser is ten times as fast; both yield the same events.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlSource:
    """The data of a file and the line (from 1) of each of its keys and items."""

    file: str
    data: Any
    lines: Mapping[tuple[_Key, ...], int] = field(default_factory=dict)

    def finding(self, path: tuple[_Key, ...], reason: str, remedy: str) -> FileFinding:
        """Make a finding at `path`; where the file has no such key, on the line of its parent."""
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines), ())
        line = self.lines.get(known)
        return FileFinding(self.file, line, format_path(path), one_line(reason, 200), one_line(remedy, 200))


def format_path(path: tuple[_Key, ...]) -> str:
    """Format a path for people: `stages[1].steps[0].due`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return one_line(text.lstrip("."), 100) or "file"


def read_text(path: Path) -> str:
    """Read the text of a file of at most 1 MiB in UTF-8.

    Raises:
        BadFile: not there, not readable, too large, or not UTF-8.
    """
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise _bad(file, None, f"cannot be read: {why}", "check its name and its permissions") from error
    if len(raw) > MAX_FILE_BYTES:
        raise _too_large(file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _bad(file, line, "is not UTF-8 text", "save it as UTF-8 in your editor") from error


def read_yaml(text: str, file: str) -> YamlSource:
    """Read one YAML document that is a mapping.

    Raises:
        BadFile: broken YAML (with its line), a second document, a bomb of aliases, a key twice, a tag.
    """
    if len(text) > MAX_FILE_BYTES:
        raise _too_large(file)
    odd = _UNPRINTABLE.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise _bad(file, line, f"has a control character {odd.group()!a}", "remove it")
    try:
        source = _Composer(file, text).compose()
    except yaml.YAMLError as error:
        raise _broken(file, text, error) from error
    if source.data is None:
        raise _bad(file, None, "is empty", "write the keys of one document, such as id: and title:")
    if not isinstance(source.data, dict):
        raise _bad(
            file,
            source.lines.get(()),
            f"is {describe_kind(source.data)}, not a mapping",
            "begin with `key: value` lines",
        )
    return source


def describe_kind(value: object) -> str:
    """Describe the kind of a value of the file in words."""
    if value is None:
        return "empty"
    names = {bool: "true or false", int: "a number", str: "a text", list: "a list", dict: "a mapping"}
    return names.get(type(value), "something else")


def _bad(file: str, line: int | None, reason: str, remedy: str) -> BadFile:
    return BadFile([FileFinding(file, line, "file", reason, remedy)])


def _too_large(file: str) -> BadFile:
    return _bad(file, None, "is larger than 1 MiB", "keep the procedure, and link to long texts instead")


def _broken(file: str, text: str, error: yaml.YAMLError) -> BadFile:
    mark: Any = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it is not YAML"
    if mark is None:
        return _bad(file, None, f"broken YAML: {problem}", "check the quotes and the indentation")
    opened: Any = getattr(error, "context_mark", None)
    if opened is not None and "quoted scalar" in (getattr(error, "context", None) or ""):
        # The parser notices at the end of the file; the reader must look at where the quote begins.
        return _bad(file, opened.line + 1, "broken YAML: a quote that is never closed", "close it on this line")
    lines = text.splitlines()
    shown = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in shown[: len(shown) - len(shown.lstrip())] or "'\\t'" in problem:
        return _bad(file, mark.line + 1, "a tab in the indentation", "indent with spaces, never with tabs")
    remedy = "check this line and the one above: colon and space after a key, quotes closed, indentation"
    return _bad(file, mark.line + 1, f"broken YAML: {problem}", remedy)


class _Composer:
    """Builds the data from the parser's events: no tag is ever obeyed, depth and size are bounded."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines: dict[tuple[_Key, ...], int] = {}
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0
        self.events = cast("Iterator[Any]", yaml.parse(text, Loader=_PARSER))

    def compose(self) -> YamlSource:
        data: Any = None
        begun = False
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if begun:
                    mark: Any = event.start_mark
                    raise _bad(
                        self.file,
                        mark.line + 1,
                        "a second document begins",
                        "one document per file: remove the `---`",
                    )
                begun = True
                data = self._value(next(self.events), ())
        return YamlSource(self.file, data, self.lines)

    def _value(self, event: Any, path: tuple[_Key, ...]) -> Any:
        line = event.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._count(1, line)
        if len(path) > MAX_DEPTH:
            raise _bad(self.file, line, f"is nested deeper than {MAX_DEPTH} levels", "no field goes that deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), line)
        if event.tag not in (None, "!"):
            raise _bad(self.file, line, f"has a tag {quote_value(event.tag)}", "write plain values, without `!`")
        before = self.nodes
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = self._mapping(path)
        if event.anchor is not None:
            self.anchors[str(event.anchor)] = (value, self.nodes - before + 1)
        return value

    def _sequence(self, path: tuple[_Key, ...]) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: tuple[_Key, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise _bad(self.file, line, "a key is not a word", "write `key: value`")
            key = str(event.value)
            if key in found:
                finding = FileFinding(
                    self.file, line, format_path((*path, key)), "is there twice", "keep one of the two"
                )
                raise BadFile([finding])
            self.lines[*path, key] = line
            found[key] = self._value(next(self.events), (*path, key))
        return found

    def _alias(self, anchor: str, line: int) -> Any:
        if anchor not in self.anchors:
            raise _bad(self.file, line, f"no anchor {quote_value('&' + anchor)} above", "write the value itself")
        value, size = self.anchors[anchor]
        self._count(size, line)
        return value

    def _count(self, more: int, line: int) -> None:
        self.nodes += more
        if self.nodes > MOST_NODES:
            raise _bad(self.file, line, "its aliases grow beyond all measure", "write the values themselves")


def _scalar(event: Any) -> str | int | bool | None:
    """YAML 1.2's core values: `no`, `on` and `20:30` stay the texts that they look like."""
    text = str(event.value)
    if event.style is not None and event.style != "":  # quoted or a block: a text
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    return int(text) if _INTEGER.fullmatch(text) else text
