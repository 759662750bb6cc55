"""Time never goes back: a wake-up is not put off because somebody set the clock."""

from __future__ import annotations

import logging

import pendulum
import pytest

from engine.process.clock import SteadyClock


class Machine:
    """A machine whose two clocks are set by hand."""

    def __init__(self) -> None:
        self.wall, self.tick = 1_800_000_000.0, 500.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.tick += seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> SteadyClock:
    return SteadyClock(lambda: machine.wall, lambda: machine.tick)


def test_it_is_wall_time(machine: Machine, clock: SteadyClock) -> None:
    machine.pass_(90)
    assert clock() == pendulum.from_timestamp(1_800_000_090)


def test_stepped_back_an_hour_it_goes_on_and_says_so_once(
    machine: Machine, clock: SteadyClock, caplog: pytest.LogCaptureFixture
) -> None:
    before = clock()
    machine.wall -= 3_600
    with caplog.at_level(logging.ERROR):
        machine.pass_(10)
        assert (clock() - before).total_seconds() == pytest.approx(10)
        machine.pass_(10)
        assert (clock() - before).total_seconds() == pytest.approx(20)
    assert len(caplog.records) == 1
    assert clock.stepped_back == pytest.approx(3_600)
    machine.wall += 3_600  # somebody sets it right
    machine.pass_(1)
    assert (clock() - before).total_seconds() == pytest.approx(21)
    assert clock.stepped_back == 0


def test_a_jump_forward_is_believed(machine: Machine, clock: SteadyClock) -> None:
    before = clock()
    machine.wall += 7_200
    machine.tick += 1
    assert (clock() - before).total_seconds() == pytest.approx(7_200)


def test_a_clock_that_is_being_disciplined_is_followed(machine: Machine, clock: SteadyClock) -> None:
    clock()
    machine.pass_(5)
    machine.wall -= 0.3
    assert clock().timestamp() == pytest.approx(machine.wall)
