"""The installation that this process works for: opened once, on first use. Prefect passes no objects."""

from __future__ import annotations

from functools import lru_cache

from engine.clock import now
from engine.deliver import Deliverer
from engine.house import House
from storage.settings import load_settings

__all__ = ["deliverer", "house", "now"]


@lru_cache(maxsize=1)
def house() -> House:
    """The installation of `TOCSIN_HOME`."""
    return House(load_settings()).open()


@lru_cache(maxsize=1)
def deliverer() -> Deliverer:
    """This process as a sender."""
    return Deliverer(house(), "runner", now)
