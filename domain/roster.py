"""The roster: people, the roles they hold, and the official channels of the organisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.quiet_hours import QuietHours


@dataclass(frozen=True, slots=True)
class Person:
    """A person who can be called. `channels` are tags of the Apprise configuration, first choice first."""

    id: str
    name: str
    channels: tuple[str, ...]
    language: str = "en"
    timezone: str = "UTC"
    approval_limit: int | None = None  # money this person may approve, in the roster's currency; None: none set
    mail: str = ""  # by which calendars name them; nothing is sent there
    quiet: QuietHours | None = None  # when nothing but a page reaches them
    test_messages: bool = True  # whether the chain check sends to them, or stops short of it


@dataclass(frozen=True, slots=True)
class Role:
    """A duty with its holder and backup (A/B 角)."""

    id: str
    title: str
    primary: str
    backup: str | None = None
    calendar: str = ""  # file or address of its shifts; empty: the primary has it always


@dataclass(frozen=True, slots=True)
class PublicChannel:
    """An official channel: where the organisation speaks to the public."""

    id: str
    channel: str  # a tag of the Apprise configuration
    language: str = "en"
    limit: int | None = None  # characters, as the platform counts them
    sandbox: bool = False  # the only kind a drill may publish to


@dataclass(frozen=True, slots=True)
class Roster:
    """People, roles and official channels, as they are now."""

    people: Mapping[str, Person] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    public: Mapping[str, PublicChannel] = field(default_factory=dict)
    currency: str = "CNY"
    budget: int | None = None  # compensation of a calendar month, in that currency; None: none set

    def primary(self, role: str) -> str | None:
        """Return the person on duty for a role, or None. An action may name a person by id instead of a role."""
        held = self.roles.get(role)
        return held.primary if held else (role if role in self.people else None)

    def backup(self, role: str, backup_role: str | None = None) -> str | None:
        """Return the second person: of `backup_role` where the step names one, else the role's own backup."""
        if backup_role:
            return self.primary(backup_role)
        held = self.roles.get(role)
        return held.backup if held else None

    def name(self, person: str | None) -> str:
        """Return a person's name; the id where the roster no longer knows them."""
        known = self.people.get(person or "")
        return known.name if known else (person or "")

    def drill_channel(self, channel: str) -> str | None:
        """Return the sandbox that replaces an official channel in a drill; None where there is none."""
        wanted = self.public.get(channel)
        if wanted is None or wanted.sandbox:
            return channel if wanted else None
        boxes = [box for box in self.public.values() if box.sandbox]
        same = [box for box in boxes if box.language == wanted.language]
        return next((box.id for box in (*same, *boxes)), None)
