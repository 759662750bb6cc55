"""All that a drill left behind: its seconds, its stages, its moments. JSON-able, kept beside the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from domain.drill.judging import Second


@dataclass(slots=True)
class Stage:
    """One stretch of constant load. Times in seconds since 1970."""

    name: str
    mode: str
    percent: int
    rate: float
    begun: float
    ended: float = 0.0
    overloaded: bool = False


@dataclass(slots=True)
class Moments:
    """When the fault began, was seen by a rule, was put right, and when all figures were good again.

    `called`, `acknowledged`: of whoever the warning called; None where nobody was, or nobody answered.
    """

    injected: float | None = None
    detected: float | None = None
    detected_by: str = ""
    reverted: float | None = None
    recovered: float | None = None
    horizon: float = 0.0  # seconds that were waited for
    called: float | None = None  # the warning is on record, and its owner is being called
    matter: str = ""  # its reference, WRN-7
    acknowledged: float | None = None
    acknowledged_by: str = ""
    uncalled: str = ""  # why nobody was called


@dataclass(slots=True)
class Cleaned:
    """What was made at the target, and what is proved to be gone."""

    made: int = 0
    gone: int = 0
    left: list[str] = field(default_factory=list)
    doubtful: int = 0  # requests that make something and were never answered: nobody knows what they made
    loose: list[list[str]] = field(default_factory=list)  # kind and name of what the ledger could not take


@dataclass(slots=True)
class Record:
    """A drill as it went. `stopped`: why it ended before its end; `invalid`: why it says nothing."""

    id: str
    plan: str
    begun: float
    peak: float
    ended: float = 0.0
    seconds: list[Second] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    totals: dict[str, dict[str, Any]] = field(default_factory=dict)  # stage -> histograms by step
    moments: Moments = field(default_factory=Moments)
    cleaned: Cleaned = field(default_factory=Cleaned)
    stopped: str = ""
    invalid: str = ""
    requests: int = 0

    def of(self, stage: Stage) -> list[Second]:
        """The seconds of a stage."""
        return [one for one in self.seconds if one.segment == stage.name]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def record_of(document: dict[str, Any]) -> Record:
    """Read back."""
    found = dict(document)
    found["seconds"] = [Second(**one) for one in found["seconds"]]
    found["stages"] = [Stage(**one) for one in found["stages"]]
    found["moments"], found["cleaned"] = Moments(**found["moments"]), Cleaned(**found["cleaned"])
    return Record(**found)
