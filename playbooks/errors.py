"""Findings in a file: what is wrong, where, and what would be right."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_LINE = 300
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://\S*")  # may carry a password


@dataclass(frozen=True)
class FileFinding:
    """One finding. `line` counts from 1; None where the file as a whole is meant."""

    file: str
    line: int | None
    field: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return one_line(f"{where}: {self.field}: {self.reason}; {self.remedy}", LONGEST_LINE)


class BadFile(ValueError):
    """A file cannot come into force. The message has one line a finding."""

    def __init__(self, findings: Iterable[FileFinding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def one_line(text: str, longest: int) -> str:
    """Return `text` without line breaks and control characters, cut to `longest` characters."""
    # Twice what fits is enough to judge: a 10 MB value must not be walked to show 300 characters of it.
    text = _ADDRESS.sub("(address)", text[: 2 * longest])
    kept = "".join(" " if char in "\n\t" else char for char in text if _shown(char))
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def _shown(char: str) -> bool:
    return char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def quote_value(value: object) -> str:
    """Quote a value of the file for an error message: in quotes, short, on one line."""
    text = value if isinstance(value, str) else repr(value)
    return f"'{one_line(text, 60)}'"
