"""The sources file: databases and Prometheus servers that are polled for samples, each at its interval."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from domain.durations import parse_duration
from playbooks.errors import FileFinding
from playbooks.field_types import Duration, FileForm, Id, TimeZone
from playbooks.validation_messages import read_form
from playbooks.watched_file import Clock, OptionalFile
from playbooks.yaml_source import YamlSource, read_text

SHORTEST_INTERVAL = timedelta(seconds=5)
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_READS = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|with|values|table)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class PullSource:
    """A source that is polled.

    Attributes:
        url_env: sql: the environment variable that holds the SQLAlchemy URL; the file itself holds no password.
        url: prometheus: the server's address.
        metric: prometheus: what the figures are called here; sql: of rows without a column metric.
        labels: prometheus: its label to ours, and no others; empty: all of them under their own names.
        token_env: prometheus: the environment variable that holds a bearer token; empty: none.
        zone: sql: of times without an offset; empty: such times are refused.
    """

    name: str
    kind: Literal["sql", "prometheus"]
    query: str
    every: timedelta
    timeout: timedelta
    url_env: str = ""
    url: str = ""
    metric: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    token_env: str = ""
    zone: str = ""


class SourceForm(FileForm):
    """A source of samples."""

    kind: Literal["sql", "prometheus"] = Field(description="What it is: sql or prometheus.", examples=["sql"])
    query: str = Field(
        min_length=1,
        max_length=20_000,
        description="sql: a SELECT of metric, value and perhaps time, count, any labels. prometheus: an expression.",
        examples=["SELECT 'backlog' AS metric, count(*) AS value, queue FROM tickets GROUP BY queue"],
    )
    every: Duration = Field("1m", description="How often it is asked.", examples=["30s"])
    timeout: Duration = Field("10s", description="An answer that takes longer is none.", examples=["10s"])
    url_env: str = Field(
        "",
        pattern=_VARIABLE + "|^$",
        description="sql: the environment variable with its SQLAlchemy URL.",
        examples=["TICKETS_DATABASE_URL"],
    )
    url: str = Field("", max_length=500, description="prometheus: its address.", examples=["http://127.0.0.1:9090"])
    metric: str = Field(
        "", max_length=120, description="What the figures are called; sql may say it in a column.", examples=["backlog"]
    )
    labels: dict[str, str] = Field(
        {}, description="prometheus: its labels and what they are called here.", examples=[{"svc": "service"}]
    )
    token_env: str = Field(
        "",
        pattern=_VARIABLE + "|^$",
        description="prometheus: the environment variable with a bearer token.",
        examples=["PROMETHEUS_TOKEN"],
    )
    timezone: TimeZone | None = Field(None, description="sql: of times without an offset.", examples=["Asia/Shanghai"])


class SourcesForm(FileForm):
    """All sources."""

    sources: dict[Id, SourceForm] = Field(description="Sources by name.", examples=["{tickets: {...}}"])


def parse_sources(text: str, file: str) -> dict[str, PullSource]:
    """Parse the sources that `text` describes, by name.

    Raises:
        BadFile: broken YAML, unknown keys, wrong values, a query that does not read.
    """
    form = read_form(SourcesForm, text, file, _all_wrong)
    return {name: _built(name, source) for name, source in form.sources.items()}


def _all_wrong(form: SourcesForm, found: YamlSource) -> Iterator[FileFinding]:
    for name, source in form.sources.items():
        yield from _wrong(name, source, found)


def _wrong(name: str, form: SourceForm, found: YamlSource) -> Iterator[FileFinding]:
    at = ("sources", name)
    if parse_duration(form.every) < SHORTEST_INTERVAL:
        yield found.finding((*at, "every"), f"{form.every} is too often", "5s or more")
    if parse_duration(form.timeout) > max(parse_duration(form.every), SHORTEST_INTERVAL):
        yield found.finding((*at, "timeout"), f"{form.timeout} is longer than {form.every}", "less than `every`")
    yield from _wrong_sql(at, form, found) if form.kind == "sql" else _wrong_prometheus(at, form, found)


def _wrong_sql(at: tuple[str, str], form: SourceForm, found: YamlSource) -> Iterator[FileFinding]:
    if not form.url_env:
        yield found.finding((*at, "url_env"), "is missing", "url_env: TICKETS_DATABASE_URL, which holds the URL")
    if not _READS.match(form.query):
        yield found.finding((*at, "query"), "does not begin with SELECT or WITH", "a source only reads")
    for key in ("url", "labels", "token_env"):
        if getattr(form, key):
            yield found.finding((*at, key), "belongs to prometheus", "remove it; columns are labels")


def _wrong_prometheus(at: tuple[str, str], form: SourceForm, found: YamlSource) -> Iterator[FileFinding]:
    parts = urlsplit(form.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield found.finding((*at, "url"), "is no address", "url: http://127.0.0.1:9090")
    elif parts.username or parts.password:
        yield found.finding((*at, "url"), "holds a password", "name a variable with a token: token_env")
    if not form.metric:
        yield found.finding((*at, "metric"), "is missing", "metric: error_rate")
    for key in ("url_env", "timezone"):
        if getattr(form, key):
            yield found.finding((*at, key), "belongs to sql", "remove it")


def _built(name: str, form: SourceForm) -> PullSource:
    return PullSource(
        name=name,
        kind=form.kind,
        query=form.query,
        every=parse_duration(form.every),
        timeout=parse_duration(form.timeout),
        url_env=form.url_env,
        url=form.url.rstrip("/"),
        metric=form.metric,
        labels=dict(form.labels),
        token_env=form.token_env,
        zone=form.timezone or "",
    )


class SourcesFile(OptionalFile[dict[str, PullSource]]):
    """The sources in force, by name; none where there is no file."""

    def __init__(self, path: Path, *, clock: Clock = time.monotonic) -> None:
        super().__init__(path, lambda file: parse_sources(read_text(file), str(file)), dict, clock=clock)
