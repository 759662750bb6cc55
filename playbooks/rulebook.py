"""Rulebook of all warning rules: shipped ones, and those of the home that add to or replace them by id."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from threading import Lock
from typing import TypeVar

from domain.warning.calendar import CampaignCalendar
from domain.warning.metrics import Metric
from domain.warning.rule import Rule
from playbooks.errors import FileFinding
from playbooks.file_catalog import FileCatalog
from playbooks.rule_loader import RuleFile, RuleVocabulary, load_rule
from playbooks.rule_vocabulary import COMMON_VOCABULARY, MetricVocabulary, load_calendar, load_metrics
from playbooks.validation_messages import suggest_choice
from playbooks.watched_file import Clock, PollInterval, WatchedFile

SHIPPED = Path(__file__).parent / "rules"
STANDARD = "standard"
T = TypeVar("T")
PlaybookNames = Callable[[], Collection[str]]


class UnknownRule(KeyError):
    """No rule has that id; the message names similar ones."""

    def __init__(self, wanted: str, known: Collection[str]) -> None:
        self.wanted = wanted
        super().__init__(f"no rule {wanted[:60]!r}: {suggest_choice(wanted[:60], known)}")

    def __str__(self) -> str:
        return str(self.args[0])


class Rulebook:
    """The rules in force of a home: its `rules/`, `metrics.yaml` and `campaigns.yaml`. Threads may share one.

    Files are looked at once a second at most; a broken one keeps its last good version in force and is listed by
    `findings`. `playbooks` names the known ones; without it no rule is refused for the playbook that it starts.
    """

    def __init__(
        self, home: Path | None = None, *, playbooks: PlaybookNames | None = None, clock: Clock = time.monotonic
    ) -> None:
        self._installation = RuleVocabulary()
        self._playbooks = playbooks
        folders = [SHIPPED]
        if home is not None and (home / "rules").resolve() != SHIPPED.resolve():
            folders.append(home / "rules")
        self._shelf = FileCatalog(folders, self._load, lambda file: file.rule.id)
        self._metrics = _optional(home, "metrics.yaml", load_metrics, COMMON_VOCABULARY)
        self._calendar = _optional(home, "campaigns.yaml", self._load_calendar, CampaignCalendar())
        self._rules: Mapping[str, Rule] = {}
        self._findings: list[FileFinding] = []
        self._pace = PollInterval(clock)
        self._lock = Lock()

    def rules(self, profile: str = STANDARD) -> list[Rule]:
        """List the rules that are evaluated in that profile, by id."""
        return [rule for rule in self.all() if rule.in_profile(profile)]

    def all(self) -> list[Rule]:
        """List every rule, of any profile, by id."""
        with self._lock:
            self._look()
            return [self._rules[name] for name in sorted(self._rules)]

    def get(self, id: str) -> Rule:  # noqa: A002 - the word of the files
        """Return the rule of that id.

        Raises:
            UnknownRule: there is none; its text suggests near names.
        """
        return self.file(id).rule

    def file(self, id: str) -> RuleFile:  # noqa: A002
        """Return the rule of that id with its trials.

        Raises:
            UnknownRule: there is none.
        """
        with self._lock:
            self._look()
            if id not in self._shelf.things:
                raise UnknownRule(id, list(self._shelf.things))
            return self._shelf.things[id]

    def metrics(self) -> Mapping[str, Metric]:
        """Return the metrics by name: the common ones and the installation's own."""
        with self._lock:
            self._look()
            return self._installation.metrics

    def labels(self) -> Collection[str]:
        """Return the labels that samples may carry."""
        with self._lock:
            self._look()
            return self._installation.labels

    def calendar(self) -> CampaignCalendar:
        """Return campaigns and holidays."""
        with self._lock:
            self._look()
            return (self._calendar.value if self._calendar else None) or CampaignCalendar()

    def vocabulary(self) -> RuleVocabulary:
        """Return the names that a rule file of this home may use."""
        with self._lock:
            self._look()
            return self._installation

    def findings(self) -> list[FileFinding]:
        """List what is wrong with files that are not in force as they stand, and between the rules that are."""
        with self._lock:
            self._look()
            return list(self._findings)

    def _look(self) -> None:
        if not self._pace.due():
            return
        known = self._known()
        installation = RuleVocabulary(
            known.metrics, known.labels, tuple(self._playbooks()) if self._playbooks else None
        )
        changed, self._installation = installation != self._installation, installation
        self._shelf.refresh(anew=changed)
        rules = {name: file.rule for name, file in self._shelf.things.items()}
        changed, self._rules = changed or rules != self._rules, rules
        if self._calendar is not None:
            self._calendar.refresh(anew=changed)
        self._findings = [
            *(self._metrics.findings if self._metrics else ()),
            *self._shelf.findings,
            *(self._calendar.findings if self._calendar else ()),
            *self._unknown_inhibited(),
        ]

    def _known(self) -> MetricVocabulary:
        if self._metrics is not None:
            self._metrics.refresh()
        return (self._metrics.value if self._metrics else None) or COMMON_VOCABULARY

    def _load(self, path: Path) -> RuleFile:
        return load_rule(path, self._installation)

    def _load_calendar(self, path: Path) -> CampaignCalendar:
        return load_calendar(path, self._rules, self._installation.metrics)

    def _unknown_inhibited(self) -> list[FileFinding]:
        """A rule may quiet one that comes later or was removed: it stays in force, and is told."""
        return [
            FileFinding(file.source, None, "inhibits", f"no rule '{name}'", suggest_choice(name, self._rules))
            for file in self._shelf.things.values()
            for name in file.rule.inhibits
            if name not in self._rules
        ]


def _optional(home: Path | None, name: str, read: Callable[[Path], T], without: T) -> WatchedFile[T] | None:
    """Watch a file that need not be there."""
    return WatchedFile(home / name, lambda path: read(path) if path.exists() else without) if home is not None else None
