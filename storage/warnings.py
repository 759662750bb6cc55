"""Where rules stand, which warnings there are, and silences: written only when something changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import msgspec
import pendulum
from pendulum import DateTime
from sqlalchemy import Connection, Row, delete, desc, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.warning.raised import Course, Raised, Silence
from domain.warning.rule import SeriesKey, Tier
from domain.warning.standing import Phase, Standing
from storage.tables import IncidentRow, RuleStandingRow, SilenceRow, WarningRow

STANDING = RuleStandingRow.__table__  # type: ignore[attr-defined]
WARNING = WarningRow.__table__  # type: ignore[attr-defined]
SILENCE = SilenceRow.__table__  # type: ignore[attr-defined]
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]
LIVE = ""
REMEMBERED = timedelta(days=7)  # how long an ended warning is asked for by the rule's `quiet`
_TIMES = ("since", "firing_since", "worse_since")


def series_text(series: SeriesKey) -> str:
    """A series as its row names it."""
    return msgspec.json.encode(series).decode()


def series_of(text: str) -> SeriesKey:
    """The series of such a name."""
    return tuple((str(name), str(value)) for name, value in msgspec.json.decode(text))


# --- standings ---------------------------------------------------------------------------------------------------


def standings(connection: Connection, lane: str) -> dict[tuple[str, SeriesKey], Standing]:
    """Where every rule stands on a lane."""
    rows = connection.execute(select(STANDING).where(STANDING.c.lane == lane))
    return {(row.rule, series_of(row.series)): _standing(row.standing) for row in rows}


def keep_standings(
    connection: Connection, lane: str, standing_of: Mapping[tuple[str, SeriesKey], Standing], at: DateTime
) -> None:
    """Write where these rules stand now."""
    rows = [
        {"lane": lane, "rule": rule, "series": series_text(series), "standing": _document(standing), "at": at}
        for (rule, series), standing in standing_of.items()
    ]
    if not rows:
        return
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(STANDING)
    changed = {"standing": statement.excluded.standing, "at": statement.excluded.at}
    keys = ["lane", "rule", "series"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def forget_lane(connection: Connection, lane: str) -> None:
    """A replay begins anew, or is no longer wanted: its standings go; its warnings stay on record."""
    connection.execute(delete(STANDING).where(STANDING.c.lane == lane))


def _document(standing: Standing) -> dict[str, Any]:
    nothing = asdict(Standing())
    document = {name: value for name, value in asdict(standing).items() if value != nothing[name] or name == "phase"}
    return {**document, **{name: document[name].isoformat() for name in _TIMES if name in document}}


def _standing(document: Mapping[str, Any]) -> Standing:
    values = dict(document)
    for name in _TIMES:
        if name in values:
            values[name] = pendulum.parse(values[name])
    values["phase"] = Phase(values["phase"])
    for name in ("tier", "worse"):
        if name in values:
            values[name] = Tier(values[name])
    return Standing(**values)


# --- warnings ----------------------------------------------------------------------------------------------------


def open_warnings(connection: Connection, lane: str) -> list[Raised]:
    """Every warning of a lane that stands, the oldest first."""
    query = select(WARNING).where(WARNING.c.lane == lane, WARNING.c.ended_at.is_(None)).order_by(WARNING.c.began_at)
    return [_raised(row) for row in connection.execute(query)]


def ended_warnings(connection: Connection, lane: str, rules: Iterable[str], since: DateTime) -> list[Raised]:
    """Warnings of these rules that ended since then, the newest first."""
    query = select(WARNING).where(WARNING.c.lane == lane, WARNING.c.rule.in_(list(rules)), WARNING.c.ended_at >= since)
    return [_raised(row) for row in connection.execute(query.order_by(desc(WARNING.c.ended_at)))]


def newest(connection: Connection, lane: str, rule: str, series: SeriesKey) -> Raised | None:
    """The newest warning of a rule on one of its series, ended or not."""
    query = select(WARNING).where(
        WARNING.c.lane == lane, WARNING.c.rule == rule, WARNING.c.series == series_text(series)
    )
    row = connection.execute(query.order_by(desc(WARNING.c.began_at)).limit(1)).first()
    return _raised(row) if row else None


def get(connection: Connection, name: str) -> Raised | None:
    """A warning by its id."""
    row = connection.execute(select(WARNING).where(WARNING.c.id == name)).first()
    return _raised(row) if row else None


def of_matter(connection: Connection, matter: str) -> list[Raised]:
    """Every warning, ended or not, that runs the responses of that incident or warning."""
    query = select(WARNING).where(WARNING.c.matter == matter).order_by(WARNING.c.began_at)
    return [_raised(row) for row in connection.execute(query)]


def add_warning(connection: Connection, lane: str, raised: Raised, **more: Any) -> None:
    """A new warning. `more`: title, because, made_at, link."""
    connection.execute(insert(WARNING).values(lane=lane, worst=raised.tier, **_columns(raised), **more))


def change_warning(connection: Connection, raised: Raised, **more: Any) -> None:
    """A warning that worsened, eased, ended, or of which something else was made."""
    connection.execute(update(WARNING).where(WARNING.c.id == raised.id).values(**_columns(raised), **more))


def _columns(raised: Raised) -> dict[str, Any]:
    return {
        "id": raised.id, "rule": raised.rule, "series": series_text(raised.series), "tier": str(raised.tier),
        "course": str(raised.course), "began_at": raised.began_at, "ended_at": raised.ended_at,
        "matter": raised.matter, "playbook": raised.playbook, "service": raised.service, "value": raised.value,
        "baseline": raised.baseline,
    }  # fmt: skip


def _raised(row: Row[Any]) -> Raised:
    return Raised(
        id=row.id, rule=row.rule, series=series_of(row.series), tier=Tier(row.tier), course=Course(row.course),
        began_at=row.began_at, ended_at=row.ended_at, matter=row.matter, playbook=row.playbook, service=row.service,
        value=row.value, baseline=row.baseline,
    )  # fmt: skip


def listed(
    connection: Connection, *, lane: str | None = LIVE, standing_only: bool = True, limit: int = 200
) -> list[Row[Any]]:
    """Warnings for people, the newest first, each with the reference of its matter. `lane` None: of every lane."""
    query = select(WARNING, INCIDENT.c.ref).outerjoin(INCIDENT, INCIDENT.c.id == WARNING.c.matter)
    if lane is not None:
        query = query.where(WARNING.c.lane == lane)
    if standing_only:
        query = query.where(WARNING.c.ended_at.is_(None))
    return list(connection.execute(query.order_by(desc(WARNING.c.began_at), WARNING.c.id).limit(limit)))


def count_standing(connection: Connection) -> int:
    """How many live warnings stand."""
    query = select(func.count()).select_from(WARNING).where(WARNING.c.lane == LIVE, WARNING.c.ended_at.is_(None))
    return int(connection.execute(query).scalar_one())


# --- silences ----------------------------------------------------------------------------------------------------


def silences(connection: Connection, now: DateTime) -> list[Silence]:
    """Silences in force, the first to end first."""
    query = select(SILENCE).where(SILENCE.c.until > now).order_by(SILENCE.c.until, SILENCE.c.id)
    return [
        Silence(id=row.id, until=row.until, reason=row.reason, by=row.by, rule=row.rule, labels=row.labels)
        for row in connection.execute(query)
    ]


def add_silence(connection: Connection, silence: Silence, now: DateTime) -> bool:
    """A new silence; False where one of that id is there already (the same request again)."""
    values = {**asdict(silence), "labels": dict(silence.labels), "made_at": now}
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(SILENCE).values(values).on_conflict_do_nothing().returning(SILENCE.c.id)
    return connection.execute(statement).first() is not None


def end_silence(connection: Connection, name: str, now: DateTime) -> bool:
    """End a silence now; False where none of that id is in force."""
    mine = (SILENCE.c.id == name) & (SILENCE.c.until > now)
    return bool(connection.execute(update(SILENCE).where(mine).values(until=now)).rowcount)


def known_rules(connection: Connection, rules: Sequence[str], lane: str = LIVE) -> dict[str, list[Row[Any]]]:
    """Where these rules stand, series by series."""
    query = select(STANDING).where(STANDING.c.lane == lane, STANDING.c.rule.in_(list(rules)))
    found: dict[str, list[Row[Any]]] = {name: [] for name in rules}
    for row in connection.execute(query.order_by(STANDING.c.series)):
        found[row.rule].append(row)
    return found
