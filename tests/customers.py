"""Installation with channels to customers, and the operations of a test on a follow-up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domain.commands import Close, Done
from engine.customers import import_customers, survey_answers, survey_schedule
from engine.customers.service import CustomerService
from engine.home import SAMPLE_HOME
from storage.customers import affected_customers, follow_ups
from storage.customers.affected_customers import CustomerRecord
from storage.customers.follow_ups import FollowUpRecord
from storage.incidents import incidents
from tests.installations import InstallationHarness, installation_harness

MAIL, PHONE = "customer@recipient.invalid", "+10000000000"
CHANNELS = (
    (SAMPLE_HOME / "channels.yaml").read_text(encoding="utf-8").partition("\n  # How customers are asked")[0]
    + f"""
  - json://127.0.0.1:{{port}}/mail/{MAIL}?rto=0.5&cto=0.5:
      - tag: survey-mail
  - json://127.0.0.1:{{port}}/sms/{PHONE}?rto=0.5&cto=0.5:
      - tag: survey-sms
  - json://127.0.0.1:{{port}}/inbox/customers?rto=0.5&cto=0.5:
      - tag: survey-sandbox
        sandbox: true
"""
)


def row(number: int, **fields: Any) -> dict[str, Any]:
    """A customer as a file would have them."""
    return {"id": f"C{number}", "contact": f"c{number}@example.com", "time_zone": "UTC", **fields}


class FollowUp:
    """One incident with its customers."""

    def __init__(self, installation: InstallationHarness, **incident: Any) -> None:
        self.installation = installation
        self.service: CustomerService = installation.installation.customers
        self.ref = installation.declare(**incident)

    @property
    def id(self) -> str:
        with self.installation.installation.database.read() as connection:
            return incidents.find_incident_id(connection, self.ref)

    def take(self, rows: Sequence[dict[str, Any]]) -> import_customers.ImportResult:
        return import_customers.import_customers(self.service, self.ref, rows, self.installation.now)

    def close(self) -> None:
        """Closed, and looked at a second later."""
        self.installation.do(self.ref, Close, "alice", reason="over")
        self.installation.wait(seconds=1)

    def step(self) -> None:
        """What is due now: turns and sends."""
        self.installation.deliver()
        self.installation.turn()
        self.installation.deliver()

    def row(self) -> FollowUpRecord:
        with self.installation.installation.database.read() as connection:
            found = follow_ups.get_follow_up(connection, self.id)
        assert found is not None
        return found

    def run_until(self, hours: float, answering_by: Any = None) -> None:
        """Let the follow-up live so long after now, looked at whenever it says so."""
        ends = self.installation.now.add(seconds=int(hours * 3600))
        for _ in range(10_000):
            self.step()
            at = self.row().next_at
            if answering_by:
                answering_by()
            if at is None or at > ends:
                break
            self.installation.now = max(at, self.installation.now)
        else:
            raise AssertionError("it never comes to rest")
        self.installation.now = ends

    def customers(self) -> dict[str, CustomerRecord]:
        with self.installation.installation.database.read() as connection:
            found = affected_customers.list_customers(connection, self.id, limit=200_000)
        return {one.customer or one.id: one for one in found}

    def asked(self, prefix: str = "/mail/") -> list[str]:
        """To whom something was sent, in order."""
        return [request.path.removeprefix(prefix) for request in self.installation.receiver.at(prefix)]

    def tokens(self) -> dict[str, str]:
        """The link that each customer got, by the address it went to."""
        found = {}
        for request in self.installation.receiver.received:
            match = re.search(r"/a/s/([\w.-]+)", str(request.json.get("message", "")))
            if match:
                found[request.path.rpartition("/")[2]] = match[1]
        return found

    def answer(self, token: str, **fields: str) -> Any:
        given = {"csat": "5", "solved": "yes", **fields}
        return survey_answers.record_answer(self.service, token, given, self.installation.now)

    def done(self, step: str) -> None:
        self.installation.do(self.ref, Done, "gaomin", step=f"customer-follow-up:{step}", evidence="all called")

    def follow_steps(self) -> dict[str, str]:
        """Steps of the follow-up's own playbook and their states."""
        with self.installation.installation.database.read() as connection:
            snapshot = incidents.load_snapshot(
                connection, self.row().response_id, self.installation.installation.roster()
            )
        return {name: str(state.status) for name, state in snapshot.steps.items()}

    def tick(self) -> bool:
        return survey_schedule.run_follow_up(self.service, self.id, self.installation.now)


@contextmanager
def customer_installation(home: Path, database_url: str = "") -> Iterator[InstallationHarness]:
    with installation_harness(home, database_url, channels=CHANNELS) as opened:
        yield opened


def plan_text(**replaced: str) -> str:
    """The shipped followup.yaml, without quiet hours: the clock on the wall is not the test's. More as told."""
    text = (SAMPLE_HOME / "followup.yaml").read_text(encoding="utf-8")
    changes = {'{from: "21:00", to: "09:00"}': '{from: "00:00", to: "00:00"}', **replaced}
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
