"""Public statements of an incident, side by side: on every official channel, as posted or as they will be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pendulum import DateTime

from domain.durations import elapsed
from storage.samples.rollups import read_history
from storage.samples.sample_store import LIVE_FEED, SampleStore

MENTIONS: Final = ("mentions", "negative_mentions")
NEGATIVE_SHARE: Final = "negative_share"
BASELINE: Final = timedelta(hours=3)  # what was normal before it began
_POINTS: Final = 96  # of a course, at most
_LEAST: Final = 10  # minutes a step, at least: feeds of mentions are asked about as often


def list_statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the statements of an incident in their order.

    Each: `step` (of the draft), `title`, `round`, `stage`, `version`, `state` of the draft, `approval` (a
    state or None), `by`, `posted_at`, and `channels`: channel -> `language`, `text`, `posting` (None: not
    ordered), `receipt`.

    Args:
        document: the incident whole, as the API answers it.
    """
    found = []
    for stage in document["stages"]:
        of = {one["of"]: one for one in stage["steps"] if one["kind"] == "publish" and one.get("of")}
        approvals = {one["of"]: one for one in stage["steps"] if one["kind"] == "approve" and one.get("of")}
        for draft in stage["steps"]:
            publish = of.get(draft["id"])
            if publish is None or not draft["version"]:
                continue
            approval = approvals.get(draft["id"])
            found.append({
                "step": f"{stage['playbook']}:{draft['id']}", "publish": f"{stage['playbook']}:{publish['id']}",
                "title": draft["title"], "stage": stage["title"], "round": draft["round"],
                "version": draft["version"], "state": draft["state"], "by": draft["author"],
                "approval": approval["state"] if approval else None, "posted_at": publish["done_at"],
                "unfit": draft["unfit"], "withdraws": publish["withdraws"],
                "channels": {name: _cell(name, draft, publish) for name in publish["channels"]},
            })  # fmt: skip
    return found


def _cell(channel: str, draft: Mapping[str, Any], publish: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "language": draft["goes_to"].get(channel, {}).get("language", "en"),
        "text": draft["rendered"].get(channel, ""),
        "posting": publish["postings"].get(channel),
        "receipt": publish["receipts"].get(channel, ""),
    }


def build_mention_series(figures: SampleStore, began: DateTime, until: DateTime) -> dict[str, Any]:
    """Return mentions and sentiment around an incident, in equal steps from three hours before it.

    `begins`, `step_seconds`, `mentions` and `negative_mentions` a step, `negative_share` 0 to 1; None:
    nothing known.
    """
    begins = began - BASELINE
    minutes = max(_LEAST, -(-int(elapsed(begins, until).total_seconds() / 60) // _POINTS))
    step, count = timedelta(minutes=minutes), int(elapsed(begins, until).total_seconds() / 60 / minutes) + 1
    found: dict[str, Any] = {"begins": begins.isoformat(), "step_seconds": minutes * 60}
    for metric in MENTIONS:
        points: list[float | None] = [None] * count
        for row in read_history(figures, LIVE_FEED, metric, begins, until, step):
            if 0 <= row.bucket < count:
                points[row.bucket] = (points[row.bucket] or 0.0) + row.total
        found[metric] = points
    shares: list[float | None] = [None] * count
    weights = [0.0] * count
    for row in read_history(figures, LIVE_FEED, NEGATIVE_SHARE, begins, until, step):
        if 0 <= row.bucket < count and row.events:
            total = (shares[row.bucket] or 0.0) * weights[row.bucket] + row.weighted
            weights[row.bucket] += row.events
            shares[row.bucket] = total / weights[row.bucket]
    found[NEGATIVE_SHARE] = shares
    return found
