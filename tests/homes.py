"""Homes and databases for tests, copied from one that was laid out once, so that the migrations run once a run."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy.engine import make_url

from engine.home import prepare_home
from storage.settings import Settings, load_settings


@cache
def _laid_out() -> Path:
    """A home on SQLite, as the first start leaves it."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    prepare_home(load_settings(home=folder))
    return folder


def copy_database(target: Path, name: str = "tocsin.db") -> None:
    """A database at this program's schema with nothing in it, unless something is there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_laid_out() / name, target)


def lay_out(settings: Settings) -> None:
    """What `prepare_home` does at the first start, its databases copied."""
    if settings.is_sqlite:
        copy_database(Path(str(make_url(settings.database).database)))
        copy_database(settings.home / "figures.db", "figures.db")
    prepare_home(settings)
