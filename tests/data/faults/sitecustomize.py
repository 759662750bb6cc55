"""Faults put into the running processes: on PYTHONPATH, each as the file `faults.json` of the home says now.

`drop`: of that step the call to the backup is dropped. `delay`: whatever is sent under a key with that
text is sent seconds too late. `lose`: what is sent under a key with that text is said to be sent, and is not;
`repeat`: it is sent twice. Of both only the keys whose hash begins with 0: one in sixteen.
"""

import hashlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

FILE = Path(os.environ.get("TOCSIN_HOME", ".")) / "faults.json"
LATE_SECONDS = 6.0


def fault(name: str) -> str:
    try:
        return str(json.loads(FILE.read_text()).get(name, ""))
    except (OSError, ValueError):
        return ""


def drop_an_escalation(module: Any) -> None:
    escalate = module.escalate_step

    def dropping(work: Any, state: Any) -> bool:
        before = len(work.notices)
        done = bool(escalate(work, state))
        if done and state.id == fault("drop"):
            work.notices[before:] = [notice for notice in work.notices[before:] if notice.purpose != "backup"]
        return done

    module.escalate_step = dropping


def delay_a_send(module: Any) -> None:
    send = module.ChannelDirectory.send

    def delaying(self: Any, tag: str, message: Any) -> Any:
        wanted = fault("delay")
        if wanted and wanted in message.key:
            time.sleep(LATE_SECONDS)
        struck = hashlib.sha256(message.key.encode()).hexdigest().startswith("0")
        lost, again = fault("lose"), fault("repeat")
        if struck and lost and lost in message.key:
            return module.SendOutcome(module.SendVerdict.SENT)
        if struck and again and again in message.key:
            send(self, tag, message)
        return send(self, tag, message)

    module.ChannelDirectory.send = delaying


FAULTS = {"domain.escalation": drop_an_escalation, "channels.directory": delay_a_send}


class Finder(importlib.abc.MetaPathFinder):
    """Lets a module load as it is, then puts the fault in."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        if name not in FAULTS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_change(module: Any) -> None:
            load(module)
            FAULTS[name](module)

        spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Finder())
