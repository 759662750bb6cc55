"""What was declared twice is one again; what was recorded wrongly is put right by a new entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.served import Served, served, valid


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def said(web: Served, ref: str) -> list[tuple[str, dict[str, object]]]:
    entries = valid("timeline", web.client.get(f"/api/incidents/{ref}/timeline"))["entries"]
    return [(entry["kind"], entry["data"]) for entry in entries]


def test_a_duplicate_ends_and_both_say_so(web: Served) -> None:
    kept, duplicate = web.declare("Checkout is down"), web.declare("Payments fail")
    answer = web.post(duplicate, "merge", {"into": kept, "id": "m-1"})
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert web.show(kept)["status"] == "open"
    assert said(web, kept)[-1] == ("duplicate-merged", {"merged": duplicate, "title": "Payments fail"})
    assert said(web, duplicate)[-1] == ("cancelled", {"reason": f"{kept}: duplicate"})
    again = web.post(duplicate, "merge", {"into": kept, "id": "m-1"})
    assert (again.status_code, again.json()["changed"]) == (200, False)
    assert [kind for kind, _ in said(web, kept)].count("duplicate-merged") == 1
    assert web.client.get(f"/api/incidents/{kept}/timeline/verify").json()["ok"]


def test_what_cannot_be_merged_is_said(web: Served) -> None:
    one, other = web.declare(), web.declare()
    drill = web.declare("Practice", drill=True)
    for ref, into, words in (
        (one, one, "into itself"),
        (one, drill, "a drill"),
        (one, "INC-99", "INC-99"),
    ):
        answer = web.post(ref, "merge", {"into": into})
        assert answer.status_code in (404, 409)
        assert words in answer.json()["error"]
    web.post(other, "cancel", {"reason": "a mistake"})
    assert "cancelled" in web.post(one, "merge", {"into": other}).json()["error"]
    assert web.show(one)["status"] == "open"


def test_a_correction_points_to_what_it_corrects(web: Served) -> None:
    ref = web.declare()
    web.post(ref, "note", {"text": "Three regions are down"})
    place = len(said(web, ref))
    web.post(ref, "note", {"text": "Two regions, not three", "corrects": place})
    assert said(web, ref)[-1] == ("corrected", {"text": "Two regions, not three", "corrects": place})
    assert said(web, ref)[place - 1] == ("noted", {"text": "Three regions are down"})
    refused = web.post(ref, "note", {"text": "x", "corrects": 999})
    assert refused.status_code == 409
    assert "no entry 999" in refused.json()["error"]
