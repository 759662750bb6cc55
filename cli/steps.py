"""Commands on a step or an incident, one request each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import client
from cli.common import As, AsJson, CommandId, Incident, StepName, TokenFile, _, read_token, say, show_json

Reason = Annotated[str, typer.Option("--reason", "-r", help="The reason.")]


def send_command(
    ref: str,
    what: str,
    form: dict[str, Any],
    *,
    said: str,
    command_id: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Send one command and print its result: `said` where something changed."""
    form = {name: value for name, value in form.items() if value not in (None, "")}
    if command_id:
        form["id"] = command_id
    answer = client.post(client.incident_path(ref, what), read_token(token_file), form)
    if as_json:
        show_json(answer)
        return
    became = said if answer["changed"] else _("nothing to change: it was so already")
    say(f"{answer['ref']}: {became}")


def ack(
    ref: Incident,
    step: StepName,
    speaker: As = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Acknowledge a step: you take it on, and nobody else is called."""
    said = _("{step} is acknowledged").format(step=step)
    form = {"step": step, "as": speaker}
    send_command(ref, "acknowledge", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def done(
    ref: Incident,
    step: StepName,
    *,
    evidence: Annotated[str, typer.Option("--evidence", "-e", help="A text or link as evidence.")] = "",
    channel: Annotated[str, typer.Option(help="Publish step: the channel where you posted by hand.")] = "",
    yes: Annotated[bool | None, typer.Option("--yes/--no", help="Decision step: the decision.")] = None,
    speaker: As = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Mark a step as done. For a publish step posted by hand, --evidence is the link."""
    said = _("{step} is done").format(step=step)
    choice = "" if yes is None else "yes" if yes else "no"
    form = {"step": step, "evidence": evidence, "channel": channel, "choice": choice, "as": speaker}
    send_command(ref, "done", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def reassign(
    ref: Incident,
    step: StepName,
    *,
    to: Annotated[str, typer.Option("--to", help="A person of the roster.")],
    speaker: As = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a step to another person, who is called at once."""
    said = _("{step} is handed to {person}").format(step=step, person=to)
    form = {"step": step, "to": to, "as": speaker}
    send_command(ref, "reassign", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def retry(
    ref: Incident,
    step: StepName,
    channel: Annotated[str, typer.Option("--channel", help="An official channel.")],
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish again on a channel whose outcome is in doubt. Check the channel first."""
    said = _("{step} is ordered again on {channel}").format(step=step, channel=channel)
    form = {"step": step, "channel": channel}
    send_command(ref, "retry", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def begin(
    ref: Incident,
    stage: Annotated[str, typer.Argument(help="An on-demand stage: correction, withdrawal.")],
    reason: Reason = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Begin an on-demand stage: the correction or withdrawal of a publication."""
    said = _("{stage} has begun").format(stage=stage)
    form = {"stage": stage, "reason": reason}
    send_command(ref, "begin", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def note(
    ref: Incident,
    text: Annotated[str, typer.Argument(help="The text of the note.")],
    *,
    corrects: Annotated[int | None, typer.Option(help="Number of the timeline entry that this corrects.")] = None,
    speaker: As = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a note to the timeline, or correct an entry; the corrected entry stays on record."""
    form = {"text": text, "as": speaker, "corrects": corrects}
    said = _("noted")
    send_command(ref, "note", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def impact(
    ref: Incident,
    *,
    customers: Annotated[int | None, typer.Option(min=0, help="Number of customers affected.")] = None,
    orders: Annotated[int | None, typer.Option(min=0, help="Number of orders affected.")] = None,
    money: Annotated[int | None, typer.Option(min=0, help="Amount of money.")] = None,
    brand: Annotated[int | None, typer.Option(min=0, max=3, help="Harm to the brand, 0 (none) to 3 (severe).")] = None,
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Record the impact as known now. Values that are not given stay unchanged."""
    given = {"customers": customers, "orders": orders, "money": money, "brand": brand}
    changed = {name: value for name, value in given.items() if value is not None}
    known = client.get(client.incident_path(ref), read_token(token_file))["impact"]
    form = {"impact": {**known, **changed}}
    said = _("impact recorded")
    send_command(ref, "impact", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def mitigate(
    ref: Incident,
    reason: Reason = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Mark the incident as mitigated: service is restored or the harm is stopped; it stays open."""
    _move(ref, "mitigate", _("mitigated"), reason, command_id, token_file, as_json)


def close(
    ref: Incident,
    reason: Reason = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Close the incident. While steps are open, a --reason is required."""
    _move(ref, "close", _("closed"), reason, command_id, token_file, as_json)


def reopen(
    ref: Incident,
    reason: Reason = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Reopen an incident: the original clocks resume."""
    _move(ref, "reopen", _("open again"), reason, command_id, token_file, as_json)


def merge(
    ref: Incident,
    *,
    into: Annotated[str, typer.Option("--into", help="The incident that continues.")],
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Merge an incident that was declared twice: it is cancelled, the other one continues."""
    said = _("merged into {ref}").format(ref=into)
    send_command(ref, "merge", {"into": into}, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def cancel(
    ref: Incident,
    reason: Reason = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Cancel an incident that was declared in error."""
    _move(ref, "cancel", _("cancelled"), reason, command_id, token_file, as_json)


def _move(ref: str, what: str, said: str, reason: str, command_id: str, token_file: Path | None, as_json: bool) -> None:
    form = {"reason": reason}
    send_command(ref, what, form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def attach(
    ref: Incident,
    playbook: Annotated[str, typer.Argument(help="`tocsin playbook list` names them.")],
    since: Annotated[str, typer.Option(help="Start of its clock, ISO 8601 with offset.")] = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Run another playbook for the incident as well, for example when an outage becomes public."""
    said = _("{playbook} runs beside").format(playbook=playbook)
    form = {"playbook": playbook, "since": since}
    send_command(ref, "attach", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)
