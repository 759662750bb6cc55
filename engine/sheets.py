"""Fields for spreadsheets: what one would take for a formula is text."""

from __future__ import annotations

from typing import Any, Final

# What a spreadsheet takes for a formula (OWASP, CSV Injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def harmless(value: Any) -> str:
    """A field of an export: what would be a formula is text."""
    if value is None:
        return ""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"'{text}" if not number and text.lstrip().startswith(_FORMULA) else text
