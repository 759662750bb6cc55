"""A service's rate is kept in every window, whoever comes when; nobody sleeps, and nobody is forgotten."""

from __future__ import annotations

import fcntl
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rate_limits import RateLimit, RateLimitBook, RateLimiter

ROBOT = RateLimit(20, 60.0, "token")
SMALL = RateLimit(3, 60.0, "token")


def test_a_thousand_come_at_once_and_each_gets_its_turn_on_the_second_try() -> None:
    book, turns = RateLimitBook(), {}
    for number in range(1000):
        turns[str(number)] = book.reserve(ROBOT, str(number), 0.0)
    assert sum(turn == 0 for turn in turns.values()) == 20
    assert max(turns.values()) == pytest.approx(60.0 * 49)
    # Each comes back when it was told, in order: one more try is all it takes.
    assert all(
        book.reserve(ROBOT, key, turn) == 0.0 for key, turn in sorted(turns.items(), key=lambda one: one[1]) if turn
    )


@given(
    st.lists(
        st.tuples(st.floats(0, 40), st.integers(0, 12), st.booleans()),
        min_size=5,
        max_size=80,
    )
)
def test_no_window_ever_holds_more_than_it_may(arrivals: list[tuple[float, int, bool]]) -> None:
    book, now, went = RateLimitBook(), 0.0, []
    for pause, key, urgent in arrivals:
        now += pause
        seconds = book.reserve(SMALL, str(key), now, urgent=urgent)
        assert seconds >= 0
        if seconds == 0:
            went.append(now)
    for at in went:
        assert sum(at <= other < at + SMALL.seconds for other in went) <= SMALL.count


def test_who_waits_is_not_overtaken_except_by_what_is_urgent() -> None:
    book = RateLimitBook()
    for key in ("a", "b", "c", "d"):
        book.reserve(SMALL, key, 0.0)
    assert book.turns == {"d": 60.0}
    # At 60 three places are free: one is d's.
    assert [book.reserve(SMALL, key, 60.0) for key in ("e", "f")] == [0.0, 0.0]
    assert book.reserve(SMALL, "g", 60.0) == 60.0, "d has not come yet, but it is d's turn"
    assert book.reserve(SMALL, "page", 60.0, urgent=True) == 0.0
    assert book.reserve(SMALL, "d", 60.0) > 0, "the page took its place; it has another"


def test_early_is_told_the_same_turn_again() -> None:
    book = RateLimitBook()
    for key in "abcd":
        book.reserve(SMALL, key, 0.0)
    assert book.reserve(SMALL, "d", 10.0) == 50.0
    assert book.reserve(SMALL, "d", 59.5) == 0.5
    assert book.reserve(SMALL, "d", 60.0) == 0.0


def test_a_turn_that_nobody_takes_is_free_again_in_the_end() -> None:
    book = RateLimitBook()
    for key in "abcd":
        book.reserve(SMALL, key, 0.0)
    assert [book.reserve(SMALL, key, 250.0) for key in "xyz"] == [0.0, 0.0, 0.0]


def test_the_service_itself_may_close() -> None:
    now = [100.0]
    rates = RateLimiter(clock=lambda: now[0])
    rates.pause(ROBOT, 600.0)
    assert rates.reserve(ROBOT, "a") == 600.0
    assert rates.reserve(ROBOT, "b", urgent=True) == 600.0
    assert rates.reserve(RateLimit(20, 60.0, "other"), "a") == 0.0
    now[0] = 700.0
    assert rates.reserve(ROBOT, "a") == 0.0


def test_a_clock_set_back_silences_nobody() -> None:
    book = RateLimitBook()
    for number in range(3):
        book.reserve(SMALL, str(number), 10_000.0)
    assert book.reserve(SMALL, "now", 50.0) == 0.0


def test_senders_of_one_installation_keep_one_count(tmp_path: Path) -> None:
    one, other = RateLimiter(tmp_path / "rates"), RateLimiter(tmp_path / "rates")
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda n: (one, other)[n % 2].reserve(ROBOT, str(n)), range(60)))
    assert sum(seconds == 0 for seconds in asked) == 20
    (file,) = (tmp_path / "rates").iterdir()
    assert "token" not in file.name + file.read_text()
    assert len(json.loads(file.read_text())[0]) == 20


@pytest.mark.parametrize("text", ["", "{", "[1, 2, 3]", '[["x"], {}, 0]', "null"])
def test_a_book_cut_off_by_a_kill_is_begun_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / f"{ROBOT.name}.json").write_text(text)
    assert RateLimiter(tmp_path).reserve(ROBOT, "a") == 0.0


def test_a_process_frozen_over_the_book_holds_up_nobody(tmp_path: Path) -> None:
    rates = RateLimiter(tmp_path)
    assert rates.reserve(SMALL, "before") == 0.0
    with (tmp_path / f"{SMALL.name}.json").open("a+") as frozen:
        fcntl.flock(frozen, fcntl.LOCK_EX)
        assert [rates.reserve(SMALL, str(n)) == 0 for n in range(4)] == [True, True, True, False]
    assert rates.reserve(SMALL, "after") == 0.0, "the shared count goes on"


def test_without_a_folder_to_write_to_the_count_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rates = RateLimiter(tmp_path / "file" / "rates")
    assert [rates.reserve(SMALL, str(n)) == 0 for n in range(4)] == [True, True, True, False]


def test_a_rate_shows_no_token() -> None:
    assert "token" not in repr(ROBOT) + ROBOT.name
    assert ROBOT.name != SMALL.name


def test_of_a_service_that_three_homes_send_to_each_has_a_third() -> None:
    rate = RateLimit(20, 60.0, "robot")
    homes = [RateLimiter(clock=lambda: 1000.0, homes=3) for _ in range(3)]
    gone = sum(rates.reserve(rate, f"{number}/{n}") == 0.0 for number, rates in enumerate(homes) for n in range(20))
    assert gone == 18
    assert RateLimiter(clock=lambda: 1000.0, homes=50).reserve(rate, "one") == 0.0, "nobody is silenced"
