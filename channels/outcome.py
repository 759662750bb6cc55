"""Outcome of one send."""

from dataclasses import dataclass
from enum import StrEnum

DETAIL_CHARACTERS = 200
# No send takes longer, whatever the service does and the configuration says: a lease must outlast it.
SEND_SECONDS = 25.0


class SendVerdict(StrEnum):
    """Verdict after a send; the delivery layer decides what to do about it."""

    SENT = "sent"
    """The service took it and said so in a way that was checked."""
    UNVERIFIED = "unverified"
    """The service did not object, but nobody has checked how this kind of service says no."""
    REFUSED = "refused"
    """Not delivered, and will never be as it is: repeating it unchanged is useless."""
    FAILED = "failed"
    """Not delivered for certain, and worth another try."""
    UNKNOWN = "unknown"
    """It left here; whether it arrived cannot be known."""


@dataclass(frozen=True)
class SendOutcome:
    """Outcome of one send.

    Attributes:
        verdict: What is known.
        receipt: The platform's id or URL of the message, if it gave one.
        detail: One line for a person, at most 200 characters, without any secret.
        retry_after: Seconds the service asked us to wait before the next try, if it did.
        begun: False if nothing was tried at all, because the service takes no more just now: no attempt to
            count.
    """

    verdict: SendVerdict
    receipt: str | None = None
    detail: str = ""
    retry_after: float | None = None
    begun: bool = True

    def __post_init__(self) -> None:
        """Reduce `detail` to one short line."""
        object.__setattr__(self, "detail", one_line(self.detail, DETAIL_CHARACTERS))
        if self.receipt is not None:
            object.__setattr__(self, "receipt", one_line(self.receipt, DETAIL_CHARACTERS) or None)


def one_line(text: str, longest: int) -> str:
    """`text` without control characters and line breaks, cut at `longest` characters."""
    if text.isprintable() and len(text) <= longest and text == text.strip():
        return text
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
