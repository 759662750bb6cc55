"""Several machines with one PostgreSQL, on one: each its own home, the first with everything, the rest `--only`."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Self

import psycopg

from engine.process.heartbeat import beat_file
from engine.process.startup_checks import read_state
from storage.settings import load_settings
from tests.smoke.chaos import Chaos
from tests.smoke.stack import ROOT, Stack, clean_environment, until

READY_SECONDS = 60.0


class Node:
    """A further machine: engine and runner, and nothing else."""

    def __init__(self, first: Stack, folder: Path, database_url: str) -> None:
        self.home = folder
        folder.mkdir()
        for name in ("roster.yaml", "channels.yaml", "secret.key"):
            shutil.copy(first.home / name, folder / name)
        shutil.copytree(first.home / "playbooks", folder / "playbooks")
        self.settings = load_settings(home=folder, database_url=database_url, port=first.port)
        self._log = folder / "up.log"
        environment = clean_environment(
            TOCSIN_HOME=str(folder), TOCSIN_DATABASE_URL=database_url, TOCSIN_PORT=str(first.port),
            PREFECT_API_URL=f"http://127.0.0.1:{first.prefect_port}/api",
        )  # fmt: skip
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "up", "--only", "engine,runner"], cwd=ROOT, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def pids(self) -> dict[str, int]:
        """Process ids by child, as of now."""
        return dict((read_state(self.home) or {}).get("pids", {}))

    def is_ready(self) -> bool:
        """Whether both are there."""
        assert self.process.poll() is None, self._log.read_text(errors="replace")
        return bool((read_state(self.home) or {}).get("ready"))

    def logs(self) -> str:
        """The ends of its logs."""
        files = [self._log, *sorted(self.settings.logs_dir.glob("*.log"))]
        return "\n".join(f"== {self.home.name} {one.name}\n{one.read_text(errors='replace')[-1500:]}" for one in files)

    def stop(self) -> None:
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Cluster:
    """A first machine with everything, and more with an engine and a runner each."""

    def __init__(self, folder: Path, database_url: str, nodes: int, playbooks: dict[str, str]) -> None:
        self.url = database_url
        self.first = Stack(folder, playbooks=playbooks, database_url=database_url)
        self._folder, self._count = folder, nodes
        self.nodes: list[Node] = []

    def __enter__(self) -> Self:
        try:
            self.first.start()
            until(self.first.all_up, 90, "everything is up")
            self.nodes = [Node(self.first, self._folder / f"node-{n}", self.url) for n in range(1, self._count)]
            until(lambda: all(node.is_ready() for node in self.nodes), READY_SECONDS, "the other machines are ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for node in self.nodes:
                node.stop()
        finally:
            self.first.__exit__()

    def machines(self) -> list[Stack | Node]:
        """All of them, by number."""
        return [self.first, *self.nodes]

    def pids(self) -> dict[str, int]:
        """Engines and runners of all machines: `0/engine`."""
        return {
            f"{number}/{name}": pid
            for number, machine in enumerate(self.machines())
            for name, pid in machine.pids().items()
            if name in ("engine", "runner")
        }

    def tracebacks(self) -> list[str]:
        """What the logs of every machine show of exceptions raised in our own code."""
        return [one for machine in self.machines() for one in tracebacks_of(machine)]

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(machine.logs() for machine in self.machines())

    def spread(self) -> Counter[str]:
        """How many messages each process sent, by machine and role."""
        names = {place_of(machine): number for number, machine in enumerate(self.machines())}
        found: Counter[str] = Counter()
        with psycopg.connect(self.url) as connection:
            for (lease,) in connection.execute("SELECT lease FROM outbox WHERE lease <> ''"):
                place, _, rest = str(lease).partition(":")
                found[f"{names.get(place, place)}/{rest.split('-')[0]}"] += 1
        return found

    def turns(self) -> Counter[str]:
        """How many turns went by Prefect, by an engine, by the sweep."""
        with psycopg.connect(self.url) as connection:
            return Counter(dict(connection.execute("SELECT driver, count(*) FROM turn GROUP BY driver").fetchall()))


def place_of(machine: Stack | Node) -> str:
    """What its senders are called."""
    from engine.delivery.sender_liveness import read_home_id

    return read_home_id(machine.settings.run_dir)


def tracebacks_of(machine: Stack | Node) -> list[str]:
    """What its logs show of exceptions raised in our own code."""
    return Stack.tracebacks(machine)  # type: ignore[arg-type]


class ClusterChaos(Chaos):
    """Blows at the engines and runners of every machine."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        super().__init__(cluster.first, seed)
        self._cluster = cluster
        self._stack: Any = _Facade(cluster)
        self.children = tuple(f"{n}/{name}" for n in range(len(cluster.machines())) for name in ("engine", "runner"))

    def _works(self, name: str, pid: int) -> bool:
        number, _, child = name.partition("/")
        senders = self._cluster.machines()[int(number)].settings.run_dir / "senders"
        return self._beats(name) and (child != "engine" or bool(list(senders.glob(f"*engine-{pid}-*"))))

    def _beats(self, name: str) -> bool:
        number, _, child = name.partition("/")
        return beat_file(self._cluster.machines()[int(number)].home, child).exists()


class _Facade:
    """A cluster as `Chaos` sees a stack."""

    def __init__(self, cluster: Cluster) -> None:
        self.pids = cluster.pids
        self.signal = cluster.first.signal
