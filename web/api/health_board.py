"""Health boards of the web process as documents for programs and pages, each kept for a few seconds."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pendulum

from domain.health.finding import HealthFinding
from domain.health.plan import TITLES, CoreMeasure, IndexName
from domain.health.risk import RiskAhead
from domain.health.service_index import ServiceIndex
from domain.text import Reason, Text
from domain.warning.metrics import METRICS, Metric, MetricKind, format_metric
from engine.health import metric_values
from engine.health.board import CoreMetric, HealthReport, IndexValue, StaffedSlot
from engine.health.board_factory import open_board
from engine.health.current_staffing import CurrentStaffing
from locales import translator
from playbooks.health_file import measure_scale
from playbooks.rulebook import Rulebook
from storage.incidents import board as both_of
from storage.samples import replays
from web.api.sample_service import SampleService

FRESH_SECONDS: Final = 5.0
_MOST_KEPT: Final = 64
Metrics = Mapping[str, Metric]


class HealthBoardService:
    """Health boards of one web process, each cached for a few seconds.

    They are computed one at a time in a thread of their own: the first, which reads weeks of history, delays no
    page.
    """

    def __init__(self, service: SampleService, book: Rulebook) -> None:
        self._service = service
        self._book = book
        self._board, self._file = open_board(service.installation.settings, service.figures, book)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._kept: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    async def board_document(self, feed: str, service: str) -> dict[str, Any] | None:
        """Health board as a document; None for an unknown replay."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._look, feed, service)

    def board_document_blocking(self, feed: str, service: str) -> dict[str, Any] | None:
        """Health board as a document, for a caller in a thread; None for an unknown replay."""
        return self._thread.submit(self._look, feed, service).result()

    def _look(self, feed: str, service: str) -> dict[str, Any] | None:
        kept = self._kept.get((feed, service))
        if kept is not None and time.monotonic() - kept[0] < FRESH_SECONDS:
            return kept[1]
        at = self._service.clock()
        if feed:
            replay = replays.find_replay(self._service.figures, feed)
            if replay is None:
                return None
            at = replay.position
        metrics = self._book.metrics()
        found = health_document(self._board.report_at(at, feed, service), metrics)
        found["file_findings"] = [str(finding) for finding in self._file.findings()]
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[feed, service] = time.monotonic(), found
        return found


def health_document(board: HealthReport, metrics: Metrics = METRICS) -> dict[str, Any]:
    """Health board as a document for programs and pages."""
    return {
        "at": board.at.isoformat(),
        "lane": board.lane,
        "service": board.service,
        "zone": board.plan.zone,
        "points_from": board.begins.isoformat(),
        "step_seconds": int(metric_values.STEP.total_seconds()),
        "core": [_core(one, metrics) for one in board.core],
        "indices": [_index(one, metrics) for one in board.indices],
        "staffing": _staffing(board.staffing, board.plan.reserve),
        "forecast": {
            "slot_seconds": int(board.plan.slot.total_seconds()),
            "history_days": round(board.days, 2),
            "level": _rounded(board.level),
            "slots": [_slot(one) for one in board.slots],
        },
        "risk_ahead": _risk(board.risk) if board.risk else None,
        "findings": [_finding(one) for one in board.findings],
        "file_findings": [],
    }


def _core(one: CoreMetric, metrics: Metrics) -> dict[str, Any]:
    measure = one.measure
    kind = _kind(measure, metrics)
    found: dict[str, Any] = {
        "id": one.core,
        "title": both_of.both_languages(TITLES[one.core]),
        "metric": measure.metric if measure else None,
        "per": (measure.per or None) if measure else None,
        "unit": _unit(measure, metrics),
        "window_seconds": int(measure.window.total_seconds()) if measure else None,
        "value": _rounded(one.value),
        "shown": None if one.value is None else format_metric(one.value, kind),
        "target": measure.target if measure else None,
        "target_shown": format_metric(measure.target, kind) if measure and measure.target is not None else None,
        "side": measure.side if measure else None,
        "met": measure.meets(one.value) if measure and one.value is not None else None,
        "points": [_rounded(point) for point in one.points],
    }
    return found


def _kind(measure: CoreMeasure | None, metrics: Metrics) -> MetricKind:
    return measure_scale(metrics, measure.metric, measure.per)[0] if measure else MetricKind.GAUGE


def _unit(measure: CoreMeasure | None, metrics: Metrics) -> dict[str, str]:
    """What `value` counts."""
    known = metrics.get(measure.metric) if measure else None
    if measure is None or known is None:
        return both_of.both_languages(Text(""))
    if measure.per:
        return both_of.both_languages(_name(measure.metric, measure.per, metrics))
    if known.kind is MetricKind.VOLUME:
        return both_of.both_languages(Text("a minute", "每分钟"))
    kind = measure_scale(metrics, measure.metric)[0]
    return both_of.both_languages(
        {MetricKind.DURATION: Text("s", "秒"), MetricKind.SHARE: Text("share", "占比")}.get(kind, Text(known.unit))
    )


def _name(metric: str, per: str, metrics: Metrics) -> Text:
    """A figure for people; a quotient by both its figures."""
    own, of = (metrics[name].title if name in metrics else Text(name) for name in (metric, per))
    if not per:
        return own
    return Text(f"{own.en} / {of.en}", f"{own.in_('zh_CN')} / {of.in_('zh_CN')}")


def _index(one: IndexValue, metrics: Metrics) -> dict[str, Any]:
    return {
        "id": one.name,
        "title": both_of.both_languages(TITLES[IndexName(one.name)]),
        "value": _rounded(one.hour.value, 1),
        "covered": _rounded(one.hour.covered),
        "day": _rounded(one.day.value, 1),
        "day_covered": _rounded(one.day.covered),
        "parts": _parts(one.hour, metrics),
    }


def _parts(index: ServiceIndex, metrics: Metrics) -> list[dict[str, Any]]:
    found = []
    for part in index.parts:
        one = part.component
        kind = measure_scale(metrics, one.metric, one.per)[0]
        found.append({
            "metric": one.metric, "per": one.per or None, "weight": one.weight, "zero": one.zero, "full": one.full,
            "title": both_of.both_languages(_name(one.metric, one.per, metrics)),
            "value": _rounded(part.value), "score": _rounded(part.score, 1),
            "shown": None if part.value is None else format_metric(part.value, kind),
        })  # fmt: skip
    return found


def _staffing(one: CurrentStaffing, wanted: float) -> dict[str, Any]:
    reserve, call = one.reserve, one.call
    return {
        "objective": {"share": one.objective.share, "within_seconds": one.objective.within},
        "contacts_an_hour": _rounded(one.contacts_an_hour),
        "handle_time_seconds": _rounded(one.handle_time),
        "handle_time_from": one.handle_from,
        "agents": one.agents,
        "agents_from": one.agents_from,
        "standby": one.standby,
        "agents_needed": one.needed,
        "shrinkage": one.shrinkage,
        "rostered": one.rostered,
        "service_level": _rounded(one.level),
        "answer_seconds": _rounded(one.answer),
        "occupancy": _rounded(one.busy),
        "reserve": None if reserve is None else {
            "share": _rounded(reserve.share), "wanted_share": wanted, "wanted": reserve.wanted,
            "missing": reserve.missing,
        },
        "standby_to_call": None if call is None else {"call": call.call, "missing": call.missing},
    }  # fmt: skip


def _slot(slot: StaffedSlot) -> dict[str, Any]:
    one = slot.expected
    return {
        "start": _moment(one.start),
        "contacts": _rounded(one.value),
        "low": _rounded(one.low),
        "high": _rounded(one.high),
        "days": one.days,
        "pattern": one.pattern,
        "agents_needed": slot.needed,
        "rostered": slot.rostered,
        "agents": slot.agents,
    }


def _risk(risk: RiskAhead) -> dict[str, Any]:
    return {
        "ratio": _rounded(risk.ratio),
        "cause": risk.cause,
        "at": _moment(risk.at),
        "expected_an_hour": _rounded(risk.expected),
        "borne_an_hour": _rounded(risk.borne),
    }


def _finding(one: HealthFinding) -> dict[str, Any]:
    return {"kind": one.kind, "what": _said(one.what), "next": _said(one.next)}


def _said(reason: Reason) -> dict[str, str]:
    words = {"en": translator("en"), "zh": translator("zh_CN")}
    return {language: say(reason.template).format(**reason.values) for language, say in words.items()}


def _moment(seconds: int) -> str:
    return pendulum.from_timestamp(seconds).isoformat()


def _rounded(value: float | None, decimals: int = 4) -> float | None:
    """Four decimals are more than any figure is worth; what has no bound (a line that only grows) is not told."""
    return round(value, decimals) if value is not None and math.isfinite(value) else None
