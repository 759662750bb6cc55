"""Sandbox check before simulated owners act: no message may leave this machine, nothing public may be real."""

from __future__ import annotations

from collections.abc import Iterator

from channels.directory import ChannelDirectory
from domain.playbook import Playbook, StepKind
from domain.roster import Roster
from engine.rehearsal.api_client import RehearsalError


def list_callable_people(playbook: Playbook, roster: Roster) -> list[str]:
    """List everyone whom this playbook may call: holders and backups of its roles."""
    roles = [roster.roles[role] for role in sorted(playbook.roles()) if role in roster.roles]
    people = [person for role in roles for person in (role.primary, role.backup)]
    return list(dict.fromkeys(person for person in people if person and person in roster.people))


def official_channels(playbook: Playbook, roster: Roster) -> dict[str, str | None]:
    """Map each official channel that this playbook publishes on to the sandbox that a drill uses for it."""
    steps = [step for _, step in playbook.each_step() if step.kind is StepKind.PUBLISH]
    named = {channel for step in steps for channel in (step.channels or tuple(roster.public))}
    return {channel: roster.drill_channel(channel) for channel in sorted(named)}


def require_sandbox(playbook: Playbook, roster: Roster, directory: ChannelDirectory) -> None:
    """Refuse simulated owners unless every message stays on this machine.

    Raises:
        RehearsalError: naming each channel that leads elsewhere, and what to do.
    """
    wrong = list(_wrong(playbook, roster, directory))
    if wrong:
        raise RehearsalError(
            f"simulated owners act in the sandbox only, and {'; '.join(wrong[:3])}"
            f"{f' (and {len(wrong) - 3} more)' if len(wrong) > 3 else ''}: "  # noqa: PLR2004
            "rehearse with a TOCSIN_HOME whose channels lead to the inbox, or without --auto"
        )


def find_outside_channels(playbook: Playbook, roster: Roster, directory: ChannelDirectory) -> list[str]:
    """Find channels of the people this playbook may call that leave this machine, each as a clause."""
    return [
        f"channel {tag} of {person} leads elsewhere"
        for person in list_callable_people(playbook, roster)
        for tag in roster.people[person].channels
        if not _stays_here(directory, tag)
    ]


def _wrong(playbook: Playbook, roster: Roster, directory: ChannelDirectory) -> Iterator[str]:
    yield from find_outside_channels(playbook, roster, directory)
    for channel, target in official_channels(playbook, roster).items():
        if target is None:
            yield f"no sandbox stands in for the official channel {channel}"
        elif not _stays_here(directory, roster.public[target].channel):
            yield f"the official channel {target} leads elsewhere although it says sandbox: true"


def _stays_here(directory: ChannelDirectory, tag: str) -> bool:
    """Whether everything under a tag is on this machine; a tag that is not there reaches nobody at all."""
    return all(directory.is_loopback_sandbox(service.id) for service in directory.services(tag))


def inbox_boxes(roster: Roster, directory: ChannelDirectory, port: int) -> dict[str, str]:
    """Map people to their inbox box (of their first channel); those who are reached otherwise are left out."""
    found = {}
    for person in roster.people.values():
        tag = person.channels[0] if person.channels else ""
        box = directory.inbox_box(tag, port) if directory.services(tag) else None
        if box:
            found[person.id] = box
    return found


def find_leaks(shown_targets: Iterator[tuple[str, str]], roster: Roster, directory: ChannelDirectory) -> list[str]:
    """Find publications (step, where it went) that did not stay in a sandbox."""
    found = []
    for step, target in shown_targets:
        channel = roster.public.get(target)
        if channel is None or not channel.sandbox:
            found.append(f"{step}: published on {target or 'an unknown channel'}, which is no sandbox")
        elif not directory.services(channel.channel):
            found.append(f"{step}: published on {target}, whose channel is unknown")
    return found
