"""The follow-up of the sample customers on the real processes, killed on the way: none of the counts changes."""

from __future__ import annotations

import csv
import json
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from engine.rehearsal.affected_customers import CustomerFile, read_customer_file
from playbooks.playbook_library import CATALOG
from tests.customers import MAIL, PHONE, plan_text
from tests.smoke.affected import Customers, Expected, expected
from tests.smoke.chaos import Chaos
from tests.smoke.owners import Owners
from tests.smoke.stack import ROOT, Stack, as_json, until
from tests.smoke.test_kill_and_freeze import seed_of_this_run, shown_on_failure

SAMPLE = ROOT / "examples" / "affected_customers.csv"
VICTIMS = ("runner", "engine", "web", "prefect-worker", "prefect-server")
OUTAGE = """
id: outage
title: {en: Outage, zh: 故障}
severity: critical
commander: incident-commander
stages:
  - id: respond
    title: {en: Respond, zh: 应对}
    starts: 0m
    ends: 10m
    steps:
      - {id: trace, kind: act, title: {en: Trace, zh: 排查}, owner: technology-lead, due: 10m, ack_within: 5m}
"""


@dataclass(frozen=True)
class Course:
    """How long the spans of the follow-up are in this run, in seconds."""

    rows: int
    kills: int
    remind: int
    collect: int
    erase: int
    pause: tuple[float, float]


SHORT = Course(rows=300, kills=3, remind=7, collect=18, erase=21, pause=(2.0, 4.0))
FULL = Course(rows=2_000, kills=10, remind=75, collect=180, erase=200, pause=(8.0, 16.0))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_three_kills_change_none_of_the_counts_and_no_contact_is_left(tmp_path: Path) -> None:
    held(tmp_path, SHORT)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_kills_change_none_of_the_counts_of_two_thousand_customers(tmp_path: Path) -> None:
    held(tmp_path, FULL)


def held(folder: Path, course: Course) -> None:
    """Declared, customers taken in, closed, asked, called, collected, erased: from a printed seed."""
    seed = seed_of_this_run()
    path = folder / "affected.csv"
    path.write_text("".join(SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)[: course.rows + 1]), "utf-8")
    file, addresses = read_customer_file(path), dict(addresses_of(path))
    stack = Stack(folder, playbooks={"outage": OUTAGE, "customer-follow-up": procedure(course)})
    lay_out(stack, course)
    with stack:
        until(stack.all_up, 60, "everything is up")
        chaos, random_ = Chaos(stack, seed), random.Random(seed)
        with shown_on_failure(stack, chaos, seed), Owners(stack, deaf=0.0) as owners:
            ref = stack.declare(f"outage {seed}", playbook="outage")
            taken_in(stack, ref, path, file)
            until(lambda: owners.done >= 2, 30, "the response is done")
            found = leaks(stack.home)
            assert found, "the search finds them, sealed"
            assert all("gAAAAA" in one for one in found), found
            with Customers(stack, ref, file, addresses, seed) as customers:
                ask(stack, ref, "close", {"id": f"close-{seed}", "reason": "service is back"})
                for name in victims(random_, course.kills):
                    time.sleep(random_.uniform(*course.pause))  # a moment of the follow-up, from the seed
                    chaos.strike(name, "kill", 0.0)
                until(chaos.all_back, 60, "all are back")
                must = expected(file, customers)
                until(lambda: status(stack, ref) == "completed", course.collect + 60, "completed", 0.5)
                until(lambda: must.answering <= customers.answered, 20, "all have answered")
                until(lambda: not show(stack, ref, calls="true")["customers"], 20, "all were called")
            print(f"seed {seed}", as_json(show(stack, ref)["result"]), *chaos.blows, sep="\n")
            judge(stack, ref, customers, must, course.kills)
            forgotten(stack, seed)
            until(lambda: show(stack, ref)["state"] == "erased", course.erase + 30, "contacts are erased", 0.5)
            exported = subprocess.run(
                [sys.executable, "-m", "cli.main", "customers", "list", ref, "--csv", "--limit", "5000"],
                cwd=ROOT, env=stack.environment, capture_output=True, check=True,
            ).stdout  # fmt: skip
            assert exported.count(b"\n") == len(file.good) + 1
            (stack.home / "export.csv").write_bytes(exported)
            assert leaks(stack.home) == []
            assert owners.failures == []
    assert leaks(stack.home) == [], "nor after the end of all processes"
    assert stack.tracebacks() == []


# --- its parts --------------------------------------------------------------------------------------------------


def procedure(course: Course) -> str:
    """The shipped playbook of the follow-up, its 72 hours as short as this run's."""
    text = (CATALOG / "customer-follow-up.yaml").read_text(encoding="utf-8")
    return text.replace("72h", f"{course.collect}s").replace("96h", f"{course.collect + 600}s")


def lay_out(stack: Stack, course: Course) -> None:
    """The spans of this run, and channels to customers that lead to the receiver, by their addresses."""
    spans = {
        "remind_after: 24h": f"remind_after: {course.remind}s",
        "collect_after: 72h": f"collect_after: {course.collect}s",
        "erase_after: 30d": f"erase_after: {course.erase}s", "every: 1m": "every: 1s",
    }  # fmt: skip
    (stack.home / "followup.yaml").write_text(plan_text(**spans), encoding="utf-8")
    channels = yaml.safe_load(stack.settings.channels_file.read_text(encoding="utf-8"))
    base = f"json://127.0.0.1:{stack.receiver.port}"
    for url, tag in ((f"{base}/mail/{MAIL}", "survey-mail"), (f"{base}/sms/{PHONE}", "survey-sms")):
        channels["urls"].append({url: [{"tag": tag}]})
    stack.settings.channels_file.write_text(yaml.safe_dump(channels, allow_unicode=True), encoding="utf-8")


def addresses_of(path: Path) -> Iterator[tuple[str, str]]:
    """Every address of the file with the number of whose it is, bad rows too."""
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            for part in (row["contact"] or "").split(";"):
                if part.strip():
                    yield part.strip(), row["id"] or "-"


def victims(drawn: random.Random, count: int) -> list[str]:
    """Whom to kill: each in turn in random order, so that ten blows meet each twice."""
    found: list[str] = []
    while len(found) < count:
        found += drawn.sample(VICTIMS, len(VICTIMS))
    return found[:count]


def taken_in(stack: Stack, ref: str, path: Path, file: CustomerFile) -> None:
    """By the command, twice: bad rows are named, nobody is there twice."""
    for taken, known in ((len(file.good), 0), (0, len(file.good))):
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "customers", "import", ref, str(path), "--json"],
            cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        answer = json.loads(done.stdout)
        assert (answer["taken"], answer["known"]) == (taken, known), done.stderr
        assert {bad["line"] for bad in answer["bad"]} == file.bad
        assert done.returncode == (1 if file.bad else 0)


def judge(stack: Stack, ref: str, customers: Customers, must: Expected, kills: int) -> None:
    """Every promise."""
    shown = show(stack, ref, limit=5_000)
    result = shown["result"]
    assert {name: result[name] for name in must.counts} == must.counts
    assert customers.refused == []
    assert customers.strangers == [], "nobody who is on no good row"
    twice = {number: got.purposes for number, got in customers.got.items() if max(got.purposes.values()) > 1}
    assert twice == {}, "nobody was asked twice, nobody reminded twice"
    assert set(customers.got) == must.reachable, "each of them heard of it"
    doubtful = {one["customer"] for one in shown["customers"] if one["reached"] == "unknown"}
    assert len(doubtful) == result["in_doubt"] <= 8 * kills, "of each killed sender what its threads had in hand"
    unasked = {number for number, got in customers.got.items() if not got.purposes["ask"]}
    assert unasked <= doubtful, "whoever got no first word is known to be in doubt"
    assert unasked <= {number for number, got in customers.got.items() if got.purposes["reminder"]}
    assert customers.called == must.to_call
    facts = stack.client.get(f"/api/incidents/{ref}/timeline", params={"limit": 10_000}).json()["entries"]
    assert [entry["kind"] for entry in facts].count("follow-up-begun") == 1
    assert [entry["kind"] for entry in facts].count("follow-up-result") == 1
    assert stack.client.get(f"/api/incidents/{ref}/timeline/verify").json()["ok"]


# What stands in every contact of the sample file, as it is, quoted, or sealed (a Fernet token begins so).
CONTACT = re.compile(rb"customer\d+(?:@|%40)example|99900000\d{4}|gAAAAA[A-Za-z0-9_-]{20}")


def leaks(home: Path) -> list[str]:
    """Each file of the home in which a contact stands, sealed or not, with the first of them."""
    found = []
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        match = CONTACT.search(path.read_bytes())
        if match:
            found.append(f"{path.relative_to(home)}: {match.group()[:30]!r}")
    return found


def forgotten(stack: Stack, seed: int) -> None:
    """One customer of another incident, known and then forgotten by the command, while every process runs."""
    address, number = "forget.me.4711@example.net", "FORGET-4711"
    ref = stack.declare(f"other {seed}", playbook="outage")
    ask(stack, ref, "customers", {"customers": [{"id": number, "contact": address}]})
    with sqlite3.connect(f"file:{stack.home / 'tocsin.db'}?mode=ro", uri=True) as database:
        query = "SELECT sealed FROM customer_contact JOIN customer USING (id) WHERE customer = ?"
        ((cipher,),) = database.execute(query, (number,)).fetchall()
    database.close()
    wanted = [one.encode() for one in (address, number, cipher[20:60])]

    def left() -> set[bytes]:
        files = [path.read_bytes() for path in stack.home.rglob("*") if path.is_file()]
        return {one for one in wanted for data in files if one in data}

    assert left() == {number.encode(), cipher[20:60].encode()}, "known by number, the contact sealed"
    command = [sys.executable, "-m", "cli.main", "customers", "forget", number]
    subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, check=True)
    until(lambda: not left(), 10, f"nothing is left of them but {left()}")


def ask(stack: Stack, ref: str, what: str, document: dict[str, Any]) -> None:
    """A command, until it is taken."""

    def taken() -> bool:
        with suppress(httpx.TransportError):
            answer = stack.client.post(f"/api/incidents/{ref}/{what}", json=document)
            assert not answer.is_client_error, answer.text
            return answer.is_success
        return False

    until(taken, 30, what)


def show(stack: Stack, ref: str, **query: Any) -> dict[str, Any]:
    """The follow-up of the incident, as soon as somebody answers."""

    def answered() -> dict[str, Any]:
        with suppress(httpx.TransportError):
            answer = stack.client.get(f"/api/incidents/{ref}/customers", params={"limit": 100, **query})
            return dict(answer.json()) if answer.is_success else {}
        return {}

    return until(answered, 30, "the follow-up")


def status(stack: Stack, ref: str) -> str:
    """The status of the incident; empty while nobody answers."""
    with suppress(httpx.HTTPError):
        return str(stack.client.get(f"/api/incidents/{ref}").json()["status"])
    return ""
