"""What the console counts, on both databases: the months, the money that was approved, statements side by side."""

from __future__ import annotations

import pytest

from domain.commands import Acknowledge, Approve, Cancel, Done, Draft
from engine.response import statements
from engine.response.executive_overview import build_overview
from storage.incidents import approved_spending, past_incidents
from storage.incidents.incident_document import load_incident_document
from storage.incidents.past_incidents import IncidentQuery
from tests.installations import BEGAN, InstallationHarness, installation_fixture  # noqa: F401 - the fixture `installation`

ZONE = "Asia/Shanghai"


def test_the_months_are_counted_as_by_hand(installation: InstallationHarness) -> None:
    # The first: taken after 3 minutes, done after 30, in time. The second: taken after 9, done after 50, late.
    for minutes, done in ((3, 30), (9, 50)):
        ref = installation.declare(service="checkout")
        installation.turn()
        installation.wait(minutes=minutes)
        installation.do(ref, Acknowledge, "fenglei", step="s/fix")
        installation.wait(minutes=done - minutes)
        installation.do(ref, Done, "fenglei", step="s/fix")
        installation.turn()
    installation.do(installation.declare(), Cancel, "alice", reason="a mistake")  # is counted nowhere
    installation.declare(drill=True)
    ref = installation.declare("say")  # its first public word after 12 minutes
    installation.turn()
    installation.do(ref, Draft, "chenyu", step="s/write", texts={"en": "We are sorry."})
    installation.turn()
    installation.do(ref, Acknowledge, "alice", step="s/pass")
    installation.wait(minutes=12)
    digest = installation.snapshot(ref).steps["s/write"].digest
    installation.do(ref, Approve, "alice", step="s/pass", digest=digest)
    installation.turn()
    installation.deliver()
    with installation.installation.database.read() as connection:
        found = past_incidents.summarize_months(connection, BEGAN.subtract(months=1), ZONE)
    assert list(found) == ["2026-11"]
    month = found["2026-11"]
    assert month.incidents == 3
    # 3, 9 and, of the approval, 0 minutes: it was opened and taken at one moment.
    assert month.acknowledged == 3
    assert month.mtta == pytest.approx(240.0)
    # fix twice, one late; write and pass of the third.
    assert (month.done - month.in_time, month.spoken) == (1, 1)
    assert month.first_word == pytest.approx(720.0)


def test_only_what_was_approved_is_promised(installation: InstallationHarness) -> None:
    ref = installation.declare("say")
    installation.turn()
    installation.do(ref, Draft, "chenyu", step="s/write", texts={"en": "Coupons."}, amount=4_000)
    installation.turn()
    assert promised(installation) == 0
    digest = installation.snapshot(ref).steps["s/write"].digest
    installation.do(ref, Approve, "alice", step="s/pass", digest=digest)
    assert promised(installation) == 4_000
    found = build_overview(installation.installation, installation.now, "en", ZONE)
    assert (found["budget"]["promised"], found["budget"]["of"]) == (4_000, 500_000)
    installation.do(ref, Draft, "chenyu", step="s/write", texts={"en": "More coupons."}, amount=9_000)
    assert promised(installation) == 0, "an edit voids the approval, and its sum with it"


def promised(installation: InstallationHarness) -> int:
    with installation.installation.database.read() as connection:
        return approved_spending.sum_approved_since(connection, installation.now.start_of("month"))


def test_a_decision_waits_for_the_executive_only_when_there_is_something_to_decide(
    installation: InstallationHarness,
) -> None:
    ref = installation.declare("say")
    installation.turn()
    assert build_overview(installation.installation, installation.now, "en", ZONE)["incidents"][0]["decisions"] == []
    installation.do(ref, Draft, "chenyu", step="s/write", texts={"en": "Sorry."})
    installation.turn()
    (decision,) = build_overview(installation.installation, installation.now, "en", ZONE)["incidents"][0]["decisions"]
    assert (decision["id"], decision["text"]["rendered"]) == ("s/pass", {"website-en": "Sorry."})


def test_statements_stand_beside_each_other_by_channel(installation: InstallationHarness) -> None:
    ref = installation.post()
    installation.deliver()
    installation.turn()
    with installation.installation.database.read() as connection:
        document = load_incident_document(connection, ref, installation.installation.roster(), installation.now)
    (said,) = statements.list_statements(document)
    assert (said["approval"], said["version"], list(said["channels"])) == ("done", 1, ["website-en"])
    cell = said["channels"]["website-en"]
    assert (cell["text"], cell["posting"], cell["language"]) == ("We are sorry.", "published", "en")
    assert cell["receipt"]


@pytest.mark.parametrize(
    ("wanted", "refs"),
    [
        (IncidentQuery(text="CHECKOUT"), {"INC-1"}),
        (IncidentQuery(text="100%"), {"INC-2"}),  # no wildcard
        (IncidentQuery(text="支付 超时"), {"INC-2"}),
        (IncidentQuery(service="pay"), {"INC-2"}),
        (IncidentQuery(person="fenglei"), {"INC-1"}),
        (IncidentQuery(playbook="call", before=2), {"INC-1"}),
        (IncidentQuery(since=BEGAN.add(minutes=1)), {"INC-2"}),
        (IncidentQuery(until=BEGAN.add(minutes=1)), {"INC-1"}),
        (IncidentQuery(text="rehearsal"), set()),
        (IncidentQuery(text="rehearsal", drills=True), {"INC-3"}),
    ],
)
def test_what_is_remembered_finds_it(installation: InstallationHarness, wanted: IncidentQuery, refs: set[str]) -> None:
    first = installation.declare(title="Checkout is down")
    installation.turn()
    installation.do(first, Done, "fenglei", step="s/fix")
    installation.wait(minutes=5)
    installation.declare(title="支付超时，100% 失败", service="pay")
    installation.declare(title="A rehearsal", drill=True)
    with installation.installation.database.read() as connection:
        assert {one["ref"] for one in past_incidents.search_incidents(connection, wanted)} == refs
