"""What `up` starts, what it says, and what it refuses in one clear line."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.process.children import POOL, StartCondition, default_children, prefect_file
from engine.process.startup_checks import is_running, read_state
from storage.settings import load_settings
from tests.integration.supervised import BOTH, ROOT, Up, free_port, until


def test_ready_says_where_to_look_and_what_to_type(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    output = one.says("Ctrl-C stops everything")
    port = one.environment["TOCSIN_PORT"]
    assert f"\nready  http://127.0.0.1:{port}\n" in output
    assert f"http://127.0.0.1:{port}/inbox" in output
    assert str(one.home / "logs") in output
    assert "tocsin declare --title" in output
    state = read_state(one.home)
    assert state is not None
    assert state["ready"] is True
    assert (str(state["port"]), state["pid"]) == (port, one.process.pid)
    assert set(state["pids"]) == {"web", "engine"}
    assert "hello from engine" in (one.home / "logs" / "engine.log").read_text()
    assert is_running(one.home)


def test_on_a_screen_ready_begins_a_line(tmp_path: Path) -> None:
    master, screen = pty.openpty()
    one = Up(tmp_path, BOTH, stdout=screen)
    os.close(screen)
    shown = ""
    try:
        while "everything has stopped" not in shown:
            assert select.select([master], [], [], 20)[0], shown
            shown += os.read(master, 65536).decode()
            if "Ctrl-C stops everything" in shown and "stopping" not in shown:
                one.process.send_signal(signal.SIGINT)
        assert one.process.wait(5) == 0
    finally:
        one.process.kill()
        one.process.wait()
        os.close(master)
    assert "waiting for" in shown
    # What a terminal does with the codes of a live line: the last carriage return or erasure begins it anew.
    lines = [re.split(r"\r|\x1b\[[0-9;?]*[A-Za-z]", line.rstrip("\r"))[-1] for line in shown.split("\n")]
    assert f"ready  http://127.0.0.1:{one.environment['TOCSIN_PORT']}" in lines


def test_ready_without_prefect_says_so(up: Callable[..., Up]) -> None:
    one = up({**BOTH, "prefect-server": "broken"}, PATIENCE="2").ready()
    assert "Prefect does not answer yet; nothing waits for it" in one.says("Ctrl-C")
    assert "prefect-worker" not in one.pids()


@pytest.mark.parametrize("mood", ["broken", "late-broken"])
def test_a_child_that_cannot_start_ends_it_with_its_last_words(up: Callable[..., Up], mood: str) -> None:
    # Prefect's server is awaited meanwhile, as in a real start.
    one = up({"web": "well", "engine": mood, "prefect-server": "mute"})
    assert one.process.wait(20) == 1
    assert one.process.stderr
    log = one.home / "logs" / "engine.log"
    said = one.process.stderr.read()
    assert said == f"engine cannot start: the database is newer than the program (see {log})\n"
    assert not is_running(one.home)


def test_a_second_up_names_the_first(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    second = one.start(TOCSIN_PORT=str(free_port()))
    _, said = second.communicate(timeout=10)
    assert second.returncode == 1
    assert said == (
        f"Tocsin already runs on {one.home} (process {one.process.pid}): stop it, or choose another TOCSIN_HOME\n"
    )
    assert one.process.poll() is None


@pytest.mark.parametrize(("variable", "option"), [("TOCSIN_PORT", "--port"), ("TOCSIN_PREFECT_PORT", "--prefect-port")])
def test_a_port_in_use_is_named_with_its_option(up: Callable[..., Up], variable: str, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = up(BOTH, **{variable: str(port)})
        _, said = one.process.communicate(timeout=10)
    assert one.process.returncode == 1
    assert said == f"port {port} of 127.0.0.1 is in use: choose another with {option} N, or stop it\n"


@pytest.mark.parametrize("name", ["roster.yaml", "channels.yaml"])
def test_an_unreadable_file_is_one_line(up: Callable[..., Up], tmp_path: Path, name: str) -> None:
    (tmp_path / "home" / name).mkdir(parents=True)
    one = up(BOTH)
    _, said = one.process.communicate(timeout=10)
    assert one.process.returncode == 1
    path = tmp_path / "home" / name
    assert said == f"cannot read {path}: Is a directory; make it a file that this user can read\n"


def test_a_home_that_cannot_be_made_is_one_clear_line(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    one = up(BOTH)
    _, said = one.process.communicate(timeout=10)
    assert one.process.returncode == 1
    assert said == f"cannot use the folder {tmp_path}/home: File exists; choose another with TOCSIN_HOME\n"


def test_asking_whether_it_runs_keeps_nobody_from_starting(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "home" / "run").mkdir(parents=True)
    lock = tmp_path / "home" / "run" / "up.lock"
    lock.touch()
    asking = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom engine.process.startup_checks import is_running\n"
    asking += f"from pathlib import Path\nwhile True: is_running(Path({str(tmp_path / 'home')!r}))"
    nosy = subprocess.Popen([sys.executable, "-c", asking])
    try:
        until(lambda: nosy.poll() is None and Path(f"/proc/{nosy.pid}/fd").exists())
        up(BOTH).ready()
    finally:
        nosy.kill()
        nosy.wait()


def test_the_children_of_an_embedded_installation(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, port=7800, prefect_port=7801)
    children = {child.name: child for child in default_children(settings, {"PREFECT_PROFILE": "mine", "A": "b"})}
    assert list(children) == ["prefect-server", "web", "engine", "figures", "runner", "prefect-worker", "prefect-setup"]
    assert {name for name, child in children.items() if child.essential} == {"web", "engine", "runner"}
    for child in children.values():
        assert child.environment["TOCSIN_HOME"] == str(tmp_path)
        assert child.environment["PREFECT_API_URL"] == "http://127.0.0.1:7801/api"
        assert child.environment["PREFECT_HOME"] == str(tmp_path / "prefect")
        assert child.environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert child.environment["A"] == "b"
        assert "PREFECT_PROFILE" not in child.environment
        assert "environment" not in repr(child)
    assert children["prefect-worker"].start is StartCondition.WITH_PREFECT
    assert POOL in children["prefect-worker"].command
    assert prefect_file().name == "prefect.yaml"


def test_a_prefect_server_of_the_user_is_used_and_none_started(tmp_path: Path) -> None:
    environ = {"PREFECT_API_URL": "http://prefect.example/api", "PREFECT_PROFILE": "mine"}
    children = {c.name: c for c in default_children(load_settings(home=tmp_path), environ)}
    assert "prefect-server" not in children
    assert children["runner"].environment["PREFECT_API_URL"] == "http://prefect.example/api"
    assert children["runner"].environment["PREFECT_PROFILE"] == "mine"
    assert "PREFECT_HOME" not in children["runner"].environment
