"""Record of a drill: its seconds, its stages, its moments. JSON-able, kept beside the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from domain.drill.measurement import DrillSecond


@dataclass(slots=True)
class DrillStage:
    """Stage of constant load. Times in seconds since 1970."""

    name: str
    mode: str
    percent: int
    rate: float
    begun: float
    ended: float = 0.0
    overloaded: bool = False


@dataclass(slots=True)
class DrillMoments:
    """Moments of the fault: begun, seen by a rule, put right, and all figures good again.

    `called`, `acknowledged`: of the owner whom the warning called; None where nobody was, or nobody answered.
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
class CleanupResult:
    """Result of the cleanup: what was made at the target, and what is proved to be gone."""

    made: int = 0
    gone: int = 0
    left: list[str] = field(default_factory=list)
    doubtful: int = 0  # requests that make something and were never answered: nobody knows what they made
    loose: list[list[str]] = field(default_factory=list)  # kind and name of what the ledger could not take


@dataclass(slots=True)
class DrillRecord:
    """Record of one drill. `stopped`: why it ended before its end; `invalid`: why it proves nothing."""

    id: str
    plan: str
    begun: float
    peak: float
    ended: float = 0.0
    seconds: list[DrillSecond] = field(default_factory=list)
    stages: list[DrillStage] = field(default_factory=list)
    totals: dict[str, dict[str, Any]] = field(default_factory=dict)  # stage -> histograms by step
    moments: DrillMoments = field(default_factory=DrillMoments)
    cleaned: CleanupResult = field(default_factory=CleanupResult)
    stopped: str = ""
    invalid: str = ""
    requests: int = 0

    def seconds_of(self, stage: DrillStage) -> list[DrillSecond]:
        """List the seconds of a stage."""
        return [one for one in self.seconds if one.segment == stage.name]

    def document(self) -> dict[str, Any]:
        """Convert the record to its JSON document."""
        return asdict(self)


def parse_record(document: dict[str, Any]) -> DrillRecord:
    """Parse a record from its JSON document."""
    found = dict(document)
    found["seconds"] = [DrillSecond(**one) for one in found["seconds"]]
    found["stages"] = [DrillStage(**one) for one in found["stages"]]
    found["moments"], found["cleaned"] = DrillMoments(**found["moments"]), CleanupResult(**found["cleaned"])
    return DrillRecord(**found)
