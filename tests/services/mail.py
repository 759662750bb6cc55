"""E-mail among the services: an SMTP server with the same moods."""

from __future__ import annotations

from tests.receivers import MailBehaviour, SmtpReceiver
from tests.services.base import PATIENCE

ALICE = "alice@example.org"
MOODS = {
    "": MailBehaviour(),
    "status": MailBehaviour(refuse={ALICE: "550 5.1.1 no such user"}),
    "limited": MailBehaviour(refuse={ALICE: "421 4.7.0 too many messages, try later"}),
    "time-out": MailBehaviour(delay=1.5),
    "cut": MailBehaviour(cut_after_data=True),
}


def address(mail: SmtpReceiver) -> str:
    """Its line in a channel file, with little patience."""
    return f"mailto://{mail.host}?from=ops@example.org&to={ALICE}&{PATIENCE}"
