"""A PostgreSQL cluster of a test's own, that it may stop and start: made by `initdb` in a folder, on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

import psycopg
import pytest

from tests.smoke.stack import free_ports, until


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    here = shutil.which("initdb")
    if not found and not here:
        pytest.skip("no initdb: install PostgreSQL's server")
    return found[-1].parent if found else Path(str(here)).parent


class OwnPostgres:
    """`with OwnPostgres(folder) as server:`; it runs as the user postgres where we are root, which it refuses to be."""

    def __init__(self, folder: Path) -> None:
        self._bin, self._folder = _binaries(), folder
        (self._port,) = free_ports(1)
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/tocsin"
        self.away: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            for parent in self._folder.parents:  # it must be able to get there
                if parent.stat().st_uid == 0 and parent != Path("/") and not parent.stat().st_mode & 0o001:
                    parent.chmod(parent.stat().st_mode | 0o011)
        self._run("initdb", "-D", self._data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")
        self._start()
        with psycopg.connect(self.url.replace("/tocsin", "/postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE tocsin")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def restart(self, mode: str) -> None:
        """Stop it (`fast`: connections are cut; `immediate`: as a crash, with recovery) and start it again."""
        begun = time.time()
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")
        self._start()
        self.away.append((begun, time.time()))

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _start(self) -> None:
        options = f"-p {self._port} -h 127.0.0.1 -k {self._folder} -c max_connections=200"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", str(self._folder / "log"), "-o", options, "start")
        until(self._answers, 30, "the database answers")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url.replace("/tocsin", "/postgres"), connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def _run(self, name: str, *words: str) -> None:
        command = [str(self._bin / name), *words]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Its output into a file: a server that is started keeps the pipe of whoever started it.
        with (self._folder.parent / "pg_ctl.log").open("ab") as log:
            done = subprocess.run(command, check=False, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
        assert done.returncode == 0, f"{name}: {(self._folder.parent / 'pg_ctl.log').read_text()[-1000:]}"
