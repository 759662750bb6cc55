"""`/metrics` in Prometheus' format and `/readyz`, for monitoring of Tocsin itself. Counts only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from pendulum import DateTime

from engine.installation import Installation
from engine.process import heartbeat
from storage import operational_metrics
from storage.database import StorageError
from storage.incidents import board
from storage.schema import require_current_schema
from web.app_state import state_of
from web.http.request_context import RequestContextDep
from web.schemas import documented_responses

if TYPE_CHECKING:
    from prometheus_client.core import Metric

router = APIRouter(tags=["installation"])
DRIVERS = ("runner", "engine")  # either takes turns; without both nothing moves for minutes
_OLD_BEAT = 15.0  # seconds
_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_PRIORITIES = {0: "pages", 1: "publications", 2: "rest"}


@router.get("/readyz", responses=documented_responses("ready", "Whether calls go out"))
def readyz(request: Request) -> JSONResponse:
    """Show whether a declaration now would be carried out: the database answers and a driver takes turns."""
    installation = state_of(request).installation
    try:
        require_current_schema(installation.database)
    except StorageError as error:
        return JSONResponse({"ok": False, "why": str(error)}, status_code=503)
    beats = {name: heartbeat.read_beat_age(installation.settings.home, name) for name in DRIVERS}
    if all(beat is None or beat > _OLD_BEAT for beat in beats.values()):
        return JSONResponse({"ok": False, "why": "neither runner nor engine shows a sign of life"}, status_code=503)
    return JSONResponse({"ok": True, "why": ""})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(context: RequestContextDep) -> PlainTextResponse:
    """Show figures of the last ten minutes, in Prometheus' text format."""
    return PlainTextResponse(await context.read(_text), media_type="text/plain; version=0.0.4; charset=utf-8")


def _text(installation: Installation, now: DateTime) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - only who is watched loads it

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(installation, now))
    return generate_latest(registry)


class _Collector:
    """Reads once, for one answer."""

    def __init__(self, installation: Installation, now: DateTime) -> None:
        self._installation, self._now = installation, now

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        with self._installation.database.read() as connection:
            figures = board.delivery_figures(connection, self._now)
            late, sent = (
                operational_metrics.list_turn_delays(connection, self._now),
                operational_metrics.list_send_delays(connection, self._now),
            )
            oldest = operational_metrics.oldest_unsent_seconds(connection, self._now)
        yield _gauge("tocsin_open_incidents", "Incidents and warnings that are open", figures["open_incidents"])
        yield _gauge(
            "tocsin_share_without_prefect",
            "Share of turns of the last hour without Prefect",
            figures["share_without_prefect"],
        )
        yield _gauge("tocsin_outbox_oldest_due_seconds", "How long the message has waited that is due longest", oldest)
        yield from self._outbox(figures)
        yield _histogram("tocsin_turn_late_seconds", "By how much turns were late", {"": late})
        yield _histogram(
            "tocsin_owed_to_sent_seconds", "From owed to taken by the service",
            {_PRIORITIES.get(feed, str(feed)): values for feed, values in sorted(sent.items())}, "lane",
        )  # fmt: skip
        yield from self._beats()

    def _outbox(self, figures: dict[str, Any]) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - as above

        family = GaugeMetricFamily("tocsin_outbox_messages", "Messages by state", labels=["kind", "state"])
        for kind in ("outbox", "surveys"):
            for state, count in figures[kind].items():
                family.add_metric([kind, state], count)
        yield family

    def _beats(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - as above

        family = GaugeMetricFamily("tocsin_beat_age_seconds", "Since the last sign of life", labels=["process"])
        for name in ("web", "engine", "runner", "figures"):
            age = heartbeat.read_beat_age(self._installation.settings.home, name)
            if age is not None:
                family.add_metric([name], age)
        yield family


def _gauge(name: str, words: str, value: float) -> Metric:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - as above

    return GaugeMetricFamily(name, words, value=value)


def _histogram(name: str, words: str, rows: dict[str, list[float]], label: str = "") -> Metric:
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415 - as above

    family = HistogramMetricFamily(name, words, labels=[label] if label else [])
    for key, values in rows.items():
        family.add_metric([key] if label else [], operational_metrics.make_histogram(values, _BOUNDS), sum(values))
    return family
