"""Small drawings and linked text for pages: no inline style, no script, so that the policy can be strict."""

from __future__ import annotations

import re
from datetime import datetime

from markupsafe import Markup, escape

_URL = re.compile(r"https?://[^\s<>\"'，。；）】]+")
_TRAILING = ".,;:!?)]"


def with_links(text: str) -> Markup:
    """A text with its addresses made clickable; everything else is escaped."""
    parts, at = [], 0
    for match in _URL.finditer(text):
        url = match.group().rstrip(_TRAILING)
        parts.append(escape(text[at : match.start()]))
        parts.append(Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(url))
        at = match.start() + len(url)
    parts.append(escape(text[at:]))
    return Markup("").join(parts)


def share(opens: str | None, due: str | None, now: datetime) -> float:
    """How much of a window has passed, 0.0 to 1.0."""
    if not opens or not due:
        return 0.0
    begins, ends = datetime.fromisoformat(opens), datetime.fromisoformat(due)
    length = (ends - begins).total_seconds()
    passed = (now - begins).total_seconds()
    return min(1.0, max(0.0, passed / length)) if length > 0 else float(passed > 0)


def bar(opens: str | None, due: str | None, now: datetime, state: str, label: str) -> Markup:
    """A clock as a bar: how much of its window has passed. `label` says the same in words.

    While it runs it carries its times, from which a script moves it on.
    """
    runs = state in ("running", "late", "waiting") and opens and due
    passed = 1.0 if state in ("done", "abandoned") else share(opens, due, now)
    times = Markup(' data-opens="{0}" data-due="{1}"').format(opens, due) if runs else Markup("")
    return Markup(
        '<svg class="bar {state}"{times} viewBox="0 0 100 6" preserveAspectRatio="none" '
        'role="img" aria-label="{label}">'
        '<rect class="whole" width="100" height="6" rx="1"/>'
        '<rect class="passed" width="{width:.1f}" height="6" rx="1"/></svg>'
    ).format(state=state, times=times, label=label, width=passed * 100)
