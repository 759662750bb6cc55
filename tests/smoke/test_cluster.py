"""Three machines on one PostgreSQL: killed, frozen, cut off; nothing lost, nothing twice unmarked, work spread."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.smoke.cluster import Cluster, ClusterChaos
from tests.smoke.count import Books, Count, beyond, count
from tests.smoke.own_postgres import OwnPostgres
from tests.smoke.owners import Owners
from tests.smoke.stack import as_json, until
from tests.smoke.test_kill_and_freeze import DRUMBEAT, seed_of_this_run, settled

NODES = 3
LATE_SECONDS = 10.0  # real seconds; three machines share the processors of one here
MANY_LATE_SECONDS = 60.0  # the same of two hundred incidents
SETTLE_SECONDS = 90.0


@contextmanager
def shown_on_failure(cluster: Cluster, chaos: ClusterChaos, seed: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        print(f"KILL_TEST_SEED={seed}", *chaos.blows, cluster.logs(), sep="\n")
        raise


def survive(
    cluster: Cluster,
    seed: int,
    incidents: int,
    pace: int,
    harm: Callable[[ClusterChaos], list[tuple[float, float]]],
    late: float = LATE_SECONDS,
) -> tuple[Count, list[tuple[float, float]]]:
    """Declare, harm, let it settle, count. `harm` gives the spans in which nobody could have done anything."""
    stack, chaos = cluster.first, ClusterChaos(cluster, seed)
    stack.receiver.script("/person/", delay=0.1)
    stack.receiver.script("/public/", delay=0.4)
    with shown_on_failure(cluster, chaos, seed), Owners(stack) as owners:
        refs = [
            stack.declare(f"seed {seed} number {n}", playbook="drumbeat", drill=True, pace={"declared": pace})
            for n in range(incidents)
        ]
        outages = harm(chaos)
        moment = time.time()
        until(lambda: settled(stack, moment, cluster.url), SETTLE_SECONDS, "everything owed has come to an end", 1.0)
        until(lambda: decided(cluster), SETTLE_SECONDS, "somebody was paged about what is in doubt", 1.0)
        limit = late + max((back - begun for begun, back in outages), default=0.0)
        found = count(cluster.url, stack.receiver.received(), until=moment, limit=limit)
        print(f"seed {seed}: {found}", f"owners: {owners.done} deeds, {owners.refused} refused", *chaos.blows, sep="\n")
        print(f"sent by: {dict(sorted(cluster.spread().items()))}; turns: {dict(cluster.turns())}")
        assert found.complaints == [], as_json(found.complaints)
        for ref in refs[:: max(1, len(refs) // 20)]:
            verified = stack.client.get(f"/api/incidents/{ref}/timeline/verify").json()
            assert verified["ok"], verified
        assert found.owed > incidents * 2
        assert owners.failures == []
    in_time(found, outages, late)
    return found, outages


def decided(cluster: Cluster) -> bool:
    """Whether somebody was paged about each publication that came into doubt."""
    books = Books(cluster.url)
    paged = {(row["response_id"], row["step"]) for row in books.outbox if row["purpose"] == "publication-in-doubt"}
    doubtful = [row for row in books.outbox if row["kind"] == "publication" and row["state"] == "unknown"]
    return all((row["response_id"], row["step"]) in paged for row in doubtful)


def strike(blows: int, pause: tuple[float, float]) -> Callable[[ClusterChaos], list[tuple[float, float]]]:
    def harm(chaos: ClusterChaos) -> list[tuple[float, float]]:
        chaos.run(blows, pause)
        assert {blow.name for blow in chaos.blows} == set(chaos.children)
        if blows >= 4 * len(chaos.children):
            kinds = {(blow.name, blow.kind) for blow in chaos.blows}
            assert len(kinds) == len(chaos.children) * 2, "each was killed and frozen"
        return without_any(chaos)

    return harm


def without_any(chaos: ClusterChaos) -> list[tuple[float, float]]:
    """When no engine at all was there: while one is, no outage of another excuses anything."""
    spans: list[tuple[float, float]] | None = None
    for number in range(NODES):
        own = [(blow.at, blow.back) for blow in chaos.blows if blow.name == f"{number}/engine"]
        both = own if spans is None else [(max(a, c), min(b, d)) for a, b in spans for c, d in own]
        spans = [(begun, back) for begun, back in both if begun < back]
    return spans or []


def in_time(found: Count, outages: list[tuple[float, float]], limit: float) -> None:
    late = beyond(found, limit, outages)
    assert late == [], as_json([f"{one.what}: {one.seconds:.2f} s" for one in late])


def spread_over_all(cluster: Cluster, share: float) -> None:
    """Each machine sent at least that share of all messages."""
    spread = cluster.spread()
    sent = [sum(n for name, n in spread.items() if name.startswith(f"{number}/")) for number in range(NODES)]
    assert min(sent) >= share * sum(spread.values()) > 0, spread


def test_a_few_blows_among_three_machines_lose_nothing(tmp_path: Path, postgres_url: str) -> None:
    with Cluster(tmp_path, postgres_url, NODES, {"drumbeat": DRUMBEAT}) as cluster:
        survive(cluster, seed_of_this_run(), 12, 20, strike(6, (0.5, 2.0)))
        assert len({name.split("/")[0] for name in cluster.spread()}) > 1, "more than one machine sent"
    assert cluster.tracebacks() == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_incidents_on_three_machines_under_many_blows(tmp_path: Path, postgres_url: str) -> None:
    with Cluster(tmp_path, postgres_url, NODES, {"drumbeat": DRUMBEAT}) as cluster:
        survive(cluster, seed_of_this_run(), 200, 2, strike(36, (2.0, 6.0)), MANY_LATE_SECONDS)
        spread_over_all(cluster, 0.05)
    assert cluster.tracebacks() == []


def cut(cluster: Cluster, times: int, pause: float) -> Callable[[ClusterChaos], list[tuple[float, float]]]:
    """Every connection to the database cut, again and again."""

    def harm(_: ClusterChaos) -> list[tuple[float, float]]:
        ends = 0
        for _number in range(times):
            time.sleep(pause)
            with psycopg.connect(cluster.url, autocommit=True) as admin:
                ends += admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                ).rowcount
        assert ends > times * NODES
        return []

    return harm


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_connections_cut_lose_nothing(tmp_path: Path, postgres_url: str) -> None:
    with Cluster(tmp_path, postgres_url, NODES, {"drumbeat": DRUMBEAT}) as cluster:
        survive(cluster, secrets.randbelow(10**6), 40, 10, cut(cluster, 12, 3.0))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_database_that_is_restarted_loses_nothing(tmp_path: Path) -> None:
    with (
        OwnPostgres(tmp_path / "pg") as server,
        Cluster(tmp_path, server.url, NODES, {"drumbeat": DRUMBEAT}) as cluster,
    ):

        def restarts(_: ClusterChaos) -> list[tuple[float, float]]:
            for mode in ("fast", "immediate", "fast"):
                time.sleep(6.0)
                server.restart(mode)
            return server.away

        found, outages = survive(cluster, secrets.randbelow(10**6), 40, 10, restarts)
        assert len(outages) == 3
    assert found.publications > 0
