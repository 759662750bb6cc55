"""Child processes of one installation: their commands, when they start, and what they are watched for."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from storage.settings import Settings

POOL: Final = "tocsin"
PREFECT_SERVER: Final = "prefect-server"
PREFECT_WORKER: Final = "prefect-worker"
PREFECT_SETUP: Final = "prefect-setup"

# The folder that holds our packages (repository or site-packages): entry points in prefect.yaml start here.
ROOT: Final = Path(__file__).resolve().parents[2]

_THREE_DAYS: Final = 3 * 86_400
_PREFECT: Final = (sys.executable, "-m", "prefect")


class StartCondition(Enum):
    """When a child process is started."""

    AT_ONCE = "at once"
    WITH_PREFECT = "once Prefect's server answers"
    AFTER_READY = "once all else is up, and only until it has succeeded"


@dataclass(frozen=True)
class ChildSpec:
    """Specification of one process under the supervisor. Limits are seconds; None means not watched for that."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    folder: Path = ROOT
    start: StartCondition = StartCondition.AT_ONCE
    # Ours: calls Heartbeat(home, name).start(); killed and restarted when the last beat is older than this.
    beat_limit: float | None = None
    # Asked in the background; killed and restarted when it has not answered for health_limit.
    health_url: str | None = None
    health_limit: float | None = None
    # Killed and restarted when it has been in the stopped state (SIGSTOP) for longer than this.
    stopped_limit: float | None = None
    # `ready` waits for it: its first beat, and its first answer where it has an address.
    essential: bool = False
    # So much it gives way to the others (0 to 19): after a kill, whoever keeps the deadlines must be back first.
    nice: int = 0


def prefect_file() -> Path:
    """Return the path of prefect.yaml: beside the flows in an installed copy, at the top of the repository."""
    installed = ROOT / "flows" / "prefect.yaml"
    return installed if installed.exists() else ROOT / "prefect.yaml"


def external_prefect(environ: Mapping[str, str]) -> str | None:
    """Return the Prefect API that the user runs already, or None when ours is embedded."""
    return environ.get("PREFECT_API_URL", "").strip() or None


def default_children(settings: Settings, environ: Mapping[str, str] = os.environ) -> tuple[ChildSpec, ...]:
    """Return all children of `tocsin up`, in the order in which they are started."""
    external = external_prefect(environ)
    common = _environment(settings, environ)
    own = [
        _own("web", settings, common, health_url=f"{settings.local_url}/healthz"),
        _own("engine", settings, common),
        # Gives way to whoever keeps deadlines: figures may pour in, and a tick has ten seconds.
        replace(_own("figures", settings, common, module="engine.samples"), nice=5, essential=False),
        # Its package is `flows`: it is the one child of ours that imports Prefect.
        _own("runner", settings, common),
    ]
    prefect = [_worker(common), _setup(common)]
    return (*own, *prefect) if external else (_server(settings, common), *own, *prefect)


def select_children(children: tuple[ChildSpec, ...], only: str) -> tuple[ChildSpec, ...]:
    """Select the children whose names `only` lists, with commas between; all of them where it is empty.

    Raises:
        ValueError: there is none of a name.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = [child.name for child in children]
    for name in names:
        if name not in known:
            raise ValueError(f"--only: there is no process {name[:40]!r}: one or more of {', '.join(known)}")
    return tuple(child for child in children if not names or child.name in names)


def _own(
    name: str,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    module: str | None = None,
    health_url: str | None = None,
) -> ChildSpec:
    return ChildSpec(
        name=name,
        command=(sys.executable, "-m", module or name),
        environment={**environment, "TOCSIN_HOME": str(settings.home)},
        beat_limit=2.0,
        health_url=health_url,
        health_limit=15.0 if health_url else None,
        essential=True,
    )


def _server(settings: Settings, environment: Mapping[str, str]) -> ChildSpec:
    port = str(settings.prefect_port)  # not `prefect` itself: docs/adr/0008
    return ChildSpec(
        name=PREFECT_SERVER,
        command=(
            sys.executable,
            "-m",
            "runner.prefect_server",
            "server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            port,
        ),
        environment=environment,
        health_url=f"http://127.0.0.1:{port}/api/health",
        health_limit=15.0,
    )


def _worker(environment: Mapping[str, str]) -> ChildSpec:
    name = f"tocsin-{socket.gethostname()}"
    options = ("--pool", POOL, "--type", "process", "--name", name, "--install-policy", "never")
    return ChildSpec(
        name=PREFECT_WORKER,
        command=(*_PREFECT, "worker", "start", *options),
        environment=environment,
        # Without a server it would only fail and start over; it makes the pool where there is none.
        start=StartCondition.WITH_PREFECT,
        stopped_limit=10.0,
        nice=10,
    )


def _setup(environment: Mapping[str, str]) -> ChildSpec:
    deploy = ("--no-prompt", "deploy", "--all", "--prefect-file", str(prefect_file()))
    return ChildSpec(
        name=PREFECT_SETUP,
        command=(*_PREFECT, *deploy),
        environment=environment,
        start=StartCondition.AFTER_READY,
        nice=15,
    )


def settings_environment(settings: Settings) -> dict[str, str]:
    """Return our settings as environment variables of a child, made absolute."""
    return {
        "TOCSIN_HOME": str(settings.home),
        "TOCSIN_DATABASE_URL": settings.database,
        "TOCSIN_HOST": settings.host,
        "TOCSIN_PORT": str(settings.port),
        "TOCSIN_PREFECT_PORT": str(settings.prefect_port),
        "TOCSIN_PUBLIC_URL": settings.links_url,
        "TOCSIN_HEARTBEAT_URL": settings.heartbeat_url,
    }


def _environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """What every child gets: the user's environment, our settings made absolute, Prefect kept quiet."""
    ours = {
        **settings_environment(settings),
        "PYTHONUNBUFFERED": "1",
        "OPENBLAS_NUM_THREADS": "1",  # of numpy: columns of our size gain nothing from a second core
        "MALLOC_ARENA_MAX": "2",  # of glibc, which would give each thread a heap of its own
    }
    quiet = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_CLI_COLORS": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_WORKER_QUERY_SECONDS": f"{settings.worker_query_seconds:g}",
    }
    if external_prefect(environ):
        return {**quiet, **environ, **ours}
    short = {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(_THREE_DAYS),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P1D",
    }
    embedded = {
        "PREFECT_API_URL": f"http://127.0.0.1:{settings.prefect_port}/api",
        "PREFECT_HOME": str(settings.prefect_dir),
        # An ephemeral server would answer in place of a dead one, with another database.
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        # The server on loopback asks for no such token; asking it for one would be a call more in each run.
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
    }
    # A profile of the user's is unknown in our PREFECT_HOME, and Prefect refuses to start with such.
    user = {name: value for name, value in environ.items() if name != "PREFECT_PROFILE"}
    return {**quiet, **short, **user, **ours, **embedded}
