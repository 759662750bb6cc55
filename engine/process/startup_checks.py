"""Startup checks: port free, files readable, home locked; and the state file of the running processes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import IO, Any

from locales import Translator
from storage.settings import Settings


class StartError(RuntimeError):
    """`tocsin up` cannot start; the text is one line that says what is wrong and what to do."""


def state_file(home: Path) -> Path:
    """Return the path of the state file: ports and process ids (JSON) of the running processes.

    It is rewritten at each restart, and gone after a clean stop.
    """
    return home / "run" / "state.json"


def read_state(home: Path) -> dict[str, Any] | None:
    """Return what the supervisor of this home wrote last, or None. It may be stale: see `is_running`."""
    try:
        state = json.loads(state_file(home).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def write_state(home: Path, state: dict[str, Any]) -> None:
    """Replace the state file in one step, so that a reader sees the old or the new one, never half."""
    draft = state_file(home).with_suffix(".new")
    draft.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    draft.replace(state_file(home))


def is_running(home: Path) -> bool:
    """Whether a supervisor holds this home now."""
    try:
        with _lock_file(home).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def lock_home(settings: Settings, _: Translator) -> IO[str]:
    """Make the folders, check the files, and lock the home for as long as the returned file is open.

    Raises:
        StartError: the home cannot be used, or another `up` has it.
    """
    home = settings.home
    for folder in (home, settings.logs_dir, settings.run_dir, settings.prefect_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            text = _("cannot use the folder %(path)s: %(reason)s; choose another with TOCSIN_HOME")
            raise StartError(text % {"path": folder, "reason": error.strerror}) from None
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            text = _("cannot write in %(path)s: give it to this user, or choose another with TOCSIN_HOME")
            raise StartError(text % {"path": folder})
    lock = _lock(home, _)
    for file in (settings.roster_file, settings.channels_file, settings.secret_file):
        _check_readable(file, _)
    return lock


def check_port(host: str, port: int, option: str, _: Translator) -> None:
    """Refuse a port on which another program listens already.

    Raises:
        StartError: naming the port and the option that chooses another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port that only waits for old connections to time out is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            place = {"host": host, "port": port, "option": option, "reason": error.strerror}
            if error.errno == errno.EADDRINUSE:
                text = _("port %(port)d of %(host)s is in use: choose another with %(option)s N, or stop it")
            else:
                text = _("cannot listen on %(host)s port %(port)d: %(reason)s; choose another with %(option)s N")
            raise StartError(text % place) from None


def _lock_file(home: Path) -> Path:
    return home / "run" / "up.lock"


def _lock(home: Path, _: Translator) -> IO[str]:
    try:
        file = _lock_file(home).open("a+", encoding="ascii")
    except OSError as error:
        text = _("cannot use the folder %(path)s: %(reason)s; choose another with TOCSIN_HOME")
        raise StartError(text % {"path": home, "reason": error.strerror}) from None
    if not _locked(file):
        file.seek(0)
        holder = file.read().strip() or "?"
        file.close()
        text = _("Tocsin already runs on %(home)s (process %(pid)s): stop it, or choose another TOCSIN_HOME")
        raise StartError(text % {"home": home, "pid": holder}) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _locked(file: IO[str]) -> bool:
    # Somebody may just be asking `is_running`, which holds the lock for a moment.
    for _attempt in range(5):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def _check_readable(file: Path, _: Translator) -> None:
    try:
        file.read_bytes()
    except FileNotFoundError:
        return  # who needs it lays it out, or says that it is missing
    except OSError as error:
        text = _("cannot read %(path)s: %(reason)s; make it a file that this user can read")
        raise StartError(text % {"path": file, "reason": error.strerror}) from None
