"""Who is on duty: every moment exactly one person, through every change of summer time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pendulum import DateTime

from domain.durations import later
from domain.oncall import (
    Duties,
    DutyOverride,
    DutyPeriod,
    DutySource,
    OncallShift,
    ShiftCalendar,
    find_backup,
    find_last_change,
    find_uncovered_periods,
    list_duty_periods,
    list_role_periods,
    resolve_roster,
)
from domain.roster import Person, Role, Roster
from domain.wall_clock import resolve_wall_time

ROLE = Role("pr-lead", "PR lead", primary="pat", backup="bea")
NOON = pendulum.datetime(2026, 11, 2, 12)
MINUTE = timedelta(minutes=1)
YEARS = (2026, 2028)  # two years, the second one excluded
# The hours at which three shifts change over; some within the hour that is missing or comes twice, one at midnight.
PATTERNS = [
    ((0, 0), (8, 0), (16, 0)),
    ((2, 30), (10, 30), (22, 0)),
    ((1, 0), (3, 0), (23, 59)),
    ((0, 30), (2, 0), (2, 1)),
]


def at(hours: float) -> DateTime:
    return later(NOON, timedelta(hours=hours))


def rota(*shifts: tuple[float, float, str]) -> ShiftCalendar:
    return ShiftCalendar(tuple(OncallShift(at(low), at(high), person) for low, high, person in shifts), at(-48), at(48))


def override(low: float, high: float, person: str, made: float = -40, ended: float | None = None) -> DutyOverride:
    ended_at = None if ended is None else at(ended)
    return DutyOverride(f"{person}{made}", "pr-lead", person, at(low), at(high), "swap", "pat", at(made), ended_at)


TABLE: list[tuple[str, ShiftCalendar | None, list[DutyOverride], str]] = [
    ("no calendar: the primary", None, [], "0 pat+bea r"),
    ("a calendar with nothing in it: the primary, and it says so", rota(), [], "0 pat+bea r!"),
    ("one shift follows another at the same moment", rota((-5, 2, "ann"), (2, 9, "ben")), [],
     "0 ann+bea c, 2 ben+bea c"),
    ("a hole goes to the primary", rota((-5, 2, "ann"), (3, 9, "ben")), [], "0 ann+bea c, 2 pat+bea r!, 3 ben+bea c"),
    ("of two that overlap the one that starts last", rota((-5, 3, "ann"), (2, 9, "ben")), [],
     "0 ann+bea c, 2 ben+bea c"),
    ("a short one within a long one, then the long one again", rota((-5, 9, "ann"), (2, 3, "ben")), [],
     "0 ann+bea c, 2 ben+bea c, 3 ann+bea c"),
    ("of two that start together the one that ends first", rota((-5, 9, "ann"), (-5, 2, "ben")), [],
     "0 ben+bea c, 2 ann+bea c"),
    ("two equal ones: by name, whatever their order", rota((-5, 9, "ben"), (-5, 9, "ann")), [], "0 ann+bea c"),
    ("a shift of no length is none", rota((-5, 9, "ann"), (2, 2, "ben")), [], "0 ann+bea c"),
    ("by hand goes before the calendar", rota((-5, 9, "ann")), [override(1, 3, "cat")],
     "0 ann+bea c, 1 cat+bea o, 3 ann+bea c"),
    ("by hand without a calendar", None, [override(1, 3, "cat")], "0 pat+bea r, 1 cat+bea o, 3 pat+bea r"),
    ("of two by hand the one made last", None, [override(1, 5, "cat", -3), override(2, 3, "dan", -2)],
     "0 pat+bea r, 1 cat+bea o, 2 dan+bea o, 3 cat+bea o, 5 pat+bea r"),
    ("ended early", None, [override(1, 5, "cat", ended=2)], "0 pat+bea r, 1 cat+bea o, 2 pat+bea r"),
    ("ended before it began", None, [override(1, 5, "cat", ended=-1)], "0 pat+bea r"),
    ("by hand over a hole: no gap any more", rota((-5, 2, "ann")), [override(2, 12, "cat")],
     "0 ann+bea c, 2 cat+bea o"),
    ("the backup on shift: the primary stands in", rota((-5, 9, "bea")), [], "0 bea+pat c"),
    ("the same person twice is one stretch", rota((-5, 2, "ann"), (2, 9, "ann")), [], "0 ann+bea c"),
]  # fmt: skip


@pytest.mark.parametrize(("shifts", "by_hand", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_who_has_the_role(shifts: ShiftCalendar | None, by_hand: list[DutyOverride], expected: str) -> None:
    found = list_duty_periods(ROLE, shifts, by_hand, at(0), at(9) if "cat" not in expected else at(6))
    said = [
        f"{(one.start - NOON).total_seconds() / 3600:g} {one.person}+{one.backup} {one.source.value[0]}{'!' * one.gap}"
        for one in found
    ]
    assert ", ".join(said) == expected


def test_nobody_stands_in_for_themselves() -> None:
    assert find_backup(Role("r", "R", "pat"), "pat") is None
    assert find_backup(Role("r", "R", "pat"), "ann") == "pat"
    assert find_backup(Role("r", "R", "pat", "ann"), "ann") == "pat"


# --- summer time -------------------------------------------------------------------------------------------------


@cache
def changes() -> dict[tuple[DateTime, timedelta, timedelta], str]:
    """Every change of clocks of two years in Asia, Europe and America: (moment, offset before, after) -> a zone."""
    found: dict[tuple[DateTime, timedelta, timedelta], str] = {}
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in YEARS)
    for name in sorted(available_timezones()):
        if not name.startswith(("Asia/", "Europe/", "America/")):
            continue
        zone = ZoneInfo(name)
        days = [datetime.fromtimestamp(second, zone) for second in range(first, last + 1, 86_400)]
        for before, after in pairwise(days):
            if before.utcoffset() != after.utcoffset():
                low = pendulum.instance(before.astimezone(UTC))
                edge = next(m for m in range(1441) if _offset(zone, later(low, m * MINUTE)) != before.utcoffset())
                found.setdefault((later(low, edge * MINUTE), before.utcoffset(), after.utcoffset()), name)  # type: ignore[arg-type]
    return found


def _offset(zone: ZoneInfo, when: DateTime) -> timedelta | None:
    return datetime.fromtimestamp(when.timestamp(), zone).utcoffset()


def test_there_are_changes_enough_to_learn_from() -> None:
    spread = {key[2] - key[1] for key in changes()}
    assert len(changes()) > 40
    assert {timedelta(hours=1), timedelta(hours=-1)} <= spread
    assert max(map(abs, spread)) <= timedelta(hours=3)
    assert {name.split("/")[0] for name in changes().values()} == {"Asia", "Europe", "America"}


def _walls(zone: ZoneInfo, start: DateTime, minutes: int) -> list[datetime]:
    return [
        datetime.fromtimestamp(later(start, n * MINUTE).timestamp(), zone).replace(tzinfo=None) for n in range(minutes)
    ]


def _near(walls: list[datetime], wanted: datetime) -> int:
    """About where a wall time is; no clock of the two years jumps by more than three hours."""
    return min(max(int((wanted - walls[0]).total_seconds() // 60), 0), len(walls))


def _first(walls: list[datetime], wanted: datetime) -> int:
    """The first minute that is not before the wanted wall time."""
    begin = max(0, _near(walls, wanted) - 360)
    return next((n for n in range(begin, len(walls)) if walls[n] >= wanted), len(walls))


def _last(walls: list[datetime], wanted: datetime) -> int:
    """The first minute after which the wall time is never again before the wanted one."""
    end = min(len(walls), _near(walls, wanted) + 360)
    return next(n for n in range(end, -1, -1) if n == 0 or walls[n - 1] < wanted)


def _week(
    zone: ZoneInfo, around: DateTime, pattern: tuple[tuple[int, int], ...]
) -> list[tuple[datetime, datetime, str]]:
    """Three people in turn on the clocks of the zone, without a hole."""
    day = datetime.fromtimestamp(around.timestamp(), zone).replace(hour=0, minute=0, tzinfo=None) - timedelta(days=2)
    walls = [(day + timedelta(days=n)).replace(hour=h, minute=m) for n in range(5) for h, m in pattern]
    return [(low, high, f"person-{n % 3}") for n, (low, high) in enumerate(pairwise(walls))]


def test_no_minute_without_an_owner_none_with_two_over_every_change_of_summer_time() -> None:
    for (when, _, _), name in changes().items():
        zone = ZoneInfo(name)
        start, end = later(when, timedelta(hours=-26)), later(when, timedelta(hours=26))
        early = later(when, timedelta(days=-4))
        walls = _walls(zone, early, 8 * 1440)  # slowly, by the clock on the wall, minute by minute
        for pattern in PATTERNS:
            week = _week(zone, when, pattern)
            found = list_duty_periods(
                ROLE,
                ShiftCalendar(
                    tuple(
                        OncallShift(resolve_wall_time(a, zone), resolve_wall_time(b, zone, ends=True), p)
                        for a, b, p in week
                    ),
                    start,
                    end,
                ),
                (),
                start,
                end,
            )
            assert (found[0].start, found[-1].end) == (start, end), name
            assert all(one.end == two.start and one.start < one.end for one, two in pairwise(found)), name
            assert not any(one.gap for one in found), (name, when, pattern)
            held = [(_first(walls, a), _last(walls, b), p) for a, b, p in week]
            for minute in range(
                int((start - early).total_seconds()) // 60, int((end - early).total_seconds()) // 60, 7
            ):
                running = [(-low, high, p) for low, high, p in held if low <= minute < high]
                now = later(early, minute * MINUTE)
                (owner,) = {one.person for one in found if one.start <= now < one.end}
                assert owner == min(running)[2], (name, now, pattern)


@pytest.mark.parametrize(
    ("zone", "wall", "starts", "ends"),
    [
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30", "2026-10-25T01:30"),  # comes twice
        ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00", "2026-10-25T01:00"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00", "2026-10-25T02:00"),  # once again
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00", "2026-03-29T01:00"),  # never comes
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00", "2026-03-29T01:00"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30", "2026-11-01T06:30"),
        ("Asia/Beirut", "2026-03-29T00:00", "2026-03-28T22:00", "2026-03-28T22:00"),  # a day without midnight
        ("Asia/Shanghai", "2026-03-29T02:30", "2026-03-28T18:30", "2026-03-28T18:30"),
        ("UTC", "2026-03-29T02:30", "2026-03-29T02:30", "2026-03-29T02:30"),
    ],
)
def test_what_a_time_on_the_wall_means(zone: str, wall: str, starts: str, ends: str) -> None:
    when = datetime.fromisoformat(wall)
    assert resolve_wall_time(when, ZoneInfo(zone)) == pendulum.parse(starts)
    assert resolve_wall_time(when, ZoneInfo(zone), ends=True) == pendulum.parse(ends)


# --- properties --------------------------------------------------------------------------------------------------

HOURS = st.integers(-30, 30)
SHIFTS = st.lists(st.tuples(HOURS, HOURS, st.sampled_from("abc")), max_size=7)
BY_HAND = st.lists(st.tuples(HOURS, HOURS, st.sampled_from("xyz"), HOURS, st.none() | HOURS), max_size=4)


@given(SHIFTS, BY_HAND, st.booleans())
def test_every_hour_has_one_owner_and_it_is_the_one_of_the_rules(
    shifts: list[tuple[int, int, str]], by_hand: list[tuple[int, int, str, int, int | None]], planned: bool
) -> None:
    book = rota(*shifts) if planned else None
    overrides = [override(*one) for one in by_hand]
    found = list_duty_periods(ROLE, book, overrides, at(-10), at(10))
    assert (found[0].start, found[-1].end) == (at(-10), at(10))
    assert all(one.end == two.start for one, two in pairwise(found))
    assert all(one.start < one.end and one.backup != one.person for one in found)
    assert not any(_alike(one, two) for one, two in pairwise(found)), "joined"
    for hour in range(-10, 10):
        (span,) = [one for one in found if one.start <= at(hour) < one.end]
        by = [
            (made, f"{p}{made}", p)
            for low, high, p, made, ended in by_hand
            if low <= hour < min(high, high if ended is None else ended)
        ]
        running = [(-low, high, p) for low, high, p in shifts if low <= hour < high] if planned else []
        expected = max(by)[2] if by else min(running)[2] if running else "pat"
        assert span.person == expected
        assert span.gap == (planned and not by and not running)


def _alike(one: DutyPeriod, two: DutyPeriod) -> bool:
    return (one.person, one.source, one.gap) == (two.person, two.source, two.gap)


# --- a roster ----------------------------------------------------------------------------------------------------

PEOPLE = {name: Person(name, name.title(), (name,)) for name in ("pat", "bea", "ann", "ben", "cat")}
ROSTER = Roster(people=PEOPLE, roles={"pr-lead": ROLE, "finance": Role("finance", "F", "ann", "ben")})


def test_a_roster_is_resolved_until_the_next_change() -> None:
    duties = Duties({"pr-lead": rota((-5, 2, "ann"), (2, 9, "ben"))}, (override(1, 3, "cat"),))
    now, until = resolve_roster(ROSTER, duties, at(0))
    assert (now.primary("pr-lead"), now.backup("pr-lead"), until) == ("ann", "bea", at(1))
    assert now.roles["finance"] is ROSTER.roles["finance"]
    for hour, person in ((1, "cat"), (3, "ben"), (9, "pat")):
        assert resolve_roster(ROSTER, duties, at(hour))[0].primary("pr-lead") == person


def test_whoever_left_has_no_shift() -> None:
    duties = Duties(
        {"pr-lead": rota((-5, 2, "gone"))}, (DutyOverride("1", "pr-lead", "gone", at(-1), at(1), "", "", at(-2)),)
    )
    (span,) = list_role_periods(ROSTER, duties, "pr-lead", at(0), at(1))
    assert (span.person, span.source, span.gap) == ("pat", DutySource.ROSTER, True)


def test_gaps_are_of_roles_with_a_calendar() -> None:
    duties = Duties({"pr-lead": rota((-5, 2, "ann"), (4, 50, "ben"))})
    assert [(one.role, one.start, one.end) for one in find_uncovered_periods(ROSTER, duties, at(0), at(9))] == [
        ("pr-lead", at(2), at(4))
    ]


def test_a_change_is_from_one_person_to_another() -> None:
    duties = Duties({"pr-lead": rota((-5, 1, "ann"), (1, 2, "ann"), (2, 9, "ben"))})
    assert find_last_change(ROSTER, duties, "pr-lead", at(1.5)).after == "ann"  # type: ignore[union-attr]
    change = find_last_change(ROSTER, duties, "pr-lead", at(2))
    assert change is not None
    assert (change.before, change.after, change.at, change.shift) == ("ann", "ben", at(2), "20261102T140000")
    assert find_last_change(ROSTER, duties, "pr-lead", at(1.99)).at == at(-5)  # type: ignore[union-attr]
    assert find_last_change(ROSTER, Duties(), "pr-lead", at(2)) is None
