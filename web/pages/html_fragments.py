"""HTML fragments for pages: linked text and progress bars, without inline style or script (strict CSP)."""

from __future__ import annotations

import re
from datetime import datetime

from markupsafe import Markup, escape

from locales import elapsed_share

_URL = re.compile(r"https?://[^\s<>\"'，。；）】]+")
_TRAILING = ".,;:!?)]"
_BAR = Markup(
    '<svg class="bar {state}"{times} viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{label}">'
    '<rect class="whole" width="100" height="6" rx="1"/>'
    '<rect class="passed" width="{width:.1f}" height="6" rx="1"/></svg>'
)


def link_urls(text: str) -> Markup:
    """Text as HTML with its URLs made links; everything else is escaped."""
    parts, at = [], 0
    for match in _URL.finditer(text):
        url = match.group().rstrip(_TRAILING)
        parts.append(escape(text[at : match.start()]))
        parts.append(Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(url))
        at = match.start() + len(url)
    parts.append(escape(text[at:]))
    return Markup("").join(parts)


def progress_bar(opens: str | None, due: str | None, now: datetime, state: str, label: str) -> Markup:
    """Progress bar of a clock: how much of its window has passed. `label` says the same in words.

    While it runs it carries its times, from which a script moves it on.
    """
    runs = state in ("running", "late", "waiting") and opens and due
    passed = 1.0 if state in ("done", "abandoned") else elapsed_share(opens, due, now)
    times = Markup(' data-opens="{0}" data-due="{1}"').format(opens, due) if runs else Markup("")
    return _BAR.format(state=state, times=times, label=label, width=passed * 100)


def meter(share: float, label: str) -> Markup:
    """Meter of a used share; above 1 it is full and red."""
    state, width = "late" if share > 1 else "running", min(1.0, max(0.0, share)) * 100
    return _BAR.format(state=state, times="", label=f"{label}: {share * 100:.0f} %", width=width)
