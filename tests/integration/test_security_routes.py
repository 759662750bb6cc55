"""Each route and each role: who gets in where, as a table that every route of the application must stand in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from domain.access import REQUIRED_ROLES, ROLES, AccessRole
from tests.served import Served, served
from web.api.command_forms import COMMANDS
from web.app import create_app

OPEN = "open"  # to all: it tells nothing, or its address is the right to it
LOCAL = "this machine"  # the sandbox's letters
TABLE: dict[str, str | AccessRole] = {
    # the public, and links that are sent to one person
    "GET /status": OPEN, "GET /status/feed.atom": OPEN, "GET /status/asked": OPEN, "POST /status/subscribe": OPEN,
    "GET /status/confirm/{token}": OPEN, "POST /status/confirm/{token}": OPEN,
    "GET /status/leave/{token}": OPEN, "POST /status/leave/{token}": OPEN,
    "GET /a/{token}": OPEN, "POST /a/{token}": OPEN, "GET /a/s/{token}": OPEN, "POST /a/s/{token}": OPEN,
    # coming in and going out
    "GET /login": OPEN, "POST /login": OPEN, "GET /login/link/{secret}": OPEN, "POST /login/link/{secret}": OPEN,
    "GET /login/sso": OPEN, "GET /login/sso/back": OPEN, "POST /logout": OPEN, "POST /logout/everywhere": "look",
    # for whoever watches the processes
    "GET /healthz": OPEN, "GET /readyz": OPEN, "GET /metrics": "look", "GET /api/openapi.json": OPEN,
    # the sandbox
    "POST /inbox/{name:path}": LOCAL, "GET /inbox/api/messages": AccessRole.ADMIN, "GET /inbox": "look",
    "GET /inbox/{name:path}": AccessRole.ADMIN,
    # pages
    "GET /": "look", "GET /incidents": OPEN, "GET /incidents/{ref}": "look", "GET /incidents/{ref}/text": "look",
    "GET /incidents/{ref}/export.{kind}": "look", "GET /declare": "declare", "GET /declare/similar": "declare",
    "POST /declare": "declare", "POST /incidents/{ref}/do/{name}": "close",
    "GET /incidents/{ref}/promise": "look", "POST /incidents/{ref}/promise": "promise",
    "GET /warnings": "look", "GET /warnings/rules/{name}": "look", "POST /warnings/silences": "silence",
    "POST /warnings/silences/{name}/end": "silence", "GET /health": "look", "GET /drills": "look", "GET /duty": "look",
    "POST /duty/overrides": "duty", "POST /duty/overrides/{name}/end": "duty",
    "GET /executive": "look", "GET /history": "look", "GET /statements": "look", "GET /documents": "look",
    "GET /documents/{kind}/{name}": "look", "GET /documents/{kind}/{name}/agenda.ics": "look",
    "GET /follow-ups": "look", "GET /follow-ups/{ref}": "look", "POST /follow-ups/{ref}/called": "customers",
    # accounts
    "GET /account": "look", "POST /account/password": "look", "GET /accounts": "users", "POST /accounts": "users",
    "POST /accounts/{name}/role": "users", "POST /accounts/{name}/disable": "users",
    "POST /accounts/{name}/enable": "users", "POST /accounts/{name}/link": "users", "GET /audit": "audit",
    # the API: looking
    **dict.fromkeys(
        (
            "GET /api/incidents", "GET /api/incidents/{ref}", "GET /api/incidents/{ref}/timeline",
            "GET /api/incidents/{ref}/timeline/verify", "GET /api/incidents/{ref}/similar",
            "GET /api/incidents/{ref}/customers", "GET /api/incidents/{ref}/retrospective", "GET /api/actions",
            "GET /api/actions/{ref}", "GET /api/documents", "GET /api/documents/{kind}/{name}", "GET /api/figures",
            "GET /api/health", "GET /api/improvement", "GET /api/levels", "GET /api/playbooks",
            "GET /api/playbooks/{name}", "GET /api/recurrences", "GET /api/replays/{lane}", "GET /api/reports",
            "GET /api/rules", "GET /api/rules/{name}", "GET /api/silences", "GET /api/sources", "GET /api/suggestions",
            "GET /api/warnings",
        ),
        "look",
    ),
    # the API: commands
    "POST /api/incidents": "declare", "POST /api/incidents/{ref}/attach": "attach",
    "POST /api/incidents/{ref}/merge": "merge", **{f"POST /api/incidents/{{ref}}/{name}": name for name in COMMANDS},
    "POST /api/incidents/{ref}/actions": "promise", "POST /api/suggestions/{name}/answer": "promise",
    "POST /api/incidents/{ref}/customers": "customers", "POST /api/incidents/{ref}/customers/called": "customers",
    "POST /api/incidents/{ref}/customers/again": "customers", "POST /api/customers/forget": "forget",
    "POST /api/incidents/{ref}/retrospective": "report", "POST /api/reports": "report",
    "POST /api/silences": "silence", "POST /api/silences/{name}/end": "silence",
    "POST /api/samples": "samples", "POST /api/texts": "samples", "PUT /api/replays/{lane}": "samples",
    "POST /api/webhooks/alertmanager": "samples", "POST /api/webhooks/grafana": "samples",
    "POST /api/webhooks/mentions": "samples",
}  # fmt: skip

STEP = {"step": "apology/trace"}
BODIES: dict[str, Any] = {
    "POST /api/incidents": {"title": "Refunds fail"},
    "POST /api/incidents/{ref}/attach": {"playbook": "public-opinion"},
    "POST /api/incidents/{ref}/merge": {"into": "INC-1"},
    **{f"POST /api/incidents/{{ref}}/{name}": STEP for name in ("acknowledge", "done")},
    "POST /api/incidents/{ref}/draft": {**STEP, "texts": {"en": "x"}},
    "POST /api/incidents/{ref}/approve": {**STEP, "digest": "0" * 64},
    "POST /api/incidents/{ref}/reject": {**STEP, "reason": "x"},
    "POST /api/incidents/{ref}/retry": {**STEP, "channel": "weibo"},
    "POST /api/incidents/{ref}/reassign": {**STEP, "to": "erik"},
    "POST /api/incidents/{ref}/begin": {"stage": "nothing"},
    "POST /api/incidents/{ref}/note": {"text": "x"},
    "POST /api/incidents/{ref}/impact": {"impact": {"customers": 1}},
    "POST /api/incidents/{ref}/actions": {"title": "x", "owner": "nobody", "due": "14d"},
    "POST /api/suggestions/{name}/answer": {"answer": "x"},
    "POST /api/incidents/{ref}/customers": {"customers": []},
    "POST /api/incidents/{ref}/customers/called": {"customer": "1", "note": "x"},
    "POST /api/incidents/{ref}/customers/again": {"id": "again-1", "customer": "1"},
    "POST /api/customers/forget": {"customer": "1"},
    "POST /api/incidents/{ref}/retrospective": {"words": {"nothing": "x"}},
    "POST /api/reports": {"kind": "monthly-service-report", "period": "nonsense"},
    "POST /api/silences": {"rule": "frt", "until": "2020-01-01T00:00:00Z", "reason": "x"},
    "POST /api/samples": [],
    "POST /api/texts": [],
    "PUT /api/replays/{lane}": {"position": "2026-11-22T00:00:00Z"},
    "POST /inbox/{name:path}": {"title": "x", "message": "x"},
}
FORMS: dict[str, dict[str, str]] = {
    "POST /incidents/{ref}/promise": {"command": "c-1", "title": "x", "owner": "nobody", "due": "14d"},
    "POST /account/password": {"new": "short", "again": "short"},
}
VALUES = {
    "ref": "INC-1", "name": "nothing", "kind": "md", "lane": "replay-x", "token": "nonsense", "secret": "nonsense",
}  # fmt: skip
QUERIES = {"GET /incidents/{ref}/text": "?step=four-hour-response:apology/draft"}
LEFT_OUT = frozenset({"POST /logout", "POST /logout/everywhere"})  # they end the session with which the rest is asked
PAGES_NAMES = {"POST /incidents/{ref}/do/{name}": "close", "GET /inbox/{name:path}": "wangjie"}


def routes(app: FastAPI) -> list[str]:
    """Every route that the application answers on, as `GET /path`."""

    def each(found: Iterable[Any]) -> Iterator[str]:
        for route in found:
            if hasattr(route, "original_router"):
                yield from each(route.original_router.routes)
            elif getattr(route, "methods", None):
                for method in sorted(route.methods - {"HEAD"}):
                    yield f"{method} {route.path}"
            else:
                assert route.path == "/static", f"{route} is neither a route nor the static files"

    return sorted(each(app.routes))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("home"), free_port()) as running:
        running.declare("Checkout is down")
        yield running


def test_every_route_stands_in_the_table_and_nothing_else(web: Served) -> None:
    found = routes(create_app(web.installation))
    assert len(found) > 100
    assert [route for route in found if route not in TABLE] == [], "say who may: a new route is nobody's until then"
    assert [route for route in TABLE if route not in found] == []


def ask(web: Served, route: str, headers: dict[str, str]) -> httpx.Response:
    method, path = route.split(" ")
    path = path.replace("{name:path}", "{name}") + QUERIES.get(route, "")
    for name, value in (VALUES | {"name": PAGES_NAMES.get(route, "nothing")}).items():
        path = path.replace(f"{{{name}}}", value)
    sent: dict[str, Any] = {}
    if method != "GET":
        json_wanted = path.startswith(("/api/", "/inbox/"))
        sent = {"json": BODIES.get(route, {})} if json_wanted else {"data": FORMS.get(route, {"title": "Refunds fail"})}
    return httpx.request(method, web.url + path, headers=headers, trust_env=False, timeout=60, **sent)


@pytest.mark.parametrize("role", [AccessRole.NONE, *ROLES], ids=lambda role: role.word)
def test_each_route_lets_in_who_may_and_nobody_else(web: Served, role: AccessRole) -> None:
    # Not from the console: as a browser does, or as somebody without anything from elsewhere.
    headers = web.session(role.word, "alice") if role else {"User-Agent": "Mozilla/5.0", "Origin": web.url}
    wrong = []
    for route, wanted in TABLE.items():
        if wanted in (OPEN, LOCAL) or route in LEFT_OUT:
            continue
        least = wanted if isinstance(wanted, AccessRole) else REQUIRED_ROLES[wanted]
        status = ask(web, route, headers).status_code
        expected = status == 401 if not role else status == 403 if role < least else status not in (401, 403)
        if not expected or status >= 500:
            wrong.append(f"{route}: {status}, for {role.word} where {least.word} is needed")
    assert wrong == [], "\n".join(wrong)


def test_what_is_open_is_open_and_does_nothing_for_a_guess(web: Served) -> None:
    for route, wanted in TABLE.items():
        if wanted != OPEN:
            continue
        answer = ask(web, route, {"User-Agent": "Mozilla/5.0", "Origin": web.url})
        assert answer.status_code < 500 or route == "GET /readyz", route  # nobody takes turns here
        assert answer.status_code not in (401, 403) or route == "POST /login", route
        if "{" in route:
            assert answer.status_code in (400, 410), f"{route} takes a guess: {answer.status_code}"


@pytest.mark.parametrize("name", [*COMMANDS, "attach", "merge"])
def test_each_button_takes_the_role_of_its_command(web: Served, name: str) -> None:
    for role in (AccessRole.VIEWER, AccessRole.RESPONDER, AccessRole.APPROVER, AccessRole.COMMANDER):
        headers = web.session(role.word, "alice")
        answer = httpx.post(f"{web.url}/incidents/INC-9/do/{name}", headers=headers, data={"x": "y"}, trust_env=False)
        assert (answer.status_code == 403) == (role < REQUIRED_ROLES[name]), f"{role.word}: {answer.status_code}"


def test_a_note_that_puts_an_entry_right_is_a_commanders(web: Served) -> None:
    fields = {"text": "It was 03:10.", "corrects": "1"}
    headers = web.session("responder", "alice")
    by_page = httpx.post(f"{web.url}/incidents/INC-1/do/note", headers=headers, data=fields, trust_env=False)
    by_api = httpx.post(
        f"{web.url}/api/incidents/INC-1/note", headers=headers, json={"text": "x", "corrects": 1}, trust_env=False
    )
    assert (by_page.status_code, by_api.status_code) == (403, 403)


def test_a_letter_is_its_readers_alone(web: Served) -> None:
    """Letters hold links that act in the name of whoever got them."""
    alice = web.session("commander", "alice")
    status = {
        name: httpx.get(f"{web.url}/inbox/{name}", headers=alice, trust_env=False).status_code
        for name in ("alice", "bob", "public/weibo")
    }
    assert status == {"alice": 200, "bob": 403, "public/weibo": 200}
    boxes = httpx.get(f"{web.url}/inbox", headers=alice, trust_env=False).text
    assert '/inbox/alice"' in boxes
    assert '/inbox/bob"' not in boxes
    token = web.token("alice")
    assert httpx.get(f"{web.url}/inbox/api/messages?name=bob", headers=token, trust_env=False).status_code == 403


@pytest.mark.parametrize("scope", ["samples", "read", "respond", "approve", "command", "admin"])
def test_a_token_does_what_its_scope_says(web: Served, scope: str) -> None:
    from engine.accounts import accounts
    from engine.accounts.accounts import AuditActor
    from engine.process.clock import now

    web.session("admin", "alice")  # its account
    _id, token, _ends = accounts.make_api_token(web.installation, "alice-admin", [scope], 30, now(), AuditActor())
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.9"}
    found = {
        name: httpx.request(method, web.url + path, headers=headers, json=body, trust_env=False).status_code
        not in (401, 403)
        for name, method, path, body in (
            ("samples", "POST", "/api/samples", []),
            ("read", "GET", "/api/incidents", None),
            ("respond", "POST", "/api/incidents/INC-1/note", {"text": "x"}),
            ("approve", "POST", "/api/incidents/INC-1/reject", {"step": "apology/approve", "reason": "x"}),
            ("command", "POST", "/api/incidents/INC-1/reopen", {"reason": "x"}),
            ("admin", "GET", "/audit", None),
        )
    }
    order = ["read", "respond", "approve", "command", "admin"]
    wanted = set() if scope == "samples" else set(order[: order.index(scope) + 1])
    if scope == "samples" or "respond" in wanted:
        wanted.add("samples")
    assert {name for name, may in found.items() if may} == wanted
