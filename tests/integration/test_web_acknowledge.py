"""Acknowledge links: looking changes nothing, the button does, an altered or expired link is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from itsdangerous import TimestampSigner

from engine.delivery.links import LIFE, AcknowledgeLink, AcknowledgeLinks
from storage.incidents import incidents
from tests.served import Served, served


@pytest.fixture
def web(home: Path, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(home, free_port()) as running:
        yield running


def link(web: Served, ref: str, step: str, person: str) -> str:
    with web.installation.database.read() as connection:
        response = incidents.list_response_ids(connection, incidents.find_incident_id(connection, ref))[0]
    links = AcknowledgeLinks(web.installation.settings.secret_key(), web.url)
    return links.make_url(AcknowledgeLink(response, step, person)).removeprefix(web.url)


def facts(web: Served, ref: str) -> list[str]:
    return [e["kind"] for e in web.client.get(f"/api/incidents/{ref}/timeline").json()["entries"]]


def test_looking_changes_nothing_and_the_button_acknowledges(web: Served) -> None:
    ref = web.declare("Checkout is <b>down</b>")
    path, before = link(web, ref, "apology/trace", "erik"), facts(web, ref)
    for _ in range(3):
        page = web.client.get(path)
        assert page.status_code == 200
    assert web.client.head(path).status_code in (200, 405)
    assert facts(web, ref) == before
    assert "Trace the technical root cause" in page.text
    assert "<form method=" in page.text
    assert "<b>down" not in page.text
    assert len(page.content) < 8_192
    assert page.headers["referrer-policy"] == "no-referrer"
    # A browser that sends no referrer says so of the origin too.
    taken = web.client.post(path, headers={"Origin": "null", "Host": "tocsin.example.org"})
    assert taken.status_code == 200
    assert "You have it, Erik Sun" in taken.text
    assert "<form" not in taken.text
    assert facts(web, ref) == [*before, "step-acknowledged"]
    assert web.step(ref, "apology/trace")["holder"] == "erik"
    assert web.client.post(path).status_code == 200
    assert facts(web, ref) == [*before, "step-acknowledged"]
    other = web.client.get(link(web, ref, "apology/trace", "bob"))
    assert "Erik Sun has it" in other.text


def test_the_page_speaks_its_readers_language(web: Served) -> None:
    ref = web.declare()
    path = link(web, ref, "apology/trace", "fenglei")
    assert "技术溯源" in web.client.get(path).text
    assert "Trace the technical root cause" in web.client.get(path + "?lang=en").text


def test_a_link_of_the_incident_as_a_whole_has_no_button(web: Served) -> None:
    ref = web.declare()
    page = web.client.get(link(web, ref, "", "alice"))
    assert page.status_code == 200
    assert "Say something in public" in page.text
    assert "<form" not in page.text
    before = facts(web, ref)
    assert web.client.post(link(web, ref, "", "alice")).status_code == 200
    assert facts(web, ref) == before


def test_an_altered_link_is_refused(web: Served) -> None:
    ref = web.declare()
    path = link(web, ref, "apology/trace", "fenglei")
    head, _, rest = path.removeprefix("/a/").partition(".")
    altered = [
        path[:-3],
        "/a/" + link(web, ref, "apology/trace", "mallory").removeprefix("/a/").partition(".")[0] + "." + rest,
        f"/a/{head}",
        "/a/" + "x" * 3_000,
        "/a/%00",
    ]
    before = facts(web, ref)
    for bad in altered:
        for verb in ("GET", "POST"):
            page = web.client.request(verb, bad)
            assert page.status_code == 400, bad
            assert "not whole" in page.text
    assert facts(web, ref) == before


def test_an_expired_link_says_what_to_do(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = web.declare()
    real = TimestampSigner.get_timestamp
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: real(self) - int(LIFE.total_seconds()) - 5)
    path = link(web, ref, "apology/trace", "fenglei")
    monkeypatch.undo()
    before = facts(web, ref)
    for verb in ("GET", "POST"):
        page = web.client.request(verb, path)
        assert page.status_code == 410
        assert "expired" in page.text
        assert "commander" in page.text
    assert "该链接已过期" in web.client.get(path + "?lang=zh").text
    assert facts(web, ref) == before


def test_a_link_of_another_installation_is_refused(web: Served, tmp_path: Path) -> None:
    web.declare()
    ours = AcknowledgeLinks(web.installation.settings.secret_key(), "").make_url(
        AcknowledgeLink("no-such-response", "apology/trace", "alice")
    )
    assert web.client.get(ours).status_code == 404
    theirs = AcknowledgeLinks("0" * 64, "").make_url(AcknowledgeLink("r", "apology/trace", "alice"))
    assert web.client.post(theirs).status_code == 400


def test_a_decision_is_one_tap_and_the_playbook_begins_with_the_clock_of_the_declaration(web: Served) -> None:
    ref = web.declare(playbook="executive-intervention")
    web.post(ref, "done", {"step": "decision/facts", "evidence": "120 customers", "as": "alice"})
    web.turn(ref)
    executive = web.step(ref, "decision/decide")["owner"]
    path = link(web, ref, "decision/decide", executive)
    page = web.client.get(path + "?lang=en").text
    assert "Yes: begin Four-hour public response" in page
    refused = web.post(ref, "done", {"step": "decision/decide", "as": executive})
    assert "say yes" in refused.json()["error"]
    assert web.client.post(path, content="choice=yes").status_code == 200
    document = web.show(ref)
    assert [one["id"] for one in document["playbooks"]] == ["executive-intervention", "four-hour-response"]
    assert web.step(ref, "apology/trace")["state"] == "open"
    again = web.client.post(path, content="choice=yes")
    assert again.status_code == 200
    assert len(web.show(ref)["playbooks"]) == 2
    assert "choice" not in web.client.get(path).text, "decided"


def test_a_no_begins_nothing(web: Served) -> None:
    ref = web.declare(playbook="executive-intervention")
    web.post(ref, "done", {"step": "decision/facts", "evidence": "3 customers", "as": "alice"})
    web.turn(ref)
    executive = web.step(ref, "decision/decide")["owner"]
    assert web.client.post(link(web, ref, "decision/decide", executive), content="choice=no").status_code == 200
    assert (web.step(ref, "decision/decide")["state"], len(web.show(ref)["playbooks"])) == ("done", 1)


def test_what_is_over_cannot_be_taken(web: Served) -> None:
    ref = web.declare()
    path = link(web, ref, "apology/trace", "fenglei")
    web.post(ref, "cancel", {"reason": "declared in error"})
    web.turn(ref)
    assert "<form" not in web.client.get(path).text
    assert web.client.post(path).status_code == 409


def test_the_link_works_from_elsewhere_without_a_token(web: Served) -> None:
    ref = web.declare()
    far = {
        "Host": "tocsin.example.org",
        "X-Forwarded-For": "203.0.113.9",
        "Origin": "https://tocsin.example.org",
    }
    path = link(web, ref, "apology/trace", "fenglei")
    assert httpx.get(web.url + path, headers=far).status_code == 200
    assert httpx.post(web.url + path, headers=far).status_code == 200
    assert httpx.get(f"{web.url}/incidents/{ref}", headers=far).status_code == 401
