"""Rows of a query become records: fields are found by the names of columns, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, create_engine, text

from storage.rows import read_all, read_first

ROWS = "SELECT 'x' AS unwanted, 2 AS size, 'b' AS name UNION ALL SELECT 'y', 1, 'a' ORDER BY 2"


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class NamedThing(Thing):
    unwanted: str


@dataclass(frozen=True, slots=True)
class Other:
    name: str
    colour: str


@pytest.fixture(name="connection")
def connection_fixture() -> Iterator[Connection]:
    with create_engine("sqlite://").connect() as connection:
        yield connection


def test_fields_are_found_by_name_and_other_columns_left_out(connection: Connection) -> None:
    assert read_all(connection, Thing, text(ROWS)) == [Thing("a", 1), Thing("b", 2)]
    assert read_all(connection, NamedThing, text(ROWS)) == [NamedThing("a", 1, "y"), NamedThing("b", 2, "x")]


def test_the_first_or_none(connection: Connection) -> None:
    assert read_first(connection, Thing, text(ROWS)) == Thing("a", 1)
    assert read_first(connection, Thing, text("SELECT 1 AS size, 'a' AS name WHERE 1 = 0")) is None


def test_a_field_without_a_column_is_a_mistake_of_the_query(connection: Connection) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        read_all(connection, Other, text(ROWS))
