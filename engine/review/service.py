"""Service of reviews: the plan, the figures and their names, where links lead."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from domain.review.plan import ReviewPlan
from domain.warning.metrics import Metric
from domain.warning.rule import Rule
from engine.installation import Installation
from playbooks.reviews_file import ReviewsFile
from playbooks.rulebook import Rulebook, UnknownRule
from storage.samples.sample_store import SampleStore, open_sample_store

FILE = "reviews.yaml"


class ReviewService:
    """Reviews of one installation. Threads may share one."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.file = ReviewsFile(installation.settings.home / FILE)
        self._book = Rulebook(installation.settings.home)
        self._figures: SampleStore | None = None
        self._lock = Lock()

    @property
    def plan(self) -> ReviewPlan:
        """How the operation reviews itself, as of now."""
        return self.file.current()

    @property
    def figures(self) -> SampleStore:
        """The samples, opened at the first use."""
        with self._lock:
            if self._figures is None:
                self._figures = open_sample_store(self.installation.settings)
            return self._figures

    def metrics(self) -> Mapping[str, Metric]:
        """Return every metric that the installation knows by name."""
        return self._book.metrics()

    def find_rule(self, name: str) -> Rule | None:
        """Return the warning rule of that id; None: the installation has none."""
        try:
            return self._book.get(name)
        except UnknownRule:
            return None

    def document_link(self, document: str) -> str:
        """Return the address at which people read a document."""
        return f"{self.installation.settings.links_url}/documents/{document}"

    def close(self) -> None:
        """Close the samples."""
        if self._figures is not None:
            self._figures.close()
