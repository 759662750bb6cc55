"""A file of affected customers with every kind of broken row, a stated number of each. Used by test and benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADER = b"id,contact,language,order_value,poor_service_30d,compensation,time_zone,public_complaint"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of broken row: `{n}` is its number. `says`: how the reason begins."""

    name: str
    row: bytes
    says: str


KINDS = (
    Kind("no id", b",k%d@example.com,en,1,0,0,UTC,no", "id: is empty"),
    Kind("id too long", b"%d" + b"9" * 70 + b",k@example.com,en,1,0,0,UTC,no", "id: is longer"),
    Kind("id is a mail address", b"k%d@example.com,,en,1,0,0,UTC,no", "id: is a contact"),
    Kind("id is a phone number", b"+4915%09d,,en,1,0,0,UTC,no", "id: is a contact"),
    Kind("contact is none", b"K%d,nobody,en,1,0,0,UTC,no", "contact: neither"),
    Kind("two mail addresses", b"K%d,a@example.com;b@example.com,en,1,0,0,UTC,no", "contact: neither"),
    Kind("phone without country code", b"K%d,13800000000,en,1,0,0,UTC,no", "contact: neither"),
    Kind("a formula as contact", b'K%d,"=HYPERLINK(""http://example.com"")",en,1,0,0,UTC,no', "contact: neither"),
    Kind("header injection", b"K%d,k@example.com%%0d%%0aBcc:x@example.com,en,1,0,0,UTC,no", "contact: neither"),
    Kind("unknown language", b"K%d,k@example.com,tlh,1,0,0,UTC,no", "language: "),
    Kind("order value in words", b"K%d,k@example.com,en,much,0,0,UTC,no", "order_value: "),
    Kind("order value below zero", b"K%d,k@example.com,en,-5,0,0,UTC,no", "order_value: "),
    Kind("order value too large", b"K%d,k@example.com,en,99999999999,0,0,UTC,no", "order_value: "),
    Kind("three decimals", b"K%d,k@example.com,en,1.234,0,0,UTC,no", "order_value: "),
    Kind("digits of another script", "K%d,k@example.com,en,١٢,0,0,UTC,no".encode(), "order_value: "),
    Kind("poor service in words", b"K%d,k@example.com,en,1,often,0,UTC,no", "poor_service_30d: "),
    Kind("compensation in words", b"K%d,k@example.com,en,1,0,some,UTC,no", "compensation: "),
    Kind("unknown time zone", b"K%d,k@example.com,en,1,0,0,Mars/Olympus,no", "time_zone: "),
    Kind("a path as time zone", b"K%d,k@example.com,en,1,0,0,../../etc/passwd,no", "time_zone: "),
    Kind("neither yes nor no", b"K%d,k@example.com,en,1,0,0,UTC,perhaps", "public_complaint: "),
    Kind("a control character", b"K%d,k@example.com,en,1,0,0,UTC\x07,no", "time_zone: holds"),
    Kind("a NUL", b"K%d\x00,k@example.com,en,1,0,0,UTC,no", "id: holds"),
    Kind("a field too long", b"K%d," + b"x" * 301 + b"@example.com,en,1,0,0,UTC,no", "contact: is longer"),
    Kind("a line too long", b"K%d," + b"x" * 6_000 + b",en,1,0,0,UTC,no", "is longer than"),
    Kind("a field missing", b"K%d,k@example.com,en,1,0,0,UTC", "has 7 fields"),
    Kind("a field too many", b"K%d,k@example.com,en,1,0,0,UTC,no,more", "has 9 fields"),
    Kind("no UTF-8", b"K%d\xff,k@example.com,en,1,0,0,UTC,no", "is not UTF-8"),
    Kind("a quote never closed", b'K%d,"k@example.com,en,1,0,0,UTC,no', "a quote"),
    Kind("a quote in the middle", b'K%d,"k"@example.com,en,1,0,0,UTC,no', "a quote"),
    Kind("only commas", b",,,,,,,", "id: is empty"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """What was written: how many rows are good, and which kind stands on which line."""

    good: int
    kinds: dict[int, Kind]


def write(path: Path, rows: int, each: int) -> Made:
    """`rows` rows, `each` of every kind spread over them; some of the good ones have no channel."""
    step = rows // (len(KINDS) * each)
    kinds: dict[int, Kind] = {}
    with path.open("wb") as stream:
        stream.write(HEADER + b"\n")
        for number, line in enumerate(_rows(rows, each, step), start=2):
            kind, row = line
            if kind is not None:
                kinds[number] = kind
            stream.write(row + b"\n")
    return Made(rows - len(kinds), kinds)


def _rows(rows: int, each: int, step: int) -> Iterator[tuple[Kind | None, bytes]]:
    for number in range(rows):
        place = number // step
        if number % step == 0 and place < len(KINDS) * each:
            kind = KINDS[place % len(KINDS)]
            yield kind, kind.row % number if b"%" in kind.row else kind.row
        else:
            contact = b"" if number % 50 == 1 else b"k%d@example.com" % number
            yield None, b"K%d,%s,en,%d.50,%d,0,Asia/Shanghai,no" % (number, contact, number % 3_000, number % 3)
