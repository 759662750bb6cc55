"""Words for states and for the purposes of notices: what pages, the console and the terminal call them."""

from __future__ import annotations

from typing import Final

from domain.text import N_
from locales.catalogue import translator

STATES: Final = {
    "open": N_("open"),
    "mitigated": N_("mitigated"),
    "closed": N_("closed"),
    "completed": N_("completed"),
    "cancelled": N_("cancelled"),
    "waiting": N_("waiting"),
    "running": N_("running"),
    "late": N_("late"),
    "acknowledged": N_("acknowledged"),
    "done": N_("done"),
    "skipped": N_("skipped"),
    "abandoned": N_("abandoned"),
    "superseded": N_("superseded"),
    "ordered": N_("ordered"),
    "published": N_("published"),
    "unknown": N_("not known whether it arrived"),
    "failed": N_("failed"),
    "pending": N_("waiting to be sent"),
    "leased": N_("being sent"),
    "sent": N_("sent"),
    "retry": N_("to be tried again"),
    "dead": N_("could not be delivered"),
    "coalesced": N_("replaced by a newer one"),
    "ok": N_("green"),
    "firing": N_("firing"),
    "recovering": N_("recovering"),
    "no_data": N_("no data"),
    "over": N_("over"),
    "standing": N_("standing"),
    "yellow": N_("yellow"),
    "red": N_("red"),
    "called": N_("somebody was called"),
    "joined": N_("belongs to one that runs already"),
    "held": N_("held back"),
    "shown": N_("shown only"),
}
PURPOSES: Final = {
    "assign": N_("called"),
    "backup": N_("called as backup"),
    "commander": N_("commander called"),
    "last-resort": N_("last resort called"),
    "remind": N_("reminded"),
    "overdue": N_("told that it is overdue"),
    "inform": N_("informed"),
    "brief": N_("briefed"),
    "silence": N_("reminded to speak in public"),
    "publication-in-doubt": N_("asked to look whether it is public"),
    "reassign": N_("called after a hand-over"),
    "worsened": N_("told that it got worse"),
    "recovered": N_("told that it is over"),
}


def state_label(name: str, language: str) -> str:
    """Label of a state."""
    return translator(language)(STATES.get(name, name))


def purpose_label(name: str, language: str) -> str:
    """Label of a notice's purpose: why somebody was called."""
    return translator(language)(PURPOSES.get(name, name))
