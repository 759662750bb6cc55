"""Affected customers of a rehearsal, read from their file independently of the import.

A second opinion: it follows the rules of docs/customers.md, not the code that takes customers in. Nobody is
named by more than the line that they stand on: a report outlives what it is about.
"""

from __future__ import annotations

import csv
import random
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from zoneinfo import available_timezones

from engine.rehearsal.api_client import RehearsalError

MOST_CUSTOMERS = 10_000  # the inbox keeps the newest 20,000 letters: each customer may get two
_NAMES = {
    "id", "contact", "language", "order_value", "poor_service_30d", "compensation", "time_zone", "public_complaint",
}  # fmt: skip
_LONGEST_LINE, _LONGEST_FIELD, _LONGEST_ID = 5_000, 300, 64
_LANGUAGES = {"": "en", "en": "en", "zh": "zh_CN", "zh_cn": "zh_CN", "zh-cn": "zh_CN", "zh-hans": "zh_CN"}
_ANSWERS = {"", "yes", "true", "1", "是", "no", "false", "0", "否"}
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LARGEST = Decimal(10) ** 10


@dataclass(frozen=True, slots=True)
class RehearsedCustomer:
    """Customer of the file who is to be asked, or called: their line, and what the verdict needs."""

    line: int
    id: str
    language: str
    order_value: Decimal
    ways: frozenset[str]  # mail, phone


@dataclass(frozen=True, slots=True)
class CustomerFile:
    """Contents of a file of affected customers."""

    good: Mapping[str, RehearsedCustomer] = field(
        default_factory=dict
    )  # by the number in the CRM; its first line counts
    bad: frozenset[int] = frozenset()  # lines
    again: int = 0  # good lines of somebody who stood there before


def read_customer_file(path: Path) -> CustomerFile:
    """Read a file of affected customers whole.

    Raises:
        RehearsalError: it cannot be read, or holds more customers than a rehearsal takes. One line.
    """
    good: dict[str, RehearsedCustomer] = {}
    bad: set[int] = set()
    again = 0
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RehearsalError(f"cannot read {path}: {error.strerror}") from None
    header = [name.strip() for name in lines[0].decode("utf-8-sig", "replace").strip().split(",")]
    for number, raw in enumerate(lines[1:], start=2):
        if not raw.strip():
            continue
        found = _customer(number, raw, header)
        if found is None:
            bad.add(number)
        elif found.id in good:
            again += 1
        else:
            good[found.id] = found
    if len(good) > MOST_CUSTOMERS:
        raise RehearsalError(f"{path} holds {len(good)} customers: a rehearsal takes {MOST_CUSTOMERS} at most")
    return CustomerFile(good, frozenset(bad), again)


def _customer(line: int, raw: bytes, header: list[str]) -> RehearsedCustomer | None:
    """The customer on a line; None where anything about it is wrong."""
    try:
        text = raw.decode().rstrip("\r")
        values = next(csv.reader([text], strict=True))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return None
    if len(text) >= _LONGEST_LINE or len(values) != len(header):
        return None
    fields = {name: value.strip() for name, value in zip(header, values, strict=True)}
    wrong = any(len(value) > _LONGEST_FIELD or not _shows(value) for value in fields.values())
    order, paid = _money(fields.get("order_value", "")), _money(fields.get("compensation", ""))
    ways = _ways(fields.get("contact", ""))
    language = _LANGUAGES.get(fields.get("language", "").lower())
    if wrong or order is None or paid is None or ways is None or language is None or not _others(fields):
        return None
    return RehearsedCustomer(line, fields["id"], language, order, ways)


def _others(fields: Mapping[str, str]) -> bool:
    name, count, zone = fields.get("id", ""), fields.get("poor_service_30d", ""), fields.get("time_zone", "")
    return (
        0 < len(name) <= _LONGEST_ID
        and "@" not in name
        and not _is_phone(name)
        and (not count or (count.isascii() and count.isdigit() and len(count) <= 4))  # noqa: PLR2004 - up to 9999
        and (not zone or zone in _zones())
        and fields.get("public_complaint", "").lower() in _ANSWERS
        and set(fields) <= _NAMES
    )


_ZONES: set[str] = set()


def _zones() -> set[str]:
    _ZONES.update(_ZONES or available_timezones())
    return _ZONES


def _shows(text: str) -> bool:
    return all(unicodedata.category(character) not in ("Cc", "Cs") for character in text)


def _money(text: str) -> Decimal | None:
    if not text:
        return Decimal(0)
    if not re.fullmatch(r"[0-9.]+", text) or text.startswith(".") or text.endswith("."):
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    exponent = found.as_tuple().exponent
    whole = len(text.partition(".")[0])
    return found if found < _LARGEST and whole <= 10 and int(exponent) >= -2 else None  # noqa: PLR2004 - cents


def _ways(contact: str) -> frozenset[str] | None:
    """By which ways somebody can be reached; None where it is no contact."""
    found: list[str] = []
    for part in contact.split(";"):
        if _is_mail(part.strip()):
            found.append("mail")
        elif _is_phone(re.sub(r"[ ().-]", "", part)):
            found.append("phone")
        elif part.strip():
            return None
    return frozenset(found) if len(set(found)) == len(found) else None


def _is_mail(text: str) -> bool:
    name, _, domain = text.rpartition("@")
    labels = domain.split(".")
    return (
        bool(re.fullmatch(r"[A-Za-z0-9._%+'-]{1,64}", name))
        and len(labels) > 1
        and all(_LABEL.fullmatch(label) for label in labels)
        and labels[-1].isalpha()
        and 2 <= len(labels[-1]) <= 24  # noqa: PLR2004 - of a top-level domain
    )


def _is_phone(text: str) -> bool:
    return bool(text.startswith("+") and re.fullmatch(r"[1-9][0-9]{7,14}", text[1:]))


# --- how they answer ---------------------------------------------------------------------------------------------


class SurveyBehaviour(StrEnum):
    """How a simulated customer takes the survey."""

    CONTENT = "content"
    UNHAPPY = "unhappy"
    UNSOLVED = "not solved"
    AGAIN = "complains again"  # was content, and then it went wrong again
    LATE = "late"  # answers only the reminder
    SILENT = "silent"


_SHARES = {
    SurveyBehaviour.SILENT: 15,
    SurveyBehaviour.LATE: 15,
    SurveyBehaviour.UNHAPPY: 10,
    SurveyBehaviour.UNSOLVED: 8,
    SurveyBehaviour.AGAIN: 2,
}  # percent
_SCORES = {SurveyBehaviour.UNHAPPY: (1, 2), SurveyBehaviour.UNSOLVED: (1, 2, 3)}
_SUGGESTS = 0.25
_SUGGESTIONS = {
    "en": (
        "Please answer the phone faster", "please answer the phone faster!", "Answer the phone faster, please",
        "Tell us by message when it is solved", "Tell us by a message when it's solved", "Let me choose a refund",
    ),
    "zh_CN": (
        "电话接通太慢了", "电话接通太慢", "希望处理完后短信通知", "处理完成后希望短信通知",
        "希望可以自选退款方式",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CustomerManner:
    """Behaviour of one simulated customer. Waits in simulated minutes."""

    part: SurveyBehaviour
    csat: int
    solved: bool
    nps: int | None
    suggestion: str
    waits: float

    def form(self) -> dict[str, str]:
        """Fill in the survey's form."""
        nps = "" if self.nps is None else str(self.nps)
        solved = "yes" if self.solved else "no"
        return {"csat": str(self.csat), "solved": solved, "nps": nps, "suggestion": self.suggestion}


def draw_manner(one: RehearsedCustomer, seed: int) -> CustomerManner:
    """Draw a customer's behaviour; the same for the same seed and customer."""
    drawn = random.Random(f"tocsin customer {seed} {one.id}")  # noqa: S311 - the same every time is what is wanted
    part = _part(drawn.randrange(100))
    csat = drawn.choice(_SCORES.get(part, (3, 4, 5, 5)))
    nps = None if drawn.random() < 0.2 else min(10, max(0, csat * 2 + drawn.choice((-1, 0, 1))))  # noqa: PLR2004
    suggestion = drawn.choice(_SUGGESTIONS[one.language]) if drawn.random() < _SUGGESTS else ""
    return CustomerManner(
        part, csat, part is not SurveyBehaviour.UNSOLVED, nps, suggestion, round(drawn.uniform(2, 30), 1)
    )


def _part(percent: int) -> SurveyBehaviour:
    for part, share in _SHARES.items():
        if percent < share:
            return part
        percent -= share
    return SurveyBehaviour.CONTENT
