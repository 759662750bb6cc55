"""Rows of affected customers: what is taken, what is refused and how it is said."""

from __future__ import annotations

import pytest

from domain.customers.import_row import AffectedCustomer, BadCustomerRow, CustomerContact, parse_contact, parse_customer

GOOD = {
    "id": "C1", "contact": "li@example.com", "language": "zh-CN", "order_value": "499.9", "poor_service_30d": "2",
    "compensation": "20", "time_zone": "Asia/Shanghai", "public_complaint": "yes",
}  # fmt: skip


def test_a_whole_row() -> None:
    assert parse_customer(GOOD) == AffectedCustomer(
        "C1", CustomerContact("li@example.com"), "zh_CN", 49_990, 2, 2_000, public=True, zone="Asia/Shanghai"
    )


def test_what_a_row_leaves_out_is_nothing() -> None:
    assert parse_customer({"id": "C1", "contact": ""}) == AffectedCustomer("C1", CustomerContact())
    assert parse_customer({"id": 7, "contact": None, "order_value": 12.5}).order_value == 1_250


@pytest.mark.parametrize(
    ("text", "mail", "phone"),
    [
        ("", "", ""),
        ("  ;; ", "", ""),
        ("a.b+c@mail.example.com", "a.b+c@mail.example.com", ""),
        ("+86 139-1234-5678", "", "+8613912345678"),
        ("+1 (212) 555.0100; a@example.org", "a@example.org", "+12125550100"),
    ],
)
def test_contacts(text: str, mail: str, phone: str) -> None:
    assert parse_contact(text) == CustomerContact(mail, phone)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("id", "", "CRM"),
        ("id", "x" * 65, "64 characters"),
        ("id", "li@example.com", "is a contact"),
        ("id", "+8613912345678", "is a contact"),
        ("contact", "li@example", "country code"),
        ("contact", "13912345678", "country code"),
        ("contact", "+0139", "country code"),
        ("contact", "a@example.com;b@example.com", "country code"),
        ("contact", "a@example.com?cc=b@example.com", "country code"),
        ("contact", "a@exa mple.com", "country code"),
        ("contact", "李@example.com", "country code"),
        ("contact", "=HYPERLINK(1)", "country code"),
        ("contact", "a@-example.com", "country code"),
        ("contact", "a@example.com\r\nBcc: b@example.com", "line break"),
        ("language", "fr", "en nor zh_CN"),
        ("order_value", "-1", "499.00"),
        ("order_value", "1,299", "499.00"),
        ("order_value", "1e9", "499.00"),
        ("order_value", "nan", "499.00"),
        ("order_value", "٣٤", "499.00"),
        ("order_value", "1.234", "499.00"),
        ("order_value", "12345678901", "499.00"),
        ("compensation", "some", "499.00"),
        ("poor_service_30d", "1.5", "whole number"),
        ("poor_service_30d", "-1", "whole number"),
        ("time_zone", "Mars/Olympus", "Asia/Shanghai"),
        ("time_zone", "../../etc/passwd", "Asia/Shanghai"),
        ("public_complaint", "perhaps", "yes nor no"),
        ("zip", "1", "no such column"),
        ("language", ["en"], "no text"),
        ("language", "e\x00n", "control character"),
        ("language", "e\ud800n", "control character"),
        ("language", "x" * 301, "300 characters"),
    ],
)
def test_what_is_refused_and_why(field: str, value: object, says: str) -> None:
    with pytest.raises(BadCustomerRow) as caught:
        parse_customer({**GOOD, field: value})
    line = str(caught.value)
    assert says in line
    assert line.startswith(f"{field}: ")
    assert "\n" not in line
    if isinstance(value, str) and len(value) > 3:
        assert value not in line, "it may be a contact"


def test_a_contact_shows_nothing_of_itself() -> None:
    customer = parse_customer({**GOOD, "contact": "li.wei@example.com;+8613912345678"})
    for shown in (repr(customer), str(customer), f"{customer.contact}", repr([customer.contact])):
        assert "li.wei" not in shown
        assert "139" not in shown
    assert customer.contact.masked() == "l…@e….com +86…78"
    assert CustomerContact().masked() == ""


def test_the_columns_of_a_shifted_file_leak_nothing() -> None:
    shifted = {"id": "zh_CN", "contact": "500", "language": "li@example.com"}
    with pytest.raises(BadCustomerRow) as caught:
        parse_customer(shifted)
    assert "li@" not in str(caught.value)
