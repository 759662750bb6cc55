"""`tocsin silence`: hold back warnings for a while, with an end and a reason."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import client
from cli.common import As, AsJson, CommandError, CommandId, TokenFile, _, example, read_token, say, show_json

app = typer.Typer(
    no_args_is_help=True, help="Silences: hold warnings back for a time, with a reason.", rich_markup_mode=None
)


@app.command(epilog=example('tocsin silence add --rule tier-1-response-time --for 2h --reason "planned maintenance"'))
def add(
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="The reason.")],
    span: Annotated[str, typer.Option("--for", help="Duration, for example 90m or 2h.")],
    rule: Annotated[str, typer.Option("--rule", help="Only this rule; `tocsin rule list` lists them.")] = "",
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only series with this label, such as service=web.")
    ] = None,
    speaker: As = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Hold back the calls of matching warnings; those still firing when the silence ends call then."""
    import pendulum

    from domain.durations import parse_duration

    try:
        until = pendulum.now("UTC") + parse_duration(span)
    except ValueError as error:
        raise CommandError(str(error)) from None
    form: dict[str, Any] = {"reason": reason, "until": until.isoformat(), "rule": rule, "labels": _labels(label or [])}
    form |= {name: value for name, value in (("as", speaker), ("id", command_id)) if value}
    answer = client.post("/api/silences", read_token(token_file), form)
    if as_json:
        show_json(answer)
    else:
        say(_("silent until {until}: {id}").format(until=answer["until"], id=answer["id"]))


@app.command("list", epilog=example("tocsin silence list"))
def list_silences(token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """List the active silences."""
    answer = client.get("/api/silences", read_token(token_file))
    if as_json:
        show_json(answer)
        return
    if not answer["silences"]:
        say(_("nothing is silenced"))
    for one in answer["silences"]:
        labels = " ".join(f"{name}={value}" for name, value in one["labels"].items())
        what = " ".join(filter(None, (one["rule"], labels))) or _("every warning")
        say(f"{one['id']}  {what}  {one['until']}  {one['reason']}")


@app.command(epilog=example("tocsin silence end 5c0e2f4e-1f5e-4ed2-9a55-1c1f0f0a7a10"))
def end(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id from `tocsin silence list`.")],
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End a silence now."""
    from urllib.parse import quote

    answer = client.post(f"/api/silences/{quote(name, safe='')}/end", read_token(token_file), {})
    if as_json:
        show_json(answer)
    elif answer["changed"]:
        say(_("{id} is over").format(id=name))
    else:
        say(_("nothing to change: it was so already"))


def _labels(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise CommandError(f"{pair[:60]!r} is no label: write for example --label service=web")
        found[name.strip()] = value.strip()
    return found
