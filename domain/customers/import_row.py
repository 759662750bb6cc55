"""One affected customer as given in a row of a file or of the API.

Each mistake is one line without the value.

A refusal never quotes what stood there: in a file whose columns are shifted any field may hold a contact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from domain.text import Language, find_unprintable
from domain.wall_clock import is_time_zone

COLUMNS = (
    "id", "contact", "language", "order_value", "poor_service_30d", "compensation", "time_zone", "public_complaint",
)  # fmt: skip
REQUIRED = ("id", "contact")
LONGEST_ID = 64
LONGEST_FIELD = 300
MINOR = 100  # money is kept in hundredths: 500 yuan are 50,000
_AMOUNT = re.compile(r"(\d{1,10})(?:\.(\d{1,2}))?", re.ASCII)
_COUNT = re.compile(r"\d{1,4}", re.ASCII)
_MAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}")
_PHONE = re.compile(r"\+[1-9]\d{7,14}", re.ASCII)
_LANGUAGES: Mapping[str, Language] = {
    "en": "en", "zh": "zh_CN", "zh_cn": "zh_CN", "zh-cn": "zh_CN", "zh-hans": "zh_CN",
}  # fmt: skip
_YES, _NO = frozenset({"yes", "true", "1", "是"}), frozenset({"", "no", "false", "0", "否"})


class BadCustomerRow(ValueError):
    """A row is refused; one line: the column, what is wrong, what would be right. Never the value."""


@dataclass(frozen=True, slots=True, repr=False)
class CustomerContact:
    """A customer's mail address and phone number. Its `repr` hides them, so that no log or error shows them."""

    mail: str = ""
    phone: str = ""  # E.164, such as +8613800000000

    def __bool__(self) -> bool:
        return bool(self.mail or self.phone)

    def __repr__(self) -> str:
        return "<Contact>"

    def ways(self) -> tuple[str, ...]:
        """List the contact methods that are there, first choice first: `mail`, `phone`."""
        return tuple(name for name, value in (("mail", self.mail), ("phone", self.phone)) if value)

    def masked(self) -> str:
        """The contact masked: enough to recognise it, too little to use it: `l…@e….com`, `+86…00`."""
        shown = []
        if self.mail:
            name, _, domain = self.mail.partition("@")
            shown.append(f"{name[0]}…@{domain[0]}….{domain.rpartition('.')[2]}")
        if self.phone:
            shown.append(f"{self.phone[:3]}…{self.phone[-2:]}")
        return " ".join(shown)


@dataclass(frozen=True, slots=True)
class AffectedCustomer:
    """An affected customer. Money in hundredths of the roster's currency.

    Attributes:
        poor_service: How often service was poor to them within the last 30 days, as the CRM counts it.
        compensation: What they were given already for this incident.
        public: They complained where others read it.
        zone: IANA name; empty: the installation's.
    """

    id: str
    contact: CustomerContact
    language: Language = "en"
    order_value: int = 0
    poor_service: int = 0
    compensation: int = 0
    public: bool = False
    zone: str = ""


def parse_customer(row: Mapping[str, object]) -> AffectedCustomer:
    """Parse a row into a customer; a column that is left out counts as empty.

    Raises:
        BadRow: the first field that cannot be.
    """
    fields = {name: _text(name, value) for name, value in row.items()}
    for name in fields:
        if name not in COLUMNS:
            raise BadCustomerRow(f"{name[:40]}: there is no such column; there are {', '.join(COLUMNS)}")
    return AffectedCustomer(
        id=_id(fields.get("id", "")),
        contact=parse_contact(fields.get("contact", "")),
        language=_language(fields.get("language", "")),
        order_value=_amount("order_value", fields.get("order_value", "")),
        poor_service=_count("poor_service_30d", fields.get("poor_service_30d", "")),
        compensation=_amount("compensation", fields.get("compensation", "")),
        zone=_zone(fields.get("time_zone", "")),
        public=_yes("public_complaint", fields.get("public_complaint", "")),
    )


def parse_contact(text: str) -> CustomerContact:
    """Parse a mail address, a phone number, or both with a semicolon between; empty: no contact.

    Raises:
        BadRow: something else.
    """
    mail = phone = ""
    for part in filter(None, (part.strip() for part in text.split(";"))):
        number = re.sub(r"[\s().-]", "", part)
        if "@" in part and _MAIL.fullmatch(part) and not mail:
            mail = part
        elif _PHONE.fullmatch(number) and not phone:
            phone = number
        else:
            raise BadCustomerRow(
                "contact: neither one mail address nor one phone number with its country code (+86...)"
            )
    return CustomerContact(mail, phone)


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str | int | float):
        raise BadCustomerRow(f"{name[:40]}: is no text and no number")
    text = str(value).strip()
    if len(text) > LONGEST_FIELD:
        raise BadCustomerRow(f"{name[:40]}: is longer than {LONGEST_FIELD} characters")
    wrong = find_unprintable(text)
    if wrong or "\n" in text or "\r" in text or "\t" in text:
        raise BadCustomerRow(f"{name[:40]}: holds a control character or a line break: take it out")
    return text


def _id(text: str) -> str:
    if not text:
        raise BadCustomerRow("id: is empty; give the customer's number in your CRM")
    if len(text) > LONGEST_ID:
        raise BadCustomerRow(f"id: is longer than {LONGEST_ID} characters")
    if "@" in text or _PHONE.fullmatch(text):
        raise BadCustomerRow("id: is a contact; an id is kept and shown, so give the customer's number in your CRM")
    return text


def _language(text: str) -> Language:
    if not text:
        return "en"
    try:
        return _LANGUAGES[text.lower()]
    except KeyError:
        raise BadCustomerRow("language: is neither en nor zh_CN") from None


def _amount(name: str, text: str) -> int:
    if not text:
        return 0
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise BadCustomerRow(f"{name}: is no amount of money such as 499.00")
    return int(match[1]) * MINOR + int((match[2] or "0").ljust(2, "0"))


def _count(name: str, text: str) -> int:
    if text and not _COUNT.fullmatch(text):
        raise BadCustomerRow(f"{name}: is no whole number from 0 to 9999")
    return int(text or 0)


def _yes(name: str, text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise BadCustomerRow(f"{name}: is neither yes nor no")


def _zone(text: str) -> str:
    if text and not is_time_zone(text):
        raise BadCustomerRow("time_zone: is no time zone such as Asia/Shanghai")
    return text
