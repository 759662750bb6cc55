"""Warnings, rule states and silences; written only when something changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pendulum
from pendulum import DateTime
from sqlalchemy import Connection, Row, desc, insert, select, update

from domain.warning.disposition import Disposition, RaisedWarning, Silence
from domain.warning.rule import SeriesKey, Tier
from domain.warning.rule_state import RulePhase, RuleState
from storage.conflict_insert import insert_into
from storage.incidents.tables import IncidentRow, RuleStateRow, SilenceRow, WarningRow
from storage.rows import read_all
from storage.samples.sample_store import LIVE_FEED

RULE_STATE = RuleStateRow.__table__  # type: ignore[attr-defined]
WARNING = WarningRow.__table__  # type: ignore[attr-defined]
SILENCE = SilenceRow.__table__  # type: ignore[attr-defined]
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]
WARNING_RETENTION = timedelta(days=7)  # how long an ended warning is asked for by the rule's `quiet`


@dataclass(frozen=True, slots=True)
class WarningRecord:
    """A warning as recorded: one firing of a rule on one of its series. Times are the figures'."""

    id: str
    lane: str  # the feed; empty: live figures
    rule: str
    title: dict[str, str]  # by language, as the rule had it then
    series: str  # `parse_series` reads its labels
    tier: str
    worst: str  # the highest tier that it reached
    course: str  # called | joined | held | shown
    because: dict[str, str]  # by language
    began_at: DateTime
    ended_at: DateTime | None
    matter: str  # id of the case whose responses it runs; empty: none
    playbook: str
    service: str
    value: float | None
    baseline: float | None
    link: str  # where the monitor that said it shows it


@dataclass(frozen=True, slots=True)
class ListedWarning(WarningRecord):
    """A warning as people read it, with its case."""

    ref: str | None  # the reference of its case; None: it has none


_TIMES = ("since", "firing_since", "worse_since")


def format_series(series: SeriesKey) -> str:
    """Format a series as the name in its row."""
    return msgspec.json.encode(series).decode()


def parse_series(text: str) -> SeriesKey:
    """Parse the series of such a name."""
    return tuple((str(name), str(value)) for name, value in msgspec.json.decode(text))


# --- standings ---------------------------------------------------------------------------------------------------


def load_rule_states(connection: Connection, feed: str) -> dict[tuple[str, SeriesKey], RuleState]:
    """Load the state of every rule on a feed."""
    rows = connection.execute(select(RULE_STATE).where(RULE_STATE.c.lane == feed))
    return {(row.rule, parse_series(row.series)): _rule_state(row.standing) for row in rows}


def save_rule_states(
    connection: Connection, feed: str, standing_of: Mapping[tuple[str, SeriesKey], RuleState], at: DateTime
) -> None:
    """Save the present state of these rules."""
    rows = [
        {"lane": feed, "rule": rule, "series": format_series(series), "standing": _document(standing), "at": at}
        for (rule, series), standing in standing_of.items()
    ]
    if not rows:
        return
    statement = insert_into(connection, RULE_STATE)
    changed = {"standing": statement.excluded.standing, "at": statement.excluded.at}
    keys = ["lane", "rule", "series"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def _document(standing: RuleState) -> dict[str, Any]:
    nothing = asdict(RuleState())
    document = {name: value for name, value in asdict(standing).items() if value != nothing[name] or name == "phase"}
    return {**document, **{name: document[name].isoformat() for name in _TIMES if name in document}}


def _rule_state(document: Mapping[str, Any]) -> RuleState:
    values = dict(document)
    for name in _TIMES:
        if name in values:
            values[name] = pendulum.parse(values[name])
    values["phase"] = RulePhase(values["phase"])
    for name in ("tier", "worse"):
        if name in values:
            values[name] = Tier(values[name])
    return RuleState(**values)


# --- warnings ----------------------------------------------------------------------------------------------------


def list_open_warnings(connection: Connection, feed: str) -> list[RaisedWarning]:
    """List every open warning of a feed, the oldest first."""
    query = select(WARNING).where(WARNING.c.lane == feed, WARNING.c.ended_at.is_(None)).order_by(WARNING.c.began_at)
    return [_raised(row) for row in connection.execute(query)]


def list_ended_warnings(
    connection: Connection, feed: str, rules: Iterable[str], since: DateTime
) -> list[RaisedWarning]:
    """List warnings of these rules that ended since then, the newest first."""
    query = select(WARNING).where(WARNING.c.lane == feed, WARNING.c.rule.in_(list(rules)), WARNING.c.ended_at >= since)
    return [_raised(row) for row in connection.execute(query.order_by(desc(WARNING.c.ended_at)))]


def find_newest_warning(connection: Connection, feed: str, rule: str, series: SeriesKey) -> RaisedWarning | None:
    """Find the newest warning of a rule on one of its series, ended or not."""
    query = select(WARNING).where(
        WARNING.c.lane == feed, WARNING.c.rule == rule, WARNING.c.series == format_series(series)
    )
    row = connection.execute(query.order_by(desc(WARNING.c.began_at)).limit(1)).first()
    return _raised(row) if row else None


def get_warning(connection: Connection, name: str) -> RaisedWarning | None:
    """Return a warning by its id."""
    row = connection.execute(select(WARNING).where(WARNING.c.id == name)).first()
    return _raised(row) if row else None


def list_case_warnings(connection: Connection, case: str) -> list[RaisedWarning]:
    """List every warning, ended or not, that runs the responses of that incident or warning."""
    query = select(WARNING).where(WARNING.c.matter == case).order_by(WARNING.c.began_at)
    return [_raised(row) for row in connection.execute(query)]


def add_warning(connection: Connection, feed: str, raised: RaisedWarning, **more: Any) -> None:
    """Add a warning. `more`: title, because, made_at, link."""
    connection.execute(insert(WARNING).values(lane=feed, worst=raised.tier, **_columns(raised), **more))


def update_warning(connection: Connection, raised: RaisedWarning, **more: Any) -> None:
    """Update a warning that worsened, eased, ended, or got another disposition."""
    connection.execute(update(WARNING).where(WARNING.c.id == raised.id).values(**_columns(raised), **more))


def _columns(raised: RaisedWarning) -> dict[str, Any]:
    return {
        "id": raised.id, "rule": raised.rule, "series": format_series(raised.series), "tier": str(raised.tier),
        "course": str(raised.course), "began_at": raised.began_at, "ended_at": raised.ended_at,
        "matter": raised.matter, "playbook": raised.playbook, "service": raised.service, "value": raised.value,
        "baseline": raised.baseline,
    }  # fmt: skip


def _raised(row: Row[Any]) -> RaisedWarning:
    return RaisedWarning(
        id=row.id, rule=row.rule, series=parse_series(row.series), tier=Tier(row.tier), course=Disposition(row.course),
        began_at=row.began_at, ended_at=row.ended_at, matter=row.matter, playbook=row.playbook, service=row.service,
        value=row.value, baseline=row.baseline,
    )  # fmt: skip


def list_warnings(
    connection: Connection, *, feed: str | None = LIVE_FEED, standing_only: bool = True, limit: int = 200
) -> list[ListedWarning]:
    """List warnings for people, the newest first, each with the reference of its case.

    `lane` None: of every feed.
    """
    query = select(WARNING, INCIDENT.c.ref).outerjoin(INCIDENT, INCIDENT.c.id == WARNING.c.matter)
    if feed is not None:
        query = query.where(WARNING.c.lane == feed)
    if standing_only:
        query = query.where(WARNING.c.ended_at.is_(None))
    return read_all(connection, ListedWarning, query.order_by(desc(WARNING.c.began_at), WARNING.c.id).limit(limit))


def list_warnings_begun(connection: Connection, start: DateTime, end: DateTime) -> list[WarningRecord]:
    """List the live warnings that began in [start, end), the oldest first."""
    when = WARNING.c.began_at
    query = select(WARNING).where(WARNING.c.lane == LIVE_FEED, when >= start, when < end)
    return read_all(connection, WarningRecord, query.order_by(when))


# --- silences ----------------------------------------------------------------------------------------------------


def list_silences(connection: Connection, now: DateTime) -> list[Silence]:
    """List the silences in force, the first to end first."""
    query = select(SILENCE).where(SILENCE.c.until > now).order_by(SILENCE.c.until, SILENCE.c.id)
    return [
        Silence(id=row.id, until=row.until, reason=row.reason, by=row.by, rule=row.rule, labels=row.labels)
        for row in connection.execute(query)
    ]


def add_silence(connection: Connection, silence: Silence, now: DateTime) -> bool:
    """Add a silence; False where one of that id is there already (the same request again)."""
    values = {**asdict(silence), "labels": dict(silence.labels), "made_at": now}
    statement = insert_into(connection, SILENCE).values(values).on_conflict_do_nothing().returning(SILENCE.c.id)
    return connection.execute(statement).first() is not None


def end_silence(connection: Connection, name: str, now: DateTime) -> bool:
    """End a silence now; False where none of that id is in force."""
    mine = (SILENCE.c.id == name) & (SILENCE.c.until > now)
    return bool(connection.execute(update(SILENCE).where(mine).values(until=now)).rowcount)


def list_rule_phases(connection: Connection, rules: Sequence[str], feed: str = LIVE_FEED) -> dict[str, list[str]]:
    """List the phases of these rules, one for each series that is or was not ok."""
    query = select(RULE_STATE.c.rule, RULE_STATE.c.standing)
    query = query.where(RULE_STATE.c.lane == feed, RULE_STATE.c.rule.in_(list(rules)))
    found: dict[str, list[str]] = {name: [] for name in rules}
    for row in connection.execute(query):
        found[row.rule].append(str(row.standing.get("phase", RulePhase.OK)))
    return found
