"""Factory of an installation's health board."""

from __future__ import annotations

from collections.abc import Callable

from engine.health.board import HealthBoard
from playbooks.health_file import HealthFile
from playbooks.rulebook import Rulebook
from storage.samples.sample_store import SampleStore
from storage.settings import Settings


def open_board(settings: Settings, figures: SampleStore, book: Rulebook) -> tuple[HealthBoard, HealthFile]:
    """Open the board and the file that it goes by. `book` knows the installation's metrics and holidays."""
    file = HealthFile(settings.home / "health.yaml", book.metrics)
    return HealthBoard(figures, file.current, book.metrics, lambda: book.calendar().holidays), file


def services_of(file: HealthFile) -> Callable[[], list[str]]:
    """List the services with people of their own; none: the operation is one."""
    return lambda: list(file.current().services)
