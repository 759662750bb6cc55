"""The public page's decisions: what incidents make of a service, which statements stand."""

from __future__ import annotations

from pathlib import Path

import pendulum
import pytest

from domain.incident import IncidentStatus
from domain.service_status import (
    PostedText,
    PublicIncident,
    PublicService,
    ServiceState,
    find_overall_state,
    find_service_status,
    group_statements,
)
from domain.text import Text
from playbooks.errors import BadFile
from playbooks.status_file import SHIPPED, StatusFile, parse_status

AT = pendulum.datetime(2026, 11, 22, 12)
PAYMENT = PublicService("payment", Text("Payment"), ("payment", "checkout"))
EVERYTHING = PublicService("all", Text("Everything"), ("*",))
OPEN, MITIGATED = IncidentStatus.OPEN, IncidentStatus.MITIGATED
S = ServiceState


@pytest.mark.parametrize(
    ("about", "troubles", "state", "since"),
    [
        ("nothing is open", [], S.OPERATIONAL, None),
        ("another service's", [("delivery", "critical", OPEN, 0)], S.OPERATIONAL, None),
        ("one that names none", [("", "critical", OPEN, 0)], S.OPERATIONAL, None),
        ("minor", [("payment", "minor", OPEN, 0)], S.DEGRADED, 0),
        ("critical", [("payment", "critical", OPEN, 5)], S.OUTAGE, 5),
        ("however it is written", [(" Checkout ", "critical", OPEN, 5)], S.OUTAGE, 5),
        ("mitigated", [("payment", "critical", MITIGATED, 0)], S.RECOVERING, 0),
        ("the worst counts", [("payment", "minor", OPEN, 0), ("checkout", "critical", OPEN, 9)], S.OUTAGE, 9),
        ("since the first of those", [("payment", "minor", OPEN, 3), ("payment", "minor", OPEN, 1)], S.DEGRADED, 1),
        ("one back, one open", [("payment", "critical", MITIGATED, 0), ("payment", "minor", OPEN, 4)], S.DEGRADED, 4),
    ],
)  # fmt: skip
def test_a_service_is_what_its_open_incidents_make_of_it(
    about: str, troubles: list[tuple[str, str, IncidentStatus, int]], state: ServiceState, since: int | None
) -> None:
    made = [
        PublicIncident(service, severity, status, AT.add(minutes=late)) for service, severity, status, late in troubles
    ]
    found = find_service_status(PAYMENT, made, frozenset({"critical"}))
    assert (found.state, found.since) == (state, None if since is None else AT.add(minutes=since)), about


def test_a_star_covers_every_incident() -> None:
    found = find_service_status(EVERYTHING, [PublicIncident("", "critical", OPEN, AT)], frozenset({"critical"}))
    assert found.state is S.OUTAGE
    assert find_overall_state([found, find_service_status(PAYMENT, [], frozenset())]) is S.OUTAGE
    assert find_overall_state([]) is S.OPERATIONAL


def _posted(step: str, channel: str, language: str, minute: int, text: str, *, withdraws: bool = False) -> PostedText:
    return PostedText("i-1", step, channel, language, AT.add(minutes=minute), text, withdraws=withdraws)


def test_a_statement_is_said_once_however_many_channels_carried_it() -> None:
    found = group_statements(
        [
            _posted("s/a", "website-en", "en", 0, "Sorry."),
            _posted("s/a", "website-zh", "zh_CN", 1, "抱歉。"),
            _posted("s/a", "weibo", "zh_CN", 2, "抱歉（微博）。"),
            _posted("s/b", "website-en", "en", 60, "We pay."),
        ]
    )
    assert [(one.step, one.texts) for one in found] == [
        ("s/b", {"en": "We pay."}),
        ("s/a", {"en": "Sorry.", "zh_CN": "抱歉。"}),
    ]


def test_what_was_withdrawn_is_not_repeated() -> None:
    found = group_statements(
        [
            _posted("s/a", "website-en", "en", 0, "It was the platform's fault."),
            _posted("c/post", "website-en", "en", 9, "We take that back.", withdraws=True),
            _posted("s/b", "website-en", "en", 12, "What we know now."),
        ]
    )
    assert [(one.step, one.withdrawn) for one in found] == [("s/b", False), ("c/post", False), ("s/a", True)]
    assert "fault" not in str(found)


def test_the_shipped_file_is_sound_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    shipped = parse_status(SHIPPED.read_text(encoding="utf-8"), "status.yaml")
    assert [one.id for one in shipped.services] == ["ordering", "delivery", "refunds", "customer-service"]
    assert all(one.title.zh for one in shipped.services)
    file = tmp_path / "status.yaml"
    file.write_text("services: [{id: a, title: A}]\n")
    watched = StatusFile(file)
    assert watched.current() == shipped
    assert any("covers" in str(finding) for finding in watched.findings())
    with pytest.raises(BadFile, match="twice"):
        parse_status("title: T\nservices: [{id: a, title: A, covers: [a]}, {id: a, title: B, covers: [b]}]\n", "f")
