"""Progress of `tocsin up` on the terminal: a live line on a screen, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.status import Status

from locales import Translator


class StartupProgress:
    """Printer of start-up progress, in the language of `_`. Every line is flushed at once."""

    def __init__(self, _: Translator, console: Console | None = None) -> None:
        self._ = _
        self._console = console or Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._status: Status | None = None

    def starting(self, home: Path) -> None:
        """Print the first line."""
        self.line(self._("Tocsin starts in %s") % home)

    def waiting(self, names: Sequence[str], seconds: float) -> None:
        """Show which children start-up waits for; on a screen only, a log has the other lines."""
        if not self._console.is_terminal:
            return
        text = self._("waiting for %(names)s (%(seconds)d s)") % {
            "names": ", ".join(names),
            "seconds": int(seconds),
        }
        if self._status is None:
            self._status = self._console.status(text, refresh_per_second=4)
            self._status.start()
        self._status.update(text)

    def still_waiting(self, names: Sequence[str], logs: Path) -> None:
        """Print that start-up takes unusually long."""
        self.line(self._("still waiting for %(names)s: see %(logs)s") % {"names": ", ".join(names), "logs": logs})

    def up(self, name: str, seconds: float) -> None:
        """Print that a child gave its first sign of life, so many seconds after the start."""
        self.line("  " + self._("%(name)s is up after %(seconds).1f s") % {"name": name, "seconds": seconds})

    def ready(self, url: str, prefect_url: str, logs: Path, *, prefect_answers: bool) -> None:
        """Print the line that programs wait for, where to look, and what to type next."""
        _ = self._
        self._end_status()
        # The first word is the same in every language: programs wait for it.
        self.line(f"ready  {url}")
        self.line("  " + _("board: %s") % url)
        self.line("  " + _("every notice of the sandbox: %s") % f"{url}/inbox")
        self.line("  " + _("Prefect: %s") % prefect_url)
        self.line("  " + _("logs: %s") % logs)
        if not prefect_answers:
            self.line("  " + _("Prefect does not answer yet; nothing waits for it, the engine works without it"))
        self.line(_("next: %s") % "tocsin rehearse four-hour-response --speed 240 --auto")
        self.line("      tocsin declare --title T --playbook four-hour-response")
        self.line(_("Ctrl-C stops everything"))

    def stopping(self) -> None:
        """Print that everything is being stopped, or cannot start."""
        self._end_status()
        self.line(self._("stopping everything"))

    def stopped(self) -> None:
        """Print the last line: nothing is left running."""
        self.line(self._("everything has stopped"))

    def event(self, text: str) -> None:
        """Print what happened to a child, with the time of day."""
        self.line(f"{time.strftime('%H:%M:%S')} {text}")

    def line(self, text: str) -> None:
        """Print one plain line."""
        # Nobody reads any more (`tocsin up | head`), which Rich turns into an exit: supervision goes on.
        with suppress(OSError, SystemExit):
            self._console.print(text)
            self._console.file.flush()

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
