"""Reviews on a real installation: Prefect's own schedules make them, once, and their owners hear of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pendulum
import pytest

from storage.incidents import turns
from tests.smoke.stack import Stack, until

ZONE = "Asia/Shanghai"  # of the shipped plan of reviews


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("reviews"), second_channels=False) as made:
        until(made.all_up, 60, "everything is up")
        # As if it had been installed on the last day of the month before, where it is: that one is over, and no other.
        month = pendulum.now(ZONE).start_of("month")
        with made.database() as database, database.write() as connection:
            turns.save_installation_fact(connection, "reviews", {}, month.subtract(hours=12).in_timezone("UTC"))
        yield made


class Prefect:
    """What the schedule does: ask Prefect for a run of a deployment."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"http://127.0.0.1:{stack.prefect_port}/api"

    def fire(self, flow: str, deployment: str) -> str:
        found = httpx.get(f"{self._url}/deployments/name/{flow}/{deployment}", trust_env=False, timeout=20).json()
        made = httpx.post(
            f"{self._url}/deployments/{found['id']}/create_flow_run", json={"state": {"type": "SCHEDULED"}},
            trust_env=False, timeout=20,
        )  # fmt: skip
        return str(made.json()["id"])

    def state(self, run: str) -> str:
        return str(httpx.get(f"{self._url}/flow_runs/{run}", trust_env=False, timeout=20).json()["state"]["type"])


def about(stack: Stack, words: str) -> list[dict[str, Any]]:
    """What arrived at people that says so."""
    return [one for one in stack.receiver.received() if words in str(one.get("body", one))]


def test_three_runs_of_a_schedule_make_one_report_and_call_its_owner_once(stack: Stack) -> None:
    prefect = Prefect(stack)
    runs = [prefect.fire("review-period", "monthly-service-report") for _ in range(3)]
    until(lambda: all(prefect.state(run) == "COMPLETED" for run in runs), 90, f"the runs: {stack.logs()}", 0.5)
    found = [one for one in stack.client.get("/api/reports").json()["runs"] if one["kind"] == "monthly-service-report"]
    *missed, made = sorted(found, key=lambda one: str(one["period"]))
    assert len({one["period"] for one in found}) == len(found) <= 2, "one more if a month ended a moment ago"
    assert [one["matter"] for one in missed] == [""] * len(missed), "the newest alone calls"
    assert made["matter"].startswith("REV-")
    document = stack.client.get(f"/api/documents/{made['document']}").json()
    assert document["version"] == 1
    until(lambda: about(stack, f"/documents/{made['document']}"), 20, "its owner is called")
    assert len([one for one in about(stack, "Read and comment the monthly report") if "erik" in one["path"]]) == 1


def test_a_serious_incident_that_is_closed_gets_its_retrospective(stack: Stack) -> None:
    ref = stack.declare("Checkout is down", playbook="service-outage")
    document = {"id": "closed-1", "reason": "solved"}
    assert stack.client.post(f"/api/incidents/{ref}/close", json=document).is_success
    prefect = Prefect(stack)
    run = prefect.fire("draft-retrospectives", "draft-retrospectives")
    until(lambda: prefect.state(run) == "COMPLETED", 60, f"the run: {stack.logs()}", 0.5)
    found = stack.client.get(f"/api/incidents/{ref}/retrospective")
    assert found.status_code == 200, found.text
    until(lambda: about(stack, f"/documents/retrospective/{ref}"), 20, "the commander is called")


def test_nothing_of_ours_broke(stack: Stack) -> None:
    assert stack.tracebacks() == []
