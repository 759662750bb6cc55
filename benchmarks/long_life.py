"""A long-lived installation: one incident lived through, then copied ten thousand times by the database."""

from __future__ import annotations

from typing import Any

import pendulum
from pendulum import DateTime
from sqlalchemy import Connection, Table, select, text

from domain.commands import Acknowledge, Close, Declare, Done, Note
from domain.facts import Fact, FactKind
from engine.installation import Installation
from engine.response import commands
from engine.response.declaration_batch import response_id
from engine.response.turn import lease_turns, take_turn
from storage.incidents import incidents, timeline
from storage.incidents.incidents import INCIDENT, RESPONSE, STEP
from storage.incidents.timeline import FACT
from storage.outbox import OUTBOX

INCIDENTS = 10_000
FACTS = 100  # of each
NOTES = 5  # among them: what people wrote
OPEN = 30
PLAYBOOK = "service-outage"
TITLES = ("Checkout is down", "Refunds are late", "Login codes arrive late", "Search finds nothing", "The app crashes")
SERVICES = ("checkout", "refunds", "login", "search", "app")


def live_long(installation: Installation, count: int = INCIDENTS) -> dict[str, int]:
    """Fill it; how many rows of each there are then."""
    now = pendulum.now("UTC")
    pattern = _lived(installation, now.subtract(days=2))
    with installation.database.write() as connection:
        _cast(connection, pattern, count)
    for number in range(OPEN):
        playbook = "four-hour-response" if number % 2 else PLAYBOOK
        title, service = TITLES[number % len(TITLES)], SERVICES[number % len(SERVICES)]
        commands.declare(
            installation, Declare(id=f"open-{number}", title=title, playbook=playbook, service=service), now
        )
    last = commands.declare(
        installation, Declare(id="open-last", title="Payments fail", playbook="four-hour-response"), now
    )
    _turn(installation, last.ref, now)
    with installation.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("ANALYZE"))
    with installation.database.read() as connection:
        return {
            name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())  # noqa: S608 - names of ours
            for name in ("incident", "fact", "step", "outbox")
        }


def _lived(installation: Installation, began: DateTime) -> str:
    """One incident from its declaration to its end; its id."""
    declare = Declare(id="pattern", title=TITLES[0], playbook=PLAYBOOK, by="alice", service=SERVICES[0])
    ref = commands.declare(installation, declare, began).ref
    _turn(installation, ref, began)
    with installation.database.read() as connection:
        steps = connection.execute(select(STEP.c.id).where(STEP.c.status == "open")).scalars().all()
    for place, step in enumerate(steps):
        given: dict[str, Any] = {"incident": ref, "by": "fenglei", "step": step}
        commands.carry_out_command(installation, Acknowledge(id=f"a{place}", **given), began.add(minutes=3))
        try:
            commands.carry_out_command(
                installation, Done(id=f"d{place}", **given, evidence="done"), began.add(minutes=9 + place)
            )
        except commands.CommandRefused:
            continue
    with installation.database.read() as connection:
        told = incidents.count_facts(connection, "pattern")
    for place in range(NOTES):
        note = Note(id=f"n{place}", incident=ref, by="alice", text=f"Region {place} is looked at")
        commands.carry_out_command(installation, note, began.add(minutes=20, seconds=place))
    reminded = [
        Fact(FactKind.REMINDED, began.add(minutes=21, seconds=place), steps[0], data={"told": ["erik"]})
        for place in range(FACTS - told - NOTES - 1)
    ]
    with installation.database.write() as connection:
        timeline.append_facts(connection, "pattern", reminded, response_id=response_id("pattern", PLAYBOOK))
    commands.carry_out_command(
        installation, Close(id="close", incident=ref, by="alice", reason="over"), began.add(hours=1)
    )
    with installation.database.write() as connection:
        connection.execute(INCIDENT.update().where(INCIDENT.c.id == "pattern").values(status="completed"))
        connection.execute(RESPONSE.update().values(wake_at=None, finished_at=began.add(hours=2)))
        connection.execute(OUTBOX.update().values(state="sent", sent_at=began.add(seconds=2)))
    return "pattern"


def _turn(installation: Installation, ref: str, now: DateTime) -> None:
    with installation.database.read() as connection:
        ids = incidents.list_response_ids(connection, incidents.find_incident_id(connection, ref))
    for lease in lease_turns(installation, ids, now):
        take_turn(installation, lease, now, driver="prefect")


def _cast(connection: Connection, pattern: str, count: int) -> None:
    """The same again under other names, spread over a year. Their chains of hashes are those of the pattern."""
    old = response_id(pattern, PLAYBOOK)
    year = 360 * 86_400
    mine = {"incident_id": ":new", "response_id": ":response"}
    named = {name: f":{name}" for name in ("number", "ref", "title", "service")}
    statements = [
        _copy(connection, INCIDENT, "id = :pattern", {"id": ":new", **named}),
        _copy(connection, RESPONSE, "id = :old", {"id": ":response", "incident_id": ":new"}),
        _copy(connection, STEP, "response_id = :old", {"response_id": ":response"}),
        _copy(connection, FACT, "incident_id = :pattern", mine),
        _copy(connection, OUTBOX, "incident_id = :pattern", {**mine, "key": "key || :suffix"}),
    ]
    for number in range(2, count + 1):
        new = f"cast-{number}"
        values = {
            "pattern": pattern, "old": old, "new": new, "response": response_id(new, PLAYBOOK), "number": number,
            "ref": f"INC-{number}", "title": f"{TITLES[number % 5]} in region {number % 97}",
            "service": SERVICES[number % 5], "suffix": f"/{number}", "ago": year * (count - number) // count,
        }  # fmt: skip
        for statement in statements:
            connection.execute(
                statement, {name: value for name, value in values.items() if f":{name}" in statement.text}
            )
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval(pg_get_serial_sequence('incident', 'number'), :last)"), {"last": count})


def _copy(connection: Connection, table: Table, where: str, changed: dict[str, str]) -> Any:
    """One row of the pattern as another's: times earlier by `:ago` seconds, these columns changed."""
    sqlite = connection.dialect.name == "sqlite"
    columns, values = [], []
    for column in table.columns:
        if column.name == "id" and table is OUTBOX:
            continue
        columns.append(f'"{column.name}"')
        if column.name in changed:
            values.append(changed[column.name])
        elif type(column.type).__name__ == "UtcDateTime":
            earlier = ":ago * 1000000" if sqlite else "make_interval(secs => :ago)"
            values.append(f'"{column.name}" - {earlier}')
        else:
            values.append(f'"{column.name}"')
    listed, made = ", ".join(columns), ", ".join(values)
    return text(f"INSERT INTO {table.name} ({listed}) SELECT {made} FROM {table.name} WHERE {where}")  # noqa: S608
