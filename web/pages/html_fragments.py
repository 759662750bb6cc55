"""HTML fragments for pages: linked text and progress bars, without inline style or script (strict CSP)."""

from __future__ import annotations

import re
from datetime import datetime

from markupsafe import Markup, escape

_URL = re.compile(r"https?://[^\s<>\"'，。；）】]+")
_TRAILING = ".,;:!?)]"


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


def elapsed_share(opens: str | None, due: str | None, now: datetime) -> float:
    """Elapsed share of a window, 0.0 to 1.0."""
    if not opens or not due:
        return 0.0
    begins, ends = datetime.fromisoformat(opens), datetime.fromisoformat(due)
    length = (ends - begins).total_seconds()
    passed = (now - begins).total_seconds()
    return min(1.0, max(0.0, passed / length)) if length > 0 else float(passed > 0)


def progress_bar(opens: str | None, due: str | None, now: datetime, state: str, label: str) -> Markup:
    """Progress bar of a clock: how much of its window has passed. `label` says the same in words.

    While it runs it carries its times, from which a script moves it on.
    """
    runs = state in ("running", "late", "waiting") and opens and due
    passed = 1.0 if state in ("done", "abandoned") else elapsed_share(opens, due, now)
    times = Markup(' data-opens="{0}" data-due="{1}"').format(opens, due) if runs else Markup("")
    return Markup(
        '<svg class="bar {state}"{times} viewBox="0 0 100 6" preserveAspectRatio="none" '
        'role="img" aria-label="{label}">'
        '<rect class="whole" width="100" height="6" rx="1"/>'
        '<rect class="passed" width="{width:.1f}" height="6" rx="1"/></svg>'
    ).format(state=state, times=times, label=label, width=passed * 100)
