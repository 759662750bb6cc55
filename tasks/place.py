"""The installation that this process works for: opened once, on first use. Prefect passes no objects."""

from __future__ import annotations

from functools import lru_cache

import pendulum
from pendulum import DateTime

from engine.deliver import Deliverer
from engine.house import House
from storage.settings import load_settings


@lru_cache(maxsize=1)
def house() -> House:
    """The installation of `TOCSIN_HOME`."""
    return House(load_settings()).open()


@lru_cache(maxsize=1)
def deliverer() -> Deliverer:
    """This process as a sender."""
    return Deliverer(house(), "runner", now)


def now() -> DateTime:
    """The clock, read at the edge and passed down."""
    return pendulum.now("UTC")
