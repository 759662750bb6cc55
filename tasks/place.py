"""Process-wide installation of the Prefect tasks, opened on first use: Prefect passes no objects."""

from __future__ import annotations

from functools import lru_cache

from engine.clock import now
from engine.deliver import Deliverer
from engine.house import Installation
from storage.settings import load_settings

__all__ = ["get_deliverer", "get_installation", "now"]


@lru_cache(maxsize=1)
def get_installation() -> Installation:
    """Installation of `TOCSIN_HOME`."""
    return Installation(load_settings()).open()


@lru_cache(maxsize=1)
def get_deliverer() -> Deliverer:
    """Sender of this process."""
    return Deliverer(get_installation(), "runner", now)
