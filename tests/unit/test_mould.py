"""What is cast from a mould is what deciding and wording each declaration by itself would give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pendulum
import pytest

import playbooks
from domain.commands import Declare
from domain.decide import decide
from domain.incident import CaseType, Impact, Incident, Response, Snapshot
from domain.playbook import Playbook
from engine.response.declaration_batch import build_declarations, response_id
from engine.response.enqueue import make_entries
from playbooks.playbook_library import PlaybookLibrary
from playbooks.roster_file import parse_roster

NOW = pendulum.datetime(2026, 3, 2, 3, 0)
ROSTER = parse_roster(
    (Path(playbooks.__file__).parent / "sample" / "roster.yaml").read_text(encoding="utf-8"), "roster.yaml"
)
TITLES = ("Payments fail", "支付失败", "{ref} {title} %s {0}", "\ue6a1 and \ue6a2", "<script>alert(1)</script>")


def by_itself(command: Declare, playbook: Playbook, number: int) -> tuple[object, object, object]:
    """The long way: this very incident decided and worded."""
    started = command.since or NOW
    ref = f"{'WRN' if command.case_type is CaseType.WARNING else 'INC'}-{number}"
    incident = Incident(
        command.id, ref, command.title, command.severity or playbook.severity, started, origin=command.origin,
        service=command.service, kind=command.kind, drill=command.drill, pace=command.pace, impact=command.impact,
        case_type=command.case_type,
    )  # fmt: skip
    response = Response(response_id(command.id, playbook.id), playbook, started)
    decision = decide(Snapshot(incident, response, ROSTER), NOW)
    return decision.snapshot, decision.facts, tuple(make_entries(decision, NOW))


@pytest.mark.parametrize("playbook", PlaybookLibrary().all(), ids=lambda one: one.id)
def test_each_is_as_if_it_had_been_decided_by_itself(playbook: Playbook) -> None:
    plain = [Declare(id=f"id-{n}", title=title, playbook=playbook.id) for n, title in enumerate(TITLES)]
    others = [
        replace(plain[0], id="since", since=NOW.subtract(minutes=90)),
        replace(plain[0], id="origin", origin="public-opinion"),
        replace(plain[0], id="service", service="checkout"),
        replace(plain[0], id="severity", severity="minor"),
        replace(plain[0], id="kind", kind="outage"),
        replace(plain[0], id="drill", drill=True, pace={"declared": 60.0}),
        replace(plain[0], id="impact", impact=Impact(customers=7)),
        replace(plain[0], id="nature", case_type=CaseType.WARNING, by="alice", warning={"rule": "slow"}),
    ]
    wanted = [(command, playbook) for command in (*plain, *others)]
    made = build_declarations(wanted, range(1, len(wanted) + 1), ROSTER, NOW)
    for number, ((command, _), one) in enumerate(zip(wanted, made, strict=True), 1):
        snapshot, facts, owed = by_itself(command, playbook, number)
        assert one.snapshot == snapshot, command.id
        assert one.facts[1:] == facts, command.id
        assert one.owed == owed, command.id
        assert (one.facts[0].by, one.facts[0].data["title"]) == (command.by, command.title)
        assert one.facts[0].data.get("warning", {}) == command.warning
    assert len({one.owed[0].key for one in made if one.owed}) == len([one for one in made if one.owed])
