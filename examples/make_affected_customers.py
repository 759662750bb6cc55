"""Makes examples/affected_customers.csv: 2,000 rows of made-up customers, 40 of them bad, always the same.

`python examples/make_affected_customers.py > examples/affected_customers.csv`. Addresses are under example.com and
numbers under +99900, which nobody has.
"""

from __future__ import annotations

import csv
import random
import sys

ROWS = 2_000
HEADER = (
    "id", "contact", "language", "order_value", "poor_service_30d", "compensation", "time_zone", "public_complaint",
)  # fmt: skip
ZONES = ("Asia/Shanghai",) * 7 + ("Europe/Berlin", "America/New_York", "")
# Every kind of mistake, each at 4 places: the field and what stands there instead.
MISTAKES = (
    ("id", ""),
    ("contact", "not an address"),
    ("contact", '=HYPERLINK("http://example.com")'),
    ("contact", "13800000000"),
    ("language", "tlh"),
    ("order_value", "a lot"),
    ("order_value", "-5"),
    ("poor_service_30d", "often"),
    ("time_zone", "Mars/Olympus"),
    ("public_complaint", "perhaps"),
)
EACH = 4
WITHOUT_CHANNEL = 25


def rows() -> list[dict[str, str]]:
    """The rows in their order."""
    dice = random.Random(20261122)  # noqa: S311 - made-up figures, always the same
    made = [_row(number, dice) for number in range(1, ROWS + 1)]
    places = dice.sample(range(ROWS), len(MISTAKES) * EACH + WITHOUT_CHANNEL)
    for place, (field, text) in zip(places, MISTAKES * EACH, strict=False):
        made[place][field] = text
    for place in places[len(MISTAKES) * EACH :]:
        made[place]["contact"] = ""
    return made


def _row(number: int, dice: random.Random) -> dict[str, str]:
    mail, phone = f"customer{number}@example.com", f"+99900{number:07d}"
    contact = dice.choices((mail, phone, f"{mail}; {phone}"), (75, 15, 10))[0]
    value = round(dice.lognormvariate(5.3, 0.9), 2)
    return {
        "id": f"C{100000 + number}",
        "contact": contact,
        "language": dice.choice(("zh_CN", "zh_CN", "zh_CN", "en")),
        "order_value": f"{value:.2f}",
        "poor_service_30d": str(dice.choices((0, 1, 2, 3), (80, 13, 5, 2))[0]),
        "compensation": dice.choices(("0", "20", "50.00"), (85, 10, 5))[0],
        "time_zone": dice.choice(ZONES),
        "public_complaint": dice.choices(("no", "yes"), (96, 4))[0],
    }


if __name__ == "__main__":
    writer = csv.DictWriter(sys.stdout, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
