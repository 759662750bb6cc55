"""Notifications to people and publications to the public, as a decision orders them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.text import Reason


class NotificationPurpose(StrEnum):
    """Why a person is notified."""

    ASSIGN = "assign"
    BACKUP = "backup"  # nobody acknowledged: the backup is called
    COMMANDER = "commander"
    LAST_RESORT = "last-resort"
    REMIND = "remind"
    OVERDUE = "overdue"
    INFORM = "inform"
    BRIEF = "brief"  # the hourly paragraph
    UPDATE_OVERDUE = "silence"
    DOUBT = "publication-in-doubt"
    REASSIGN = "reassign"
    WORSENED = "worsened"  # the warning behind it is worse than when they were called
    RECOVERED = "recovered"  # the warning behind it is over


# Needless once the step is acknowledged; everything else only once it is over.
UNTIL_ACKNOWLEDGED = frozenset(
    {
        NotificationPurpose.ASSIGN,
        NotificationPurpose.BACKUP,
        NotificationPurpose.COMMANDER,
        NotificationPurpose.LAST_RESORT,
        NotificationPurpose.REASSIGN,
    }
)
UNTIL_OVER = UNTIL_ACKNOWLEDGED | {NotificationPurpose.REMIND, NotificationPurpose.OVERDUE}
PAGE_PURPOSES = frozenset(
    {
        NotificationPurpose.ASSIGN,
        NotificationPurpose.BACKUP,
        NotificationPurpose.COMMANDER,
        NotificationPurpose.LAST_RESORT,
        NotificationPurpose.OVERDUE,
        NotificationPurpose.UPDATE_OVERDUE,
        NotificationPurpose.DOUBT,
        NotificationPurpose.REASSIGN,
        NotificationPurpose.WORSENED,
    }
)


@dataclass(frozen=True, slots=True)
class Notification:
    """One message owed to one person. `number` makes its key unique among the calls of its step."""

    person: str
    purpose: NotificationPurpose
    number: int
    because: Reason
    step: str = ""  # empty: about the incident as a whole
    urgent: bool = True

    def key(self, ref: str, playbook: str) -> str:
        """Return the unique text key: what it is for, not when it was made."""
        return "/".join(
            part for part in (ref, playbook, self.step, self.purpose, str(self.number), self.person) if part
        )


@dataclass(frozen=True, slots=True)
class Publication:
    """One text for one official channel, as approved. Made once per attempt that a person ordered."""

    step: str
    channel: str  # the official channel that the playbook means
    target: str  # where it goes: the channel itself, or in a drill a sandbox
    text: str
    digest: str
    attempt: int

    def key(self, ref: str, playbook: str) -> str:
        """Return the unique text key."""
        return f"{ref}/{playbook}/{self.step}/publish/{self.channel}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class ExplainedDecision:
    """Why a decision did something or left it: shown with the run and in the log."""

    about: str
    reason: Reason
