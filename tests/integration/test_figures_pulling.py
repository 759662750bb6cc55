"""Sources that are asked: a SQLite file, PostgreSQL, the real Prometheus; failures are shown, tried again."""

from __future__ import annotations

import asyncio
import http.server
import logging
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pendulum
import psycopg
import pytest

from engine.process.clock import now
from engine.samples.source_poller import poll_sources
from engine.samples.source_query import SourceError, query_source
from playbooks.sources_file import PullSource
from storage.samples.sample_store import SampleStore, open_sample_store
from storage.samples.source_states import SourceState, claim_source, list_source_states, record_failure, record_success
from storage.settings import load_settings

NOW = pendulum.datetime(2026, 3, 14, 3, 0)
URL = "TEST_DESK_URL"


@pytest.fixture(name="figures")
def figures_fixture(home: Path) -> Iterator[SampleStore]:
    opened = open_sample_store(load_settings(home=home))
    yield opened
    opened.close()


@pytest.fixture(name="kept")
def kept_fixture(home: Path, database_url: str) -> Iterator[SampleStore]:
    """On both databases."""
    opened = open_sample_store(load_settings(home=home, database_url=database_url))
    yield opened
    opened.close()


@pytest.fixture(name="desk")
def desk_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's ticket system."""
    path = tmp_path / "desk.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE ticket (queue TEXT, waited REAL)")
        database.executemany("INSERT INTO ticket VALUES (?, ?)", [("refunds", 40), ("refunds", 20), ("sales", 5)])
    monkeypatch.setenv(URL, f"sqlite:///{path}")
    return path


def sql(query: str, **more: Any) -> PullSource:
    fields = {"every": timedelta(seconds=5), "timeout": timedelta(seconds=2), "url_env": URL, **more}
    return PullSource("desk", "sql", query, **fields)


WAITS = "SELECT 'wait_time' AS metric, avg(waited) AS value, count(*) AS count, queue FROM ticket GROUP BY queue"


def asked(source: PullSource) -> list[dict[str, Any]]:
    async def work() -> list[dict[str, Any]]:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await query_source(source, NOW, client)

    return asyncio.run(work())


def trouble(source: PullSource) -> str:
    with pytest.raises(SourceError) as told:
        asked(source)
    return str(told.value)


def pull_until(sources: Callable[[], Mapping[str, PullSource]], figures: SampleStore, true: Callable[[], bool]) -> None:
    async def work() -> None:
        task = asyncio.create_task(poll_sources(sources, figures, now))
        for _ in range(1_500):
            if await asyncio.to_thread(true):
                break
            assert not task.done(), task
            await asyncio.sleep(0.02)
        else:
            raise AssertionError(f"not within 30 s: {list_source_states(figures)}")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())


def test_each_row_is_a_sample_and_other_columns_are_labels(desk: Path) -> None:
    assert asked(sql(WAITS)) == [
        {"metric": "wait_time", "time": NOW.isoformat(), "value": 30, "count": 2, "labels": {"queue": "refunds"}},
        {"metric": "wait_time", "time": NOW.isoformat(), "value": 5, "count": 1, "labels": {"queue": "sales"}},
    ]


def test_times_of_the_database(desk: Path) -> None:
    query = "SELECT 1 AS value, '2026-03-14 11:00:00' AS time"
    (found,) = asked(sql(query, metric="m", zone="Asia/Shanghai"))
    assert found["time"] == "2026-03-14T11:00:00+08:00"
    (found,) = asked(sql(query.replace("'2026-03-14 11:00:00'", "1773457200"), metric="m"))
    assert found["time"] == 1773457200


def test_colons_and_percent_signs_are_the_querys_own(desk: Path) -> None:
    query = "SELECT count(*) AS value, 'a:b %s 100%' AS note FROM ticket WHERE queue LIKE '%und%' AND queue <> ':x'"
    (found,) = asked(sql(query, metric="m"))
    assert (found["value"], found["labels"]) == (2, {"note": "a:b %s 100%"})


def test_nothing_is_ever_written(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "readonly" in trouble(sql("DELETE FROM ticket RETURNING 1 AS value", metric="m"))
    assert len(asked(sql("SELECT 1 AS value FROM ticket", metric="m"))) == 3
    missing = tmp_path / "none.db"
    monkeypatch.setenv(URL, f"sqlite:///{missing}")
    assert "is not there" in trouble(sql(WAITS))
    assert not missing.exists()


def test_what_cannot_be_asked_is_one_line_without_its_address(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such table" in trouble(sql("SELECT 1 AS value FROM nowhere"))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS value FROM n"
    assert "interrupted" in trouble(sql(endless, timeout=timedelta(seconds=0.3)))
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10001) SELECT i AS value FROM n"
    assert "more than 10000 rows" in trouble(sql(many))
    for url in ("no url at all", "nodriver://secret@x/y"):
        monkeypatch.setenv(URL, url)
        assert trouble(sql(WAITS)).startswith(f"{URL} is no database's URL")
        assert "secret" not in trouble(sql(WAITS))
    monkeypatch.delenv(URL)
    assert trouble(sql(WAITS)) == f"the environment variable {URL} is not set"


def test_a_database_that_hangs_is_not_asked_a_second_time(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, questions = threading.Event(), []

    def hang(source: PullSource, _now: pendulum.DateTime) -> list[dict[str, Any]]:
        questions.append(source.name)
        assert let_go.wait(20)
        return []

    monkeypatch.setattr("engine.samples.source_query._sql", hang)
    source = sql("SELECT 1 AS value", timeout=timedelta(seconds=-0.9))  # a tenth of a second

    async def work() -> list[str]:
        said = []
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(2):
                with pytest.raises(SourceError) as told:
                    await query_source(source, NOW, client)
                said.append(str(told.value))
            let_go.set()
            for _ in range(500):
                try:
                    assert await query_source(source, NOW, client) == []
                    break
                except SourceError:
                    await asyncio.sleep(0.01)
        return said

    said = asyncio.run(work())
    assert said[0].startswith("no answer within")
    assert said[1] == "the question before is still unanswered"
    assert questions == ["desk", "desk"]


def test_postgresql_is_asked_read_only_and_in_time(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE TABLE ticket (waited numeric, at timestamptz)")
        admin.execute("INSERT INTO ticket VALUES (40.5, '2026-03-14 03:00:00+00')")
    monkeypatch.setenv(URL, postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    (found,) = asked(sql("SELECT sum(waited)::numeric AS value, max(at) AS time, 'x%' AS note FROM ticket", metric="m"))
    assert (found["value"], pendulum.parse(found["time"]), found["labels"]) == (40.5, NOW, {"note": "x%"})
    assert "read-only" in trouble(sql("WITH gone AS (DELETE FROM ticket RETURNING 1) SELECT 1 AS value FROM gone"))
    assert "timeout" in trouble(sql("SELECT pg_sleep(5), 1 AS value", timeout=timedelta(seconds=0.3)))


def test_a_source_is_asked_at_its_interval_and_its_figures_are_kept(desk: Path, figures: SampleStore) -> None:
    source = sql(WAITS, every=timedelta(seconds=0.2))
    pull_until(lambda: {"desk": source}, figures, lambda: len(figures.after(0)[0]) >= 4)
    assert {one.metric for one in figures.series()} == {"wait_time"}
    assert sorted(one.labels["queue"] for one in figures.series()) == ["refunds", "sales"]
    (state,) = list_source_states(figures)
    assert (state.error, state.failures, state.samples) == ("", 0, 2)
    assert state.ok_at is not None


def test_a_failure_is_said_once_shown_and_over_when_it_is_over(
    desk: Path, figures: SampleStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tocsin.sources")
    source = sql("SELECT value FROM later", metric="m", every=timedelta(seconds=0.05))

    def state() -> SourceState | None:
        return next(iter(list_source_states(figures)), None)

    def failed_twice() -> bool:
        found = state()
        return found is not None and found.failures >= 2 and "no such table" in found.error

    pull_until(lambda: {"desk": source}, figures, failed_twice)
    with sqlite3.connect(desk) as database:
        database.execute("CREATE TABLE later AS SELECT 7 AS value")
    pull_until(lambda: {"desk": source}, figures, lambda: len(figures.after(0)[0]) > 0)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "source desk: the database said: no such table" in warned[0]
    pull_until(lambda: {"desk": source}, figures, lambda: getattr(state(), "error", "?") == "")


def test_rows_that_are_no_samples_are_shown_and_the_good_ones_kept(desk: Path, figures: SampleStore) -> None:
    query = "SELECT 'm' AS metric, 1 AS value UNION ALL SELECT 'm', 'many' UNION ALL SELECT 'm', NULL"
    pull_until(
        lambda: {"desk": sql(query)},
        figures,
        lambda: len(figures.after(0)[0]) > 0 and bool(list_source_states(figures)[0].ok_at),
    )
    (state,) = list_source_states(figures)
    assert state.error.startswith("2 of 3 rows refused, the first: value")
    assert state.samples == 1


def test_a_changed_file_changes_what_is_asked(desk: Path, figures: SampleStore) -> None:
    sources = {"desk": sql("SELECT 1 AS value", metric="one")}
    seen: set[str] = set()

    def changed() -> bool:
        seen.update(one.metric for one in figures.series())
        if "one" in seen and "desk" in sources:
            del sources["desk"]
            sources["other"] = PullSource(**{**_fields(sql("SELECT 2 AS value", metric="two")), "name": "other"})
        return {"one", "two"} <= seen and [state.name for state in list_source_states(figures)] == ["other"]

    pull_until(lambda: dict(sources), figures, changed)


def _fields(source: PullSource) -> dict[str, Any]:
    return {name: getattr(source, name) for name in PullSource.__dataclass_fields__}


def test_one_of_many_processes_asks(kept: SampleStore) -> None:
    minute = timedelta(minutes=1)
    assert claim_source(kept, "desk", NOW, minute) is None
    assert claim_source(kept, "desk", NOW, minute) == NOW.add(minutes=1)
    record_success(kept, "desk", NOW, 3, NOW.add(seconds=30))
    assert claim_source(kept, "desk", NOW.add(seconds=29), minute) == NOW.add(seconds=30)
    assert claim_source(kept, "desk", NOW.add(seconds=30), minute) is None


def test_who_fails_is_left_alone_ever_longer(kept: SampleStore) -> None:
    pauses = []
    for _ in range(3):
        record_failure(kept, "desk", NOW, "no answer", lambda times: timedelta(seconds=10 * times))
        pauses.append((list_source_states(kept)[0].next_at - NOW).total_seconds())
    assert pauses == [10, 20, 30]
    assert list_source_states(kept)[0].failures == 3
    record_success(kept, "desk", NOW, 1, NOW)
    assert (list_source_states(kept)[0].failures, list_source_states(kept)[0].error) == (0, "")


# --- Prometheus


class _Exporter(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'desk_errors{svc="checkout"} 0.25\ndesk_errors{svc="search"} 0.5\ndesk_zero 0\n'
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def prometheus(folder: Path, free_port: Callable[[], int]) -> Iterator[str]:
    """Debian's, scraping a tiny exporter, ended with the block."""
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not installed")
    exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Exporter)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    port = free_port()
    (folder / "p.yml").write_text(
        "scrape_configs:\n  - job_name: desk\n    scrape_interval: 1s\n    scrape_timeout: 1s\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{exporter.server_port}']}}]\n"
    )
    command = [
        "prometheus", f"--config.file={folder / 'p.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        exporter.shutdown()
        exporter.server_close()


def test_the_real_prometheus_is_asked(figures: SampleStore, tmp_path: Path, free_port: Callable[[], int]) -> None:
    with prometheus(tmp_path, free_port) as url:
        source = PullSource(
            "shop", "prometheus", "desk_errors", timedelta(seconds=0.3), timedelta(seconds=5), url=url,
            metric="error_rate", labels={"svc": "service"},
        )  # fmt: skip
        pull_until(lambda: {"shop": source}, figures, lambda: len(figures.after(0)[0]) >= 2)
        labels = sorted(one.labels["service"] for one in figures.series())
        assert labels == ["checkout", "search"]
        assert {one.metric for one in figures.series()} == {"error_rate"}
        assert sorted(set(figures.after(0)[0].value)) == [0.25, 0.5]

        def asked_now(query: str, **more: Any) -> list[dict[str, Any]]:
            changed = PullSource(**{**_fields(source), "query": query, "labels": {}, **more})

            async def work() -> list[dict[str, Any]]:
                async with httpx.AsyncClient(trust_env=False) as client:
                    return await query_source(changed, now(), client)

            return asyncio.run(work())

        assert [one["value"] for one in asked_now("scalar(desk_zero) + 3")] == [3]
        assert asked_now("desk_zero / desk_zero") == []  # 0 of 0 is no figure
        (whole,) = asked_now('desk_errors{svc="search"}')
        assert whole["labels"]["svc"] == "search"
        assert "__name__" not in whole["labels"]
        with pytest.raises(SourceError, match=r"refused \(HTTP 400\)"):
            asked_now("sum(")
        with pytest.raises(SourceError, match="gives a matrix"):
            asked_now("desk_errors[5m]")
    with pytest.raises(SourceError, match="cannot be reached"):
        asked_now("up")
