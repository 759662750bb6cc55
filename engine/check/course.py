"""A whole course on the sandbox: declared, called, acknowledged, done by simulated owners, in seconds."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.check.finding import Checks, bad, good
from engine.house import House
from engine.premises import is_running, read_state
from engine.rehearsal.line import Line, RehearsalError
from engine.rehearsal.order import Order
from engine.rehearsal.run import rehearse
from engine.rehearsal.sandbox import boxes_of, callable_people, leading_out

WHAT: Final = "rehearsal"
_PLAYBOOK, _UNTIL = "supervisor-word", timedelta(minutes=10)
_SPEED, _TOLERANCE = 60.0, 6.0  # slow and patient: a machine that is busy for a moment is no broken chain


def check(house: House) -> Checks:
    """Only where Tocsin runs and every channel of whoever would be called stays on this machine; else it says so."""
    state = read_state(house.settings.home)
    if state is None or not is_running(house.settings.home):
        return  # said by the check of processes
    playbook = house.library.get(_PLAYBOOK)
    roster, channels = house.roster(), house.channels()
    boxes = boxes_of(roster, channels, int(state["port"]))
    wrong = leading_out(playbook, roster, channels) + [
        f"{person} is not reached by the inbox of this installation"
        for person in callable_people(playbook, roster)
        if person not in boxes
    ]
    if wrong:
        yield good(WHAT, f"not held, for {wrong[0]}: hold it on a copy", "未执行：渠道指向外部，请在副本上演练")
        return
    line = Line(f"http://127.0.0.1:{state['port']}")
    order = Order(playbook, _SPEED, until=_UNTIL, tolerance=_TOLERANCE)
    try:
        held, found = rehearse(house, line, order, lambda _: None)
        if not held.verdict.passed:  # once more: a page about nothing costs more than ten seconds
            held, found = rehearse(house, line, order, lambda _: None)
    except RehearsalError as error:
        yield bad(WHAT, str(error), f"演练未完成：{error}")
        return
    finally:
        line.close()
    if held.verdict.passed:
        yield good(WHAT, f"{found['notices']['sent']} messages came as they should", "消息均按预期送达")
    else:
        yield bad(WHAT, found["reasons"][0], f"演练失败：{found['reasons'][0]}")
