"""The file of sources: what is wrong is named with file, line, field and what would be right."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from playbooks.errors import BadFile
from playbooks.sources_file import SourcesFile, parse_sources

SQL = "sources:\n  tickets:\n    kind: sql\n    url_env: DESK_URL\n    query: SELECT 1 AS value\n    metric: backlog\n"
PROMETHEUS = "sources:\n  shop:\n    kind: prometheus\n    url: http://127.0.0.1:9090/\n"
PROMETHEUS += "    query: up\n    metric: availability\n"


def test_a_source_is_read_with_its_defaults() -> None:
    (sql,) = parse_sources(SQL + "    every: 30s\n    timeout: 5s\n", "s.yaml").values()
    assert (sql.name, sql.kind, sql.url_env, sql.metric) == ("tickets", "sql", "DESK_URL", "backlog")
    assert (sql.every, sql.timeout) == (timedelta(seconds=30), timedelta(seconds=5))
    (shop,) = parse_sources(PROMETHEUS + "    labels: {svc: service}\n", "s.yaml").values()
    assert (shop.url, shop.labels, shop.every) == ("http://127.0.0.1:9090", {"svc": "service"}, timedelta(minutes=1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SQL.replace("SELECT 1", "DELETE"), "s.yaml:5: sources.tickets.query: does not begin with SELECT"),
        (SQL.replace("    url_env: DESK_URL\n", ""), "sources.tickets.url_env: is missing"),
        (SQL.replace("DESK_URL", "postgresql://a:b@c/d"), "url_env"),
        (SQL + "    every: 1s\n", "every: 1s is too often; 5s or more"),
        (SQL + "    timeout: 2m\n", "timeout: 2m is longer than 1m"),
        (SQL + "    every: often\n", "'often' is not a duration"),
        (SQL + "    url: http://x\n", "url: belongs to prometheus"),
        (SQL + "    timezone: Mars\n", "no time zone 'Mars'"),
        (SQL.replace("kind: sql", "kind: sqll"), "'sqll' is not known; did you mean sql?"),
        (SQL.replace("query", "querry"), "querry: unknown key; did you mean query?"),
        (PROMETHEUS.replace("http://127.0.0.1:9090/", "localhost"), "url: is no address"),
        (PROMETHEUS.replace("127.0.0.1", "u:secret@127.0.0.1"), "url: holds a password"),
        (PROMETHEUS.replace("    metric: availability\n", ""), "metric: is missing"),
        (PROMETHEUS + "    timezone: UTC\n", "timezone: belongs to sql"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(BadFile) as bad:
        parse_sources(text, "s.yaml")
    assert says in str(bad.value)
    assert "secret" not in str(bad.value)


@pytest.mark.parametrize(
    "query", ["  select 1", "-- why\nSELECT 1", "/* why */ WITH a AS (SELECT 1) SELECT 1", "VALUES (1)"]
)
def test_queries_that_read(query: str) -> None:
    text = SQL.replace("query: SELECT 1 AS value", f"query: {query!r}".replace("\\n", "\n\n      ").replace("'", '"'))
    assert parse_sources(text, "s.yaml")["tickets"].query.split()


def test_the_sample_that_ships_is_sound_and_asks_nobody() -> None:
    sample = Path(__file__).parents[2] / "playbooks" / "sample" / "sources.yaml"
    text = sample.read_text(encoding="utf-8")
    assert parse_sources(text, "sources.yaml") == {}
    lines = text.splitlines()
    shown = "\n".join(line[2:] for line in lines[lines.index("# sources:") : -1])
    assert set(parse_sources(shown, "sources.yaml")) == {"tickets", "checkout-errors"}


def test_the_last_good_version_stays_in_force(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "sources.yaml"
    file = SourcesFile(path, clock=lambda: now[0])
    assert file.current() == {}
    path.write_text(SQL)
    now[0] = 2
    assert set(file.current()) == {"tickets"}
    path.write_text(SQL.replace("SELECT", "DELETE"))
    now[0] = 4
    assert set(file.current()) == {"tickets"}
    assert "does not begin with SELECT" in str(file.findings()[0])
    path.unlink()
    now[0] = 6
    assert (file.current(), file.findings()) == ({}, [])
