"""Check by rehearsal on the sandbox: declared, called, acknowledged, done by simulated owners, in seconds."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.check.finding import CheckFindings, failed, passed
from engine.installation import Installation
from engine.process.startup_checks import is_running, read_state
from engine.rehearsal.api_client import RehearsalClient, RehearsalError
from engine.rehearsal.request import RehearsalRequest
from engine.rehearsal.run_rehearsal import run_rehearsal
from engine.rehearsal.sandbox import find_outside_channels, inbox_boxes, list_callable_people

CHECK_NAME: Final = "rehearsal"
_PLAYBOOK, _UNTIL = "supervisor-word", timedelta(minutes=10)
_SPEED, _TOLERANCE = 60.0, 6.0  # slow and patient: a machine that is busy for a moment is no broken chain


def check_rehearsal(installation: Installation) -> CheckFindings:
    """Rehearse one playbook where Tocsin runs and all its channels stay on this machine; else say so."""
    state = read_state(installation.settings.home)
    if state is None or not is_running(installation.settings.home):
        return  # said by the check of processes
    playbook = installation.library.get(_PLAYBOOK)
    roster, channels = installation.roster(), installation.channels()
    boxes = inbox_boxes(roster, channels, int(state["port"]))
    wrong = find_outside_channels(playbook, roster, channels) + [
        f"{person} is not reached by the inbox of this installation"
        for person in list_callable_people(playbook, roster)
        if person not in boxes
    ]
    if wrong:
        yield passed(CHECK_NAME, f"not held, for {wrong[0]}: hold it on a copy", "未执行：渠道指向外部，请在副本上演练")
        return
    line = RehearsalClient(f"http://127.0.0.1:{state['port']}")
    order = RehearsalRequest(playbook, _SPEED, until=_UNTIL, tolerance=_TOLERANCE)
    try:
        held, found = run_rehearsal(installation, line, order, lambda _: None)
        if not held.verdict.passed:  # once more: a page about nothing costs more than ten seconds
            held, found = run_rehearsal(installation, line, order, lambda _: None)
    except RehearsalError as error:
        yield failed(CHECK_NAME, str(error), f"演练未完成：{error}")
        return
    finally:
        line.close()
    if held.verdict.passed:
        yield passed(CHECK_NAME, f"{found['notices']['sent']} messages came as they should", "消息均按预期送达")
    else:
        yield failed(CHECK_NAME, found["reasons"][0], f"演练失败：{found['reasons'][0]}")
