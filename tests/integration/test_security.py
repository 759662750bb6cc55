"""What somebody tries who means harm: from another site, by what they write and send, with what they saw."""

from __future__ import annotations

import csv
import io
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.access import AccessRole
from engine.accounts import accounts
from engine.accounts.accounts import AuditActor
from engine.process.clock import now
from storage import audit
from storage.accounts import sessions_and_tokens
from storage.accounts.user_accounts import Account
from tests.served import Served, served
from web.auth.login import safe_next

PASSWORD = "correct horse battery"
BROWSER = {"User-Agent": "Mozilla/5.0", "Accept": "text/html"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("home"), free_port()) as running:
        accounts.add_account(running.installation, Account("ada", "", AccessRole.ADMIN), PASSWORD, now(), AuditActor())
        running.declare("Checkout is down")
        yield running


def browser(web: Served) -> httpx.Client:
    return httpx.Client(base_url=web.url, headers={**BROWSER, "Origin": web.url}, trust_env=False, timeout=20)


def log_in(web: Served, client: httpx.Client, password: str = PASSWORD, to: str = "/") -> httpx.Response:
    return client.post("/login", data={"name": "ada", "password": password, "next": to})


# --- sessions ------------------------------------------------------------------------------------------------------


def test_a_login_speaks_the_language_of_the_account(web: Served) -> None:
    accounts.add_account(
        web.installation, Account("lin", "", AccessRole.VIEWER, "zh_CN"), PASSWORD, now(), AuditActor()
    )
    with browser(web) as one:
        one.post("/login", data={"name": "lin", "password": PASSWORD})
        assert 'lang="zh-CN"' in one.get("/account").text


def test_whoever_goes_on_trying_does_not_fill_the_log(web: Served) -> None:
    with web.installation.database.read() as connection:
        before = len(audit.read_entries(connection, limit=10_000))
    with browser(web) as one:
        for _ in range(40):
            assert one.post("/login/link/a-guess").status_code == 410
    ends, found = time.monotonic() + 5, 0
    while not found and time.monotonic() < ends:
        with web.installation.database.read() as connection:
            found = len(audit.read_entries(connection, limit=10_000)) - before
        time.sleep(0.05)
    assert 1 <= found <= 3


def test_a_session_that_somebody_planted_is_never_taken(web: Served) -> None:
    """Session fixation: what the browser brings along before the login is worth nothing after it."""
    with browser(web) as victim:
        victim.cookies.set("tocsin_session", "planted-by-an-attacker")
        answer = log_in(web, victim)
        assert answer.status_code == 303
        given = re.search(r"tocsin_session=([^;]+)", answer.headers["set-cookie"])
        assert given
        assert given[1] != "planted-by-an-attacker"
        assert victim.get("/account").status_code == 200
    with browser(web) as attacker:
        attacker.cookies.set("tocsin_session", "planted-by-an-attacker")
        assert attacker.get("/account").status_code == 303


def test_the_cookie_is_for_us_alone(web: Served, home: Path, free_port: Callable[[], int]) -> None:
    with browser(web) as one:
        cookie = log_in(web, one).headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie
    with served(home, free_port(), public_url="https://tocsin.example.org") as safe, browser(safe) as one:
        accounts.add_account(safe.installation, Account("ada", "", AccessRole.ADMIN), PASSWORD, now(), AuditActor())
        cookie = log_in(safe, one).headers["set-cookie"]
        assert safe.client.get("/status").headers["strict-transport-security"] == "max-age=31536000"
    assert cookie.startswith("__Host-tocsin_session=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie


def test_out_is_out(web: Served) -> None:
    with browser(web) as one, browser(web) as other:
        log_in(web, one)
        log_in(web, other)
        stolen = dict(one.cookies)
        assert one.post("/logout").status_code == 303
        assert one.get("/account").status_code == 303
        one.cookies.update(stolen)
        assert one.get("/account").status_code == 303, "the cookie alone is worth nothing"
        assert other.get("/account").status_code == 200
        assert other.post("/logout/everywhere").status_code == 303
        assert other.get("/account").status_code == 303


def test_whoever_finds_an_open_browser_does_not_take_it_over_for_good(web: Served) -> None:
    with browser(web) as one:
        log_in(web, one)
        form = {"old": "a guess", "new": "quite another password", "again": "quite another password"}
        answer = one.post("/account/password", data=form)
        assert answer.status_code == 422
        assert "nothing was changed" in answer.text
    with browser(web) as one:
        assert log_in(web, one).status_code == 303


# --- from another site ---------------------------------------------------------------------------------------------

NOTE = ("/incidents/INC-1/do/note", {"text": "a note"})


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"Origin": "{us}"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "{us}"}, True),
        ({}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://evil.example"}, False),
        (
            {"Origin": "http://127.0.0.1:1"},
            False,
        ),  # another program on this machine: the same site, not the same origin
        ({"Origin": "http://localhost:{port}"}, False),
        ({"Origin": "{us}.evil.example"}, False),
        ({"Origin": "http://evil.example@127.0.0.1:1"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "{us}"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Referer": "{us}/incidents/INC-1"}, False),
    ],
)
def test_a_form_of_another_site_changes_nothing(web: Served, headers: dict[str, str], taken: bool) -> None:
    cookie = web.session("admin", "alice")["Cookie"]
    sent = {name: value.format(us=web.url, port=web.port) for name, value in headers.items()}
    before = len(facts(web))
    for path, how in ((NOTE[0], {"data": NOTE[1]}), ("/api/incidents/INC-1/note", {"json": NOTE[1]})):
        answer = httpx.post(web.url + path, headers={"Cookie": cookie, **sent}, trust_env=False, **how)  # type: ignore[arg-type]
        assert (answer.status_code in (200, 303)) == taken, answer.text
    assert (len(facts(web)) > before) == taken


def facts(web: Served) -> list[Any]:
    return list(web.client.get("/api/incidents/INC-1/timeline").json()["entries"])


def test_a_foreign_page_logs_nobody_in(web: Served) -> None:
    form = {"name": "ada", "password": PASSWORD}
    for headers in ({"Origin": "https://evil.example"}, {}, {"Sec-Fetch-Site": "cross-site"}):
        answer = httpx.post(f"{web.url}/login", data=form, headers={**BROWSER, **headers}, trust_env=False)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_the_api_takes_only_what_no_form_can_send(web: Served, type_: str) -> None:
    headers = {**web.session(), "Content-Type": type_}
    sent = b'{"title": "from a form"}'
    assert httpx.post(f"{web.url}/api/incidents", content=sent, headers=headers, trust_env=False).status_code == 415


def test_a_browser_on_this_machine_is_not_the_console(web: Served) -> None:
    for headers in (
        {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Mode": "navigate"}, {"Origin": web.url}, {"Referer": web.url},
        {"Cookie": "lang=zh"}, {"User-Agent": "Mozilla/5.0"}, {"X-Forwarded-For": "127.0.0.1"},
        {"Host": "evil.example"}, {"Forwarded": "for=127.0.0.1"},
    ):  # fmt: skip
        answer = httpx.get(f"{web.url}/api/incidents", headers=headers, trust_env=False)
        assert answer.status_code == 401, headers
    assert web.client.get("/api/incidents").status_code == 200


def test_nothing_frames_us_and_nothing_foreign_runs(web: Served) -> None:
    with browser(web) as one:
        log_in(web, one)
        for path in (
            "/",
            "/incidents/INC-1",
            "/login",
            "/status",
            "/a/x",
            "/accounts",
            "/nothing",
            "/static/tocsin.css",
        ):
            headers = one.get(path).headers
            policy = headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in headers
            wanted = "no-referrer" if path.startswith("/a/") else "same-origin"
            assert headers["referrer-policy"] == wanted, path


@pytest.mark.parametrize(
    "to",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example",
     "/\t/evil.example", "javascript:alert(1)", "/login?next=/login", "/logout", " //evil.example", "",
     "/x\r\nSet-Cookie: a=b", "/" + "x" * 600],
)  # fmt: skip
def test_the_login_leads_nowhere_else(web: Served, to: str) -> None:
    assert safe_next(to) == "/"
    with browser(web) as one:
        answer = log_in(web, one, to=to)
        assert answer.headers["location"] == "/"
        assert "a=b" not in str(answer.headers)
    with browser(web) as one:
        assert 'name="next" value="/"' in one.get("/login", params={"next": to}).text


def test_the_login_leads_back_to_where_one_was(web: Served) -> None:
    with browser(web) as one:
        sent = one.get("/incidents/INC-1?facts_after=3")
        assert sent.headers["location"] == "/login?next=/incidents/INC-1%3Ffacts_after%3D3"
        assert safe_next("/incidents/INC-1?facts_after=3") == "/incidents/INC-1?facts_after=3"


def test_failed_logins_say_nothing_and_then_wait(web: Served) -> None:
    accounts.add_account(web.installation, Account("slow", "", AccessRole.VIEWER), PASSWORD, now(), AuditActor())
    said = []
    with browser(web) as one:
        for name in ("slow", "nobody-like-that"):
            answer = one.post("/login", data={"name": name, "password": "wrong"})
            assert answer.status_code == 401
            said.append(re.sub(r'value="[^"]*"|data-now="[^"]*"', "", answer.text))
        assert said[0] == said[1]
        for _ in range(5):
            answer = one.post("/login", data={"name": "slow", "password": "wrong"})
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1


# --- what is sent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fpyproject.toml", "/static//etc/passwd",
     "/documents/../../etc/passwd", "/documents/x/..%2f..%2f..%2fetc%2fpasswd", "/inbox/..%2f..%2fsecret.key",
     "/incidents/..%2f..%2fsecret.key", "/api/playbooks/..%2f..%2fsecret.key", "/api/documents/..%2f../secret.key",
     "/incidents/INC-1/export...%2fsecret.key", "/api/rules/..%2fsecret"],
)  # fmt: skip
def test_no_path_leads_out(web: Served, path: str) -> None:
    key = (web.installation.settings.home / "secret.key").read_bytes()
    host = f"Host: 127.0.0.1:{web.port}\r\nConnection: close\r\n\r\n"
    answer = raw(web, f"GET {path} HTTP/1.1\r\n{host}".encode())
    assert answer.split(b" ")[1] in (b"404", b"422", b"200", b"307"), answer[:80]
    for secret in (key, b"root:x:", b"def create_app", b"[project]"):
        assert secret not in answer


def raw(web: Served, sent: bytes, patience: float = 10.0) -> bytes:
    with socket.create_connection(("127.0.0.1", web.port), timeout=patience) as connection:
        connection.sendall(sent)
        found = b""
        while chunk := connection.recv(65_536):
            found += chunk
        return found


def test_a_body_that_is_too_large_is_refused(web: Served) -> None:
    headers = {"Content-Type": "application/json"}
    big = b'{"title": "' + b"x" * 1_100_000 + b'"}'
    assert web.client.post("/api/incidents", content=big, headers=headers).status_code == 413
    assert web.client.post("/api/incidents", content=iter([big]), headers=headers).status_code == 413
    with browser(web) as one:
        assert one.post("/login", data={"name": "x" * 1_100_000}).status_code == 413


def test_who_trickles_is_cut_off_and_holds_nobody_up(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.http.request_guard.BODY_SECONDS", 0.5)
    start = (
        f"POST /api/incidents HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n{"
    ).encode()
    slow = [socket.create_connection(("127.0.0.1", web.port), timeout=10) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(start)
        began = time.monotonic()
        assert web.client.get("/api/incidents").status_code == 200
        assert web.client.post("/api/incidents", json={"title": "Another"}).status_code == 201
        assert time.monotonic() - began < 5
        answers = [connection.recv(4_096) for connection in slow]
        assert {answer.split(b" ")[1] for answer in answers} == {b"408"}
        assert all(b"connection: close" in answer.lower() for answer in answers)
    finally:
        for connection in slow:
            connection.close()


# --- what is taken away --------------------------------------------------------------------------------------------

FORMULAS = ['=HYPERLINK("http://evil.example")', "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1"]


def test_nothing_in_a_csv_is_a_formula(web: Served) -> None:
    ref = web.declare("=cmd|'/c calc'!A1")
    for text in FORMULAS:
        web.post(ref, "note", {"text": text})
    answer = web.client.get(f"/incidents/{ref}/export.csv")
    cells = [cell for row in csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))) for cell in row]
    assert sum("HYPERLINK" in cell for cell in cells) == 1
    assert [cell for cell in cells if cell[:1] in "=+@\t\r" and cell] == []
    assert [cell for cell in cells if re.match(r"-\D|-\d.*[^\d.-]|-\d+\+", cell)] == []


@pytest.mark.parametrize("kind", ["md", "html", "json", "csv"])
def test_an_export_is_a_file_that_names_itself(web: Served, kind: str) -> None:
    """Nothing that somebody writes comes into a header, and no export runs in our pages."""
    ref = web.declare('x"\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>')
    answer = web.client.get(f"/incidents/{ref}/export.{kind}")
    assert answer.headers["content-disposition"] == f'attachment; filename="{ref}.{kind}"'
    assert "set-cookie" not in answer.headers
    if kind == "html":
        assert "<script>alert(1)" not in answer.text


# --- what is seen --------------------------------------------------------------------------------------------------


def test_no_secret_stands_in_a_log_an_audit_or_an_address(web: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = accounts.make_login_link(web.installation, "ada", now(), AuditActor())
    _id, token, _ends = accounts.make_api_token(web.installation, "ada", [], 1, now(), AuditActor())
    secrets = [link.rpartition("/")[2], token, PASSWORD]
    with browser(web) as one:
        one.get(link)
        assert one.post(link).status_code == 303
        secrets.append(dict(one.cookies)["tocsin_session"])
        one.get("/accounts")
        one.post("/accounts", data={"name": "new", "role": "viewer"})
        one.post("/login", data={"name": PASSWORD, "password": PASSWORD})
        one.post("/logout")
    httpx.get(f"{web.url}/api/incidents", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    httpx.get(f"{web.url}/api/incidents", headers={"Authorization": f"Bearer {token}x"}, trust_env=False)
    ours = [f"{r.name} {r.getMessage()}" for r in caplog.records if not r.name.startswith(("httpcore", "httpx"))]
    with web.installation.database.read() as connection:
        kept = [str(row) for row in audit.read_entries(connection, limit=1_000)]
        kept += [str(row) for row in connection.execute(sessions_and_tokens.SESSION.select())]
        kept += [str(row) for row in connection.execute(sessions_and_tokens.TOKEN.select())]
        kept += [str(row) for row in connection.execute(sessions_and_tokens.LINK.select())]
    for secret in secrets:
        assert [line for line in (*ours, *kept) if secret in line] == []


def test_refusals_and_changes_are_in_the_audit_log(web: Served) -> None:
    viewer = web.session("viewer", "dora")
    for _ in range(3):
        httpx.post(f"{web.url}/api/incidents/INC-1/close", headers=viewer, json={"reason": "x"}, trust_env=False)
    web.post("INC-1", "note", {"text": "said", "as": "alice"})
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with web.installation.database.read() as connection:
            rows = audit.read_entries(connection, limit=50)
        refused = [row for row in rows if row.deed == "POST /api/incidents/INC-1/close" and row.who == "dora-viewer"]
        noted = [row for row in rows if row.deed == "POST /api/incidents/INC-1/note" and row.detail == "as alice"]
        if refused and noted:
            break
        time.sleep(0.05)
    assert len(refused) == 1, "the same again within a minute is counted"
    assert (refused[0].outcome, refused[0].role, refused[0].address) == ("refused", "viewer", "127.0.0.1")
    assert noted[0].outcome == "done"
