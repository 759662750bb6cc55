"""Commands on statements: draft, approve exactly what is shown, reject."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import client
from cli.common import AsJson, CommandError, CommandId, Incident, StepName, TokenFile, _, read_token, say, warn
from cli.declare import read_text
from cli.steps import send_command

_MARK = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"


def draft(
    ref: Incident,
    step: StepName,
    *,
    en: Annotated[str, typer.Option(help="English: a file, a text, or - for standard input.")] = "",
    zh: Annotated[str, typer.Option(help="Chinese: a file, a text, or - for standard input.")] = "",
    text: Annotated[list[str] | None, typer.Option(help="Text of one channel: CHANNEL=FILE or CHANNEL=TEXT.")] = None,
    amount: Annotated[
        int | None, typer.Option(min=0, help="Cost of what the text offers, in the roster's currency.")
    ] = None,
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Submit a text for a draft step. An edit voids its approval. Needs your token."""
    written = {name: read_text(value) for name, value in (("en", en), ("zh_CN", zh)) if value}
    for one in text or []:
        channel, equals, value = one.partition("=")
        if not equals or not channel or not value:
            raise CommandError(f"--text is CHANNEL=FILE or CHANNEL=TEXT, not {one[:60]!r}")
        written[channel] = read_text(value)
    if not written:
        raise CommandError("there is no text: give --en, --zh or --text CHANNEL=..., a file or the words themselves")
    said = _("the text of {step} is handed in").format(step=step)
    form = {"step": step, "texts": written, "amount": amount}
    send_command(ref, "draft", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def approve(
    ref: Incident,
    step: StepName,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Approve without asking; you have read the text elsewhere.")
    ] = False,
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Approve exactly the text that is shown, as it will be posted. Needs your token."""
    known = read_token(token_file)
    incident = client.get(client.incident_path(ref), known)
    approval = _find(incident, step)
    text = _find(incident, approval["of"]) if approval.get("of") and approval["kind"] == "approve" else None
    if text is None:
        raise CommandError(f"step {approval['id']} is no approve step: {_of_kind(incident, 'approve')}")
    if not text["rendered"]:
        why = text["unfit"] or _("nothing is written yet")
        raise CommandError(f"step {text['id']}: {why}")
    show = warn if as_json else say
    for line in _shown(incident, text):
        show(line)
    if not yes and not typer.confirm(_("Approve exactly this text?"), default=False, err=as_json):
        raise CommandError(
            _("not approved; to send it back: tocsin reject {ref} {step} --reason ...").format(ref=ref, step=step)
        )
    form = {"step": step, "digest": text["digest"]}
    said = _("{step} is approved").format(step=approval["id"])
    send_command(ref, "approve", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def reject(
    ref: Incident,
    step: StepName,
    reason: Annotated[str, typer.Option("--reason", "-r", help="What should change, for its author.")],
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Send a text back to its author, with a reason. Needs your token."""
    said = _("the text is sent back")
    form = {"step": step, "reason": reason}
    send_command(ref, "reject", form, said=said, command_id=command_id, token_file=token_file, as_json=as_json)


def _shown(incident: dict[str, Any], text: dict[str, Any]) -> list[str]:
    author = incident["people"].get(text["author"], text["author"])
    lines = [f"[{_('DRILL')}] " if incident["drill"] else ""]
    lines[0] += f"{incident['ref']} {incident['title']}"
    lines.append(_("Text, version {version}, by {name}").format(version=text["version"], name=author))
    if text["amount"] is not None:
        lines.append(_("It will cost {amount} {currency}").format(amount=text["amount"], currency=incident["currency"]))
    for channel, words in text["rendered"].items():
        lines += ["", f"{_MARK * 3} {channel} ({len(words)}) {_MARK * 30}", words]
    return [*lines, "", _MARK * 40]


def _find(incident: dict[str, Any], name: str) -> dict[str, Any]:
    """A step by its id, or by a short name that only one has, as the server reads it."""
    playbook, colon, rest = name.partition(":")
    wanted = rest if colon else name
    steps = [
        step for stage in incident["stages"] if not colon or stage["playbook"] == playbook for step in stage["steps"]
    ]
    exact = [step for step in steps if step["id"] == wanted]
    alike = [step for step in steps if wanted in (step["step"], step["id"].partition("#")[0])]
    alike = [step for step in alike if step["state"] in ("waiting", "open", "acknowledged")] or alike
    found = exact or alike
    if len(found) == 1:
        only: dict[str, Any] = found[0]
        return only
    names = ", ".join(step["id"] for step in found or steps)
    raise CommandError(
        f"{name!r} is {'not one step' if found else 'no step'} of {incident['ref']}: say which of {names}"
    )


def _of_kind(incident: dict[str, Any], kind: str) -> str:
    found = [step["id"] for stage in incident["stages"] for step in stage["steps"] if step["kind"] == kind]
    return ", ".join(found) or "there is none"
