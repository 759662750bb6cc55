"""Improvements, as the reports count them."""

from __future__ import annotations

from typing import Any

from domain.review.period import Period
from storage.database import Connection
from storage.learning.suggestion_store import compute_improvement_share


def count_improvements(connection: Connection, period: Period, aim: float) -> dict[str, Any]:
    """Count the complaints of a period that became a recorded improvement, against the aim."""
    found = compute_improvement_share(connection, period.begins, period.ends)
    return {"share": found.share, "complaints": found.complaints, "improved": found.improved, "aim": aim}
