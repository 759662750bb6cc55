"""Redaction of secrets in every log: channel URLs and tokens never leave this package.

Apprise prints webhook URLs at DEBUG for all plugins and at WARNING for some, `urllib3` prints request paths
at DEBUG. The filter removes whatever looks like a URL and whatever is known to be part of a loaded
channel's address.
"""

import base64
import logging
import re
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import quote, quote_plus

HIDDEN = "***"
# Shorter than this a "secret" would be cut out of ordinary words; a URL around it is still removed whole.
SHORTEST_SECRET = 4
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,31})://[^\s'\"<>]*", re.IGNORECASE)
_AUTHORIZATION = re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]+")
_hushed: ContextVar[bool] = ContextVar("tocsin_hushed", default=False)
_ROOTS = ("apprise", "urllib3", "requests")


class Redactor:
    """Removes the secrets it has learned from texts; thread-safe."""

    def __init__(self) -> None:
        """Start without any secret."""
        self._lock = threading.Lock()
        self._secrets: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secrets: Iterable[str]) -> None:
        """Remember `secrets` in each form in which they may be printed. They are never forgotten."""
        forms = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        with self._lock:
            if forms <= self._secrets:
                return
            self._secrets |= forms
            longest_first = sorted(self._secrets, key=lambda secret: (-len(secret), secret))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def clean(self, text: str) -> str:
        """`text` without URLs and without known secrets."""
        text = _URL.sub(lambda match: f"{match[1]}://{HIDDEN}", text)
        text = _AUTHORIZATION.sub(lambda match: f"{match[1]} {HIDDEN}", text)
        return self._pattern.sub(HIDDEN, text) if self._pattern else text


def _forms(secret: str) -> set[str]:
    """`secret` as a URL, a Python repr and an authorisation header would show it."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    forms |= {ascii(secret)[1:-1], base64.b64encode(secret.encode("utf-8", "replace")).decode().rstrip("=")}
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


redactor = Redactor()


class SecretFilter(logging.Filter):
    """Log filter that redacts each record: its text, its arguments and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean `record` in place; let it through unless this thread is hushed."""
        if _hushed.get():
            return False
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        if record.exc_info and record.exc_info[0] is not None:
            # The formatted traceback holds the exception's text, and requests puts the URL there.
            text = f"{text}\n{''.join(traceback.format_exception(*record.exc_info)).rstrip()}"
        record.msg, record.args, record.exc_info, record.exc_text = redactor.clean(text), (), None, None
        return True


_filter = SecretFilter()


@contextmanager
def suppress_logs() -> Iterator[None]:
    """Suppress logs of this thread: while addresses are read, no filter knows the secrets yet."""
    token = _hushed.set(True)
    try:
        yield
    finally:
        _hushed.reset(token)


def install_secret_filters() -> None:
    """Install the filter on every logger of Apprise and its HTTP clients; call again after loading plugins.

    A filter on a logger does not see its children's records, so each one gets it.
    """
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.split(".")[0] in _ROOTS and _filter not in logger.filters:
            logger.addFilter(_filter)
    for root in _ROOTS:
        logging.getLogger(root).addFilter(_filter)
    if logging.getLogger("apprise").level == logging.NOTSET:
        # Its word for every message sent is our timeline's; cleaning it would cost each send.
        logging.getLogger("apprise").setLevel(logging.WARNING)
    urllib3 = logging.getLogger("urllib3")
    if urllib3.level in {logging.NOTSET, logging.DEBUG}:
        urllib3.setLevel(logging.INFO)
