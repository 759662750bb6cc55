"""The command line starts light, explains itself, and ends as promised."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from cli.main import app

ROOT = Path(__file__).parents[2]
# Typer itself loads Pydantic to read options; everything here would be ours.
HEAVY = frozenset(
    {"prefect", "sqlmodel", "sqlalchemy", "fastapi", "httpx", "apprise", "pendulum", "rich", "babel", "yaml"}
)
# Each of these commands fails at once: nothing listens on port 1.
PATHS = [
    ["--help"],
    ["declare", "--help"],
    ["ack", "INC-1", "a/b"],
    ["incidents", "--json"],
    ["playbook", "--help"],
]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=ROOT,
        env={**clean, "TOCSIN_PORT": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def commands(group: object = None, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    found = group or get_command(app)
    for name, command in getattr(found, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


@pytest.mark.parametrize("words", PATHS, ids=" ".join)
def test_nothing_heavy_is_imported(home: Path, words: list[str]) -> None:
    script = (
        "import json, sys\nfrom cli.main import main\nsys.argv = ['tocsin', *json.loads(sys.argv[1])]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(m.partition('.')[0] for m in sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(words)],
        cwd=ROOT,
        env={**os.environ, "TOCSIN_PORT": "1", "LANG": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert loaded.isdisjoint(HEAVY), loaded & HEAVY
    assert len(loaded) < 200


@pytest.mark.parametrize("words", PATHS[:3], ids=" ".join)
def test_it_starts_in_less_than_eight_tenths_of_a_second_of_cpu(home: Path, words: list[str]) -> None:
    def spent() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(*words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(spent() for _ in range(3)) < 0.8


@pytest.mark.parametrize("words", [path for path, _ in commands()], ids=" ".join)
def test_every_command_shows_an_example_that_is_right(words: tuple[str, ...]) -> None:
    command = dict(commands())[words]
    example = str(getattr(command, "epilog", ""))
    assert example.startswith(f"Example: tocsin {' '.join(words)}")
    import shlex

    typed = shlex.split(example.removeprefix("Example: tocsin "))[len(words) :]
    assert getattr(command, "make_context")(" ".join(words), typed)  # noqa: B009 - click's, which has no types here
    assert getattr(command, "help", "")


def test_the_help_shows_the_example() -> None:
    assert "Example: tocsin ack INC-1" in run("ack", "--help").stdout


def test_json_is_offered_wherever_something_is_answered() -> None:
    without = [" ".join(path) for path, command in commands() if "--json" not in options(command)]
    assert without == ["up"]


def options(command: object) -> set[str]:
    return {option for parameter in getattr(command, "params", []) for option in parameter.opts}


def test_wrong_use_is_2_and_failure_is_1_with_one_line(home: Path) -> None:
    assert run("declare").returncode == 2
    assert run("no-such-command").returncode == 2
    failed = run("show", "INC-1")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.count("\n") == 1
    assert "tocsin up" in failed.stderr


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"TOCSIN_PORT": "http"}, "a port is a number"),
        ({"TOCSIN_TOKEN_FILE": "/no/such/file"}, "cannot read the token"),
        ({"TOCSIN_TOKEN": "a\u4e2d"}, "token"),
    ],
)
def test_a_bad_environment_is_one_line(home: Path, environment: dict[str, str], says: str) -> None:
    failed = run("show", "INC-1", **environment)
    assert failed.returncode == 1
    assert says in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_a_home_that_is_not_running_is_never_mistaken_for_another(home: Path) -> None:
    failed = run("show", "INC-1", TOCSIN_PORT="")
    assert failed.returncode == 1
    assert str(home) in failed.stderr


def test_what_runs_is_found_by_its_state_file(home: Path) -> None:
    (home / "run").mkdir()
    (home / "run" / "state.json").write_text('{"url": "http://127.0.0.1:2", "port": 2}')
    assert "127.0.0.1:2" in run("show", "INC-1").stderr


def test_typer_is_as_expected() -> None:
    assert isinstance(app, typer.Typer)
