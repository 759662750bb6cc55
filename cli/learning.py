"""`tocsin suggestions | actions | action | recurrences`: suggestions, promised actions, recurrences."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.common import As, AsJson, CommandError, CommandId, Incident, TokenFile, _, example, read_token, say, show_json

suggestions = typer.Typer(no_args_is_help=True, help="Customers' suggestions and their answers.", rich_markup_mode=None)
action = typer.Typer(no_args_is_help=True, help="Promised actions with owner and date.", rich_markup_mode=None)

Owner = Annotated[str, typer.Option(help="A role of the roster, or a person's id.")]
Due = Annotated[str, typer.Option(help="Due date: 14d, or a date such as 2026-12-01.")]


@suggestions.command("list", epilog=example("tocsin suggestions list --csv"))
def list_suggestions(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Include answered suggestions.")] = False,
    drills: Annotated[bool, typer.Option("--drills", help="Include suggestions of drills.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=5_000, help="Maximum number of suggestions.")] = 500,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List customers' suggestions for the next product meeting, the most frequent first."""
    from cli import client

    found = client.get(
        "/api/suggestions", read_token(token_file), all=_flag(everything), drills=_flag(drills), limit=limit
    )
    if as_json:
        show_json(found)
        return
    from cli import learning_view

    learning_view.print_suggestions(found, as_csv=csv)


@suggestions.command(
    epilog=example('tocsin suggestions answer SUG-1 --answer "from March on" --action --owner pr-lead')
)
def answer(
    suggestion: Annotated[str, typer.Argument(help="Reference such as SUG-1.")],
    *,
    answer: Annotated[str, typer.Option("--answer", help="What will be done, or why not.")],
    with_action: Annotated[bool, typer.Option("--action", help="Open an action for what the answer promises.")] = False,
    owner: Owner = "",
    due: Due = "30d",
    title: Annotated[str, typer.Option(help="Title of the action. Default: the suggestion.")] = "",
    command_id: CommandId = "",
    speaker: As = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Record the product meeting's answer to a suggestion; --action adds an owner and a date."""
    import uuid
    from urllib.parse import quote

    from cli import client

    if with_action and not owner:
        raise CommandError("an action has an owner: add --owner ROLE")
    if owner and not with_action:
        raise CommandError("an owner belongs to an action: add --action")
    form: dict[str, Any] = {"id": command_id or str(uuid.uuid4()), "answer": answer}
    if with_action:
        form["action"] = {"owner": owner, "due": due, "title": title}
    if speaker:
        form["as"] = speaker
    found = client.post(f"/api/suggestions/{quote(suggestion, safe='')}/answer", read_token(token_file), form)
    if as_json:
        show_json(found)
    elif found["action"]:
        say(_("{name}: answered, {action} is promised").format(name=found["id"], action=found["action"]))
    else:
        say(_("{name}: answered").format(name=found["id"]))


@suggestions.command(epilog=example("tocsin suggestions share --from 2026-10-01T00:00:00+08:00"))
def share(
    from_: Annotated[str, typer.Option("--from", help="Start, ISO 8601 with offset. Default: thirty days ago.")] = "",
    to: Annotated[str, typer.Option("--to", help="End, ISO 8601 with offset. Default: now.")] = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the share of complaints that became a recorded improvement, against the target."""
    from cli import client

    found = client.get("/api/improvement", read_token(token_file), **{"from": from_, "to": to})
    if as_json:
        show_json(found)
        return
    from cli import learning_view

    learning_view.print_improvement_share(found)


def actions(
    running: Annotated[bool, typer.Option("--open", help="Only open actions.")] = False,
    late: Annotated[bool, typer.Option("--late", help="Only actions whose deadline has passed.")] = False,
    of: Annotated[str, typer.Option("--of", help="Only actions of this case, such as INC-1.")] = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List promised actions in order of deadline, with owner and origin."""
    from cli import client

    found = client.get("/api/actions", read_token(token_file), open=_flag(running), late=_flag(late), origin=of)
    if as_json:
        show_json(found)
        return
    from cli import learning_view

    learning_view.print_actions(found["actions"])


@action.command(epilog=example('tocsin action add INC-1 --title "a second provider" --owner technology-lead --due 14d'))
def add(
    incident: Incident,
    *,
    title: Annotated[str, typer.Option("--title", "-t", help="What is promised, in one line.")],
    owner: Owner,
    due: Due,
    zh: Annotated[str, typer.Option(help="The same in Chinese.")] = "",
    because: Annotated[str, typer.Option(help="The reason, for later readers.")] = "",
    command_id: CommandId = "",
    speaker: As = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Record a promised measure: its owner is called and reminded; when it is late, it escalates."""
    import uuid

    from cli import client

    form: dict[str, Any] = {
        "id": command_id or str(uuid.uuid4()), "title": title, "zh": zh, "owner": owner, "due": due,
        "because": because, **({"as": speaker} if speaker else {}),
    }  # fmt: skip
    found = client.post(client.incident_path(incident, "actions"), read_token(token_file), form)
    if as_json:
        show_json(found)
        return
    say(_("{ref} is promised: {title}").format(ref=found["ref"], title=title))
    say("  " + _("when it is done: {what}").format(what=f"tocsin done {found['ref']} action/do --evidence LINK"))


@action.command(epilog=example("tocsin action show ACT-7"))
def show(
    ref: Annotated[str, typer.Argument(help="Reference such as ACT-7.")],
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a promised action: owner, deadline, reason, and evidence that it was done."""
    from urllib.parse import quote

    from cli import client

    found = client.get(f"/api/actions/{quote(ref, safe='')}", read_token(token_file))
    if as_json:
        show_json(found)
        return
    from cli import learning_view

    learning_view.print_action(found)


def recurrences(token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """List recurring kinds of problems, each with its warning and its optimisation proposal."""
    from cli import client

    found = client.get("/api/recurrences", read_token(token_file))
    if as_json:
        show_json(found)
        return
    from cli import learning_view

    learning_view.print_recurrences(found["recurrences"])


def _flag(value: bool) -> str:
    return "true" if value else ""
