"""The roster file: people, roles and official channels, checked against each other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import ValidationError

from domain.playbook import Playbook
from domain.quiet_hours import parse_quiet_hours
from domain.roster import Person, PublicChannel, Role, Roster
from domain.wall_clock import is_time_zone
from playbooks.errors import BadFile, FileFinding, quote_value
from playbooks.playbook_models import RosterForm
from playbooks.validation_messages import list_findings, nearest_word, suggest_choice
from playbooks.watched_file import Clock, PollInterval, WatchedFile
from playbooks.yaml_source import YamlSource, read_text, read_yaml

Tags = Callable[[], frozenset[str] | None]  # None: not known yet, so not checked
_NTH = re.compile(r"#[1-9][0-9]*$")  # `alice#2`: the second service of the tag alice


def parse_roster(text: str, source: str, tags: frozenset[str] | None = None) -> Roster:
    """Parse the roster that `text` describes. `tags`: those of the channel configuration; None: not checked.

    Raises:
        BadFile: broken YAML, unknown keys, wrong values, and people who could not be reached as written.
    """
    found = read_yaml(text, source)
    try:
        form = RosterForm.model_validate(found.data)
    except ValidationError as error:
        raise BadFile(list_findings(RosterForm, error, found)) from None
    findings = [*_people(form, found, tags), *_roles(form, found), *_public(form, found, tags)]
    if findings:
        raise BadFile(sorted(findings, key=lambda finding: finding.line or 0))
    return _built(form)


def _built(form: RosterForm) -> Roster:
    return Roster(
        people={
            name: Person(
                id=name,
                name=person.name,
                channels=tuple(person.channels),
                language=person.language,
                timezone=person.timezone,
                approval_limit=person.approval_limit,
                mail=person.mail,
                quiet=parse_quiet_hours(person.quiet) if person.quiet else None,
                test_messages=person.test_messages,
            )
            for name, person in form.people.items()
        },
        roles={name: Role(id=name, **role.model_dump()) for name, role in form.roles.items()},
        public={name: PublicChannel(id=name, **box.model_dump()) for name, box in form.public_channels.items()},
        currency=form.currency,
        budget=form.compensation_budget,
    )


def _people(form: RosterForm, found: YamlSource, tags: frozenset[str] | None) -> Iterator[FileFinding]:
    for name, person in form.people.items():
        at = ("people", name)
        if not person.channels:
            yield found.finding(
                (*at, "channels"), f"{name} has no channel", f"channels: [{name}], a tag of channels.yaml"
            )
        for place, tag in enumerate(person.channels):
            yield from _tag(found, (*at, "channels", place), tag, tags)
        if not is_time_zone(person.timezone):
            near = nearest_word(person.timezone, available_timezones(), cutoff=0.8)
            remedy = f"did you mean {near}?" if near else "for example timezone: Asia/Shanghai"
            yield found.finding((*at, "timezone"), f"no time zone {quote_value(person.timezone)}", remedy)
        if person.quiet:
            try:
                parse_quiet_hours(person.quiet)
            except ValueError as error:
                yield found.finding((*at, "quiet"), str(error), "for example quiet: 22:00-07:00")


def _roles(form: RosterForm, found: YamlSource) -> Iterator[FileFinding]:
    for name, role in form.roles.items():
        for key in ("primary", "backup"):
            person = getattr(role, key)
            if person is not None and person not in form.people:
                yield found.finding(
                    ("roles", name, key), f"nobody is called {quote_value(person)}", suggest_choice(person, form.people)
                )
        if role.backup == role.primary:
            yield found.finding(
                ("roles", name, "backup"),
                f"{role.primary} cannot be their own backup",
                "name a second person",
            )
        if "://" in role.calendar and not _may_be_fetched(role.calendar):
            yield found.finding(
                ("roles", name, "calendar"),
                "is an address that is not https",
                "an address with https://, or a file beside the roster",
            )


def _may_be_fetched(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def _public(form: RosterForm, found: YamlSource, tags: frozenset[str] | None) -> Iterator[FileFinding]:
    for name, box in form.public_channels.items():
        yield from _tag(found, ("public_channels", name, "channel"), box.channel, tags)


def _tag(
    found: YamlSource, path: tuple[str | int, ...], tag: str, tags: frozenset[str] | None
) -> Iterator[FileFinding]:
    if "://" in tag:  # an address may carry a password: it is never repeated
        yield found.finding(path, "is an address, not a tag", "put the address into channels.yaml and name its tag")
    elif tags is not None and tag not in tags and _NTH.sub("", tag) not in tags:
        yield found.finding(
            path, f"no channel has the tag {quote_value(tag)}", f"{suggest_choice(tag, tags)} (tags of channels.yaml)"
        )


class RosterFile:
    """The roster in force: the last good version of its file. Threads may share one."""

    def __init__(self, path: Path, tags: Tags | None = None, *, clock: Clock = time.monotonic) -> None:
        self._tags = tags
        self._known: frozenset[str] | None = None
        self._file = WatchedFile(path, self._read)
        self._pace = PollInterval(clock)
        self._lock = Lock()

    def current(self) -> Roster:
        """Return the roster as it is now, read again when the file or the channels changed.

        Raises:
            BadFile: there has been no good version yet.
        """
        with self._lock:
            self._look()
            if self._file.value is None:
                raise BadFile(self._file.findings)
            return self._file.value

    def findings(self) -> list[FileFinding]:
        """List what is wrong with the file as it stands; the roster in force is then an older one."""
        with self._lock:
            self._look()
            return list(self._file.findings)

    def _look(self) -> None:
        if not self._pace.due():
            return
        known = self._tags() if self._tags else None
        changed, self._known = known != self._known, known
        self._file.refresh(anew=changed)

    def _read(self, path: Path) -> Roster:
        return parse_roster(read_text(path), str(path), self._known)


def find_missing_roles(playbook: Playbook, roster: Roster) -> list[FileFinding]:
    """List what a playbook names and the roster does not know: its roles, and its official channels."""
    file = f"playbook {playbook.id}"
    findings = []
    for role in sorted(playbook.roles() - set(roster.roles)):
        remedy = f"{suggest_choice(role, roster.roles)} Or add it to the roster"
        findings.append(FileFinding(file, None, _where_role(playbook, role), f"no role {quote_value(role)}", remedy))
    for number, stage in enumerate(playbook.stages):
        for place, step in enumerate(stage.steps):
            field = f"stages[{number}].steps[{place}].channels"
            findings.extend(
                FileFinding(
                    file, None, field, f"no official channel {quote_value(name)}", suggest_choice(name, roster.public)
                )
                for name in step.channels
                if name not in roster.public
            )
    return findings


def _where_role(playbook: Playbook, role: str) -> str:
    """The first field that names the role."""
    for number, stage in enumerate(playbook.stages):
        for place, step in enumerate(stage.steps):
            for key in ("owner", "backup", "over_limit", "tell"):
                named = getattr(step, key) or ()
                if role == named or (key == "tell" and role in named):
                    return f"stages[{number}].steps[{place}].{key}"
    watch = playbook.never_silent
    if watch and role in (watch.first, watch.after):
        return f"never_silent.{'first' if role == watch.first else 'after'}"
    return "commander" if role == playbook.commander else "last_resort"
