"""Service of learning: its plan and the links of its documents."""

from __future__ import annotations

from typing import Any

from pendulum import DateTime

from domain.learning.plan import LearningPlan
from engine.installation import Installation
from playbooks.learning_file import LearningFile

FILE = "learning.yaml"


class LearningService:
    """Learning of one installation. Threads may share one."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.file = LearningFile(installation.settings.home / FILE)
        self.similar_cache: dict[str, tuple[DateTime, list[dict[str, Any]]]] = {}  # what pages show of what is similar

    @property
    def plan(self) -> LearningPlan:
        """How the installation learns, as of now."""
        return self.file.current()

    def document_link(self, document: str) -> str:
        """Return the address at which a document is read."""
        return f"{self.installation.settings.links_url}/documents/{document}"
