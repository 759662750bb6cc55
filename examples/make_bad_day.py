"""Makes bad_day.csv: a Monday of a service desk on which each of the three tiers has its reason, once.

    python examples/make_bad_day.py > examples/bad_day.csv

Two services, `orders` and `returns`; all trouble is with orders. What happens when is in bad_day.expected.yaml, worked
out by hand from the constants below. Noise is seeded, and too small to move any of those moments.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

ZONE = timezone(timedelta(hours=8))
DAY = datetime(2026, 3, 16, tzinfo=ZONE)  # a Monday
OPENS, CLOSES = timedelta(hours=8), timedelta(hours=20)
BEFORE = OPENS - timedelta(minutes=80)  # counts begin earlier, so that windows are full when evaluation begins
SLOW = timedelta(hours=10), timedelta(hours=10, minutes=30)
UNHAPPY = timedelta(hours=13), timedelta(hours=14)
ANGRY = timedelta(hours=16), timedelta(hours=16, minutes=20)
WEEKS = 4

Row = tuple[datetime, str, float, int, str]


def every(step: int, first: int, start: timedelta, end: timedelta) -> Iterator[timedelta]:
    """Times of the day, `step` seconds apart, the first `first` seconds after `start`."""
    at = start + timedelta(seconds=first)
    while at < end:
        yield at
        at += timedelta(seconds=step)


def during(at: timedelta, stretch: tuple[timedelta, timedelta]) -> bool:
    """Whether a time of the day lies in the stretch."""
    return stretch[0] <= at < stretch[1]


def response_times(noise: random.Random) -> Iterator[Row]:
    """Every 20 s the mean of five customers: 12 s, or 60 s while it is slow; the noise is under a second."""
    for at in every(20, 10, OPENS, CLOSES):
        for service in ("orders", "returns"):
            base = 60 if service == "orders" and during(at, SLOW) else 12
            yield DAY + at, "response_time", round(base + noise.uniform(-0.9, 0.9), 1), 5, service


def ratings() -> Iterator[Row]:
    """Every five minutes the ratings since: 19 fives and a two, or 12 and 8 while people are unhappy."""
    for at in every(300, 150, OPENS, CLOSES):
        happy = 12 if during(at, UNHAPPY) else 19
        yield DAY + at, "csat", 5, happy, "orders"
        yield DAY + at, "csat", 2, 20 - happy, "orders"
        yield DAY + at, "csat", 5, 38, "returns"
        yield DAY + at, "csat", 2, 2, "returns"


def contacts(noise: random.Random) -> Iterator[Row]:
    """About 120 a minute and service."""
    for at in every(60, 30, BEFORE, CLOSES):
        for service in ("orders", "returns"):
            yield DAY + at, "contacts", 120 + noise.randint(-9, 9), 1, service


def complaints() -> Iterator[Row]:
    """Each minute how many: orders one every other minute, returns one every fourth; twelve while people are angry."""
    for week in range(WEEKS, -1, -1):
        day = DAY - timedelta(weeks=week)
        for at in every(60, 30, BEFORE, CLOSES):
            minute = at // timedelta(minutes=1)
            angry = week == 0 and during(at, ANGRY)
            yield day + at, "complaints", 12 if angry else 1 - minute % 2, 1, "orders"
            yield day + at, "complaints", 1 if minute % 4 == 0 else 0, 1, "returns"


def main() -> None:
    """Write the file to standard output."""
    noise = random.Random(20260316)  # noqa: S311 - the same day every time
    rows = sorted([*response_times(noise), *ratings(), *contacts(noise), *complaints()], key=lambda row: row[0])
    out = sys.stdout
    out.write("# A bad day of a service desk, made by make_bad_day.py. What is before this moment is history:\n")
    out.write(f"# from: {(DAY + OPENS).isoformat()}\n")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("time", "metric", "value", "count", "service"))
    for at, metric, value, count, service in rows:
        table.writerow((at.isoformat(), metric, f"{value:g}", count, service))


if __name__ == "__main__":
    main()
