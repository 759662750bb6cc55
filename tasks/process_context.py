"""Process-wide installation of the Prefect tasks, opened on first use: Prefect passes no objects."""

from __future__ import annotations

from functools import lru_cache

from engine.delivery.deliver import Deliverer
from engine.installation import Installation
from engine.process.clock import now
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
