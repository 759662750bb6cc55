"""Error of a channel configuration."""

from pathlib import Path


class ChannelConfigError(Exception):
    """A channel file that cannot be used; nothing of it is taken over.

    The text names file and line and says what would be right. It never quotes the file, which holds secrets.

    Attributes:
        path: The file.
        line: The line, from 1, or None if the whole file is meant.
        reason: What is wrong.
        remedy: What would be right.
        passing: The file may be right: what it refers to could not be asked for just now. Try it again.
    """

    def __init__(self, path: Path, line: int | None, reason: str, remedy: str, *, passing: bool = False) -> None:
        """Build the one-line text from its parts."""
        self.passing = passing
        self.path, self.line, self.reason, self.remedy = path, line, reason, remedy
        where = f"{path}, line {line}" if line else str(path)
        super().__init__(f"{where}: {reason}; {remedy}")
