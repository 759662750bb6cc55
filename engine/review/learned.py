"""What was learned, as the reports count it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from domain.review.period import Period
from storage.learning import improvement_share


def improvements(connection: Connection, period: Period, aim: float) -> dict[str, Any]:
    """How many complaints of the period became a recorded improvement, against its aim."""
    found = improvement_share(connection, period.begins, period.ends)
    return {"share": found.share, "complaints": found.complaints, "improved": found.improved, "aim": aim}
