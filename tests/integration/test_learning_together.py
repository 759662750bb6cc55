"""Two that look at the same time, and a look that is broken off: nothing is counted, warned of or called for twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from engine.installation import Installation
from engine.learning import optimisation_proposal, recurrence, suggestions
from engine.learning.poll import run_due
from storage import documents
from storage.incidents import warnings
from storage.learning import recurrence_store, suggestion_store
from tests.installations import InstallationHarness, installation_fixture  # noqa: F401

LOOKERS = 3
CHECKOUT = {"title": "Checkout is down", "service": "orders", "kind": "outage"}


def what_stands(installation: InstallationHarness) -> dict[str, Any]:
    with installation.installation.database.read() as connection:
        raised = warnings.list_warnings(connection, feed=None, standing_only=False)
        papers = documents.list_documents(connection, kind="optimisation-proposal")
        kinds = recurrence_store.list_running_recurrences(connection)
        cases = [recurrence_store.list_case_ids(connection, kind.id) for kind in kinds]
    return {
        "warnings": [(row.rule, row.value) for row in raised], "papers": len(papers),
        "cases": [len(one) for one in cases],
    }  # fmt: skip


def test_several_that_look_at_once_make_one_warning_and_one_proposal(installation: InstallationHarness) -> None:
    for _ in range(3):
        installation.declare(**CHECKOUT)
    houses = [Installation(installation.installation.settings).open() for _ in range(LOOKERS)]
    start = Barrier(LOOKERS)

    def at_once(one: Installation) -> int:
        assert one.learning
        start.wait(10)
        return run_due(one, installation.now)

    with ThreadPoolExecutor(LOOKERS) as pool:
        list(pool.map(at_once, houses))
    for one in houses:
        one.close()
    run_due(installation.installation, installation.now)
    assert what_stands(installation) == {"warnings": [("recurrence:outage-orders", 3.0)], "papers": 1, "cases": [3]}


def test_a_look_that_is_broken_off_in_the_middle_leaves_nothing_and_the_next_one_does_it(
    installation: InstallationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        installation.declare(**CHECKOUT)

    def killed(*_: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(recurrence_store, "record_case", killed)  # the warning is raised, and nothing is committed
        with pytest.raises(KeyboardInterrupt):
            recurrence.detect_recurrences(installation.installation.learning, installation.now)
    assert what_stands(installation) == {"warnings": [], "papers": 0, "cases": []}
    with installation.installation.database.read() as connection:
        assert len(recurrence_store.list_new_incidents(connection, installation.now.subtract(days=90), 10)) == 3
    with monkeypatch.context() as broken:
        broken.setattr(
            optimisation_proposal, "refresh_proposal", killed
        )  # the warning is committed, the proposal not yet written
        with pytest.raises(KeyboardInterrupt):
            recurrence.detect_recurrences(installation.installation.learning, installation.now)
    assert what_stands(installation) == {"warnings": [("recurrence:outage-orders", 3.0)], "papers": 0, "cases": [3]}
    run_due(installation.installation, installation.now)
    assert what_stands(installation) == {"warnings": [("recurrence:outage-orders", 3.0)], "papers": 1, "cases": [3]}


def test_a_part_that_fails_holds_up_no_other(
    installation: InstallationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        installation.declare(**CHECKOUT)

    def fails(*_: Any) -> int:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(suggestions, "group_new_suggestions", fails)
    assert run_due(installation.installation, installation.now) > 0
    assert what_stands(installation)["papers"] == 1
    with installation.installation.database.read() as connection:
        assert suggestion_store.list_suggestions(connection) == []
