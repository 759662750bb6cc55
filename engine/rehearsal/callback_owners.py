"""Simulated owners of the follow-up, who call every customer on the list before they finish a step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.rehearsal.api_client import incident_path
from engine.rehearsal.simulated_owners import OwnerContext, SimulatedOwners

CALLBACKS, REOPENED = "callbacks", "reopened"  # stages of the playbook `customer-follow-up`
OPEN_AGAIN = frozenset({"not-solved", "complained-again"})  # reasons for which a matter is open again
_LISTED = 500
_NOTE = "Rehearsal: called"


class CallbackOwners(SimulatedOwners):
    """Simulated owners who take the steps of `customer-follow-up`."""

    def __init__(self, stage: OwnerContext) -> None:
        super().__init__(stage)
        self.listed: dict[str, set[str]] = {}  # number in the CRM -> the stages on whose list they stood
        self._where = stage

    def before(self, step: str, reader: str) -> None:
        """Call every customer on the list, until nobody is left on it."""
        stage = step.partition("/")[0]
        while stage in (CALLBACKS, REOPENED) and (waiting := list(self._waiting(stage))):
            for one in waiting:
                self.listed.setdefault(one["customer"], set()).add(stage)
                document = {"customer": one["customer"], "note": _NOTE}
                path = incident_path(self._where.ref, "customers/called")
                self._where.line.record(path, document, self._where.tokens.get(reader, ""))

    def after(self, step: str, reader: str) -> None:
        """Call the customers who came on the list in the very moment of its end."""
        self.before(step, reader)

    def _waiting(self, stage: str) -> Iterable[dict[str, Any]]:
        path = incident_path(self._where.ref, "customers")
        found = self._where.line.get(path, calls="true", limit=_LISTED)["customers"]
        return (one for one in found if (one["callback"] in OPEN_AGAIN) is (stage == REOPENED))
