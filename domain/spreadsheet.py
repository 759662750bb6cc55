"""Fields for spreadsheets: text that a spreadsheet would take for a formula is escaped."""

from __future__ import annotations

from typing import Any, Final

# What a spreadsheet takes for a formula (OWASP, CSV Injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def escape_formula(value: Any) -> str:
    """Return a value as a field of an export, with a formula escaped to text."""
    if value is None:
        return ""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"'{text}" if not number and text.lstrip().startswith(_FORMULA) else text
