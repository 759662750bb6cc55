"""`tocsin customers`: import affected customers, show the follow-up, list callbacks, forget a customer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.common import As, AsJson, CommandId, Incident, TokenFile, _, example, read_token, say, show_json

app = typer.Typer(no_args_is_help=True, help="Affected customers and their follow-up.", rich_markup_mode=None)

Customer = Annotated[str, typer.Argument(help="The customer's number in your CRM.")]


@app.command("import", epilog=example("tocsin customers import INC-1 examples/affected_customers.csv"))
def take_in(
    incident: Incident,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="id,contact[,language][,order_value]...")],
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Import customers from a file. Bad rows are reported (exit 1), good ones kept; a repeat counts once."""
    from cli.customers_import import import_and_report as work

    work(incident, file, read_token(token_file), as_json=as_json)


@app.command(epilog=example("tocsin customers show INC-1"))
def show(incident: Incident, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Show the state and the figures of an incident's follow-up."""
    from cli.client import get, incident_path

    found = get(incident_path(incident, "customers"), read_token(token_file), limit=0)
    if as_json:
        show_json(found)
        return
    from cli.customers_view import print_follow_up

    print_follow_up(found)


@app.command("list", epilog=example("tocsin customers list INC-1 --csv"))
def list_(
    incident: Incident,
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet, with contacts masked.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of customers.")] = 100,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List customers, the most urgent first, with what they are owed and what they answered."""
    from cli.customers_view import print_customers

    print_customers(incident, read_token(token_file), calls=False, limit=limit, as_csv=csv, as_json=as_json)


@app.command(epilog=example("tocsin customers callbacks INC-1"))
def callbacks(
    incident: Incident,
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet, with contacts masked.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of customers.")] = 100,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """List the customers who still need a call, in order of priority."""
    from cli.customers_view import print_customers

    print_customers(incident, read_token(token_file), calls=True, limit=limit, as_csv=csv, as_json=as_json)


@app.command(epilog=example('tocsin customers called INC-1 C1001 --note "refund promised by Friday"'))
def called(
    incident: Incident,
    customer: Customer,
    note: Annotated[str, typer.Option(help="Result of the call.")] = "",
    speaker: As = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Record that a customer was called."""
    from cli.client import incident_path, post

    form = {"customer": customer, "note": note, **({"as": speaker} if speaker else {})}
    answer = post(incident_path(incident, "customers/called"), read_token(token_file), form)
    show_json(answer) if as_json else say(_("{customer}: called").format(customer=customer))


@app.command(epilog=example("tocsin customers again INC-1 C1001"))
def again(
    incident: Incident,
    customer: Customer,
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Record a repeat complaint: the customer's problem is open again, and its owner is called."""
    import uuid

    from cli.client import incident_path, post

    form = {"id": command_id or str(uuid.uuid4()), "customer": customer}
    answer = post(incident_path(incident, "customers/again"), read_token(token_file), form)
    show_json(answer) if as_json else say(_("{customer}: open again").format(customer=customer))


@app.command(epilog=example("tocsin customers forget C1001"))
def forget(customer: Customer, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Erase a customer's contact, number and words in every incident; anonymous figures stay."""
    from cli.client import post

    answer = post("/api/customers/forget", read_token(token_file), {"customer": customer})
    if as_json:
        show_json(answer)
        return
    text = _("forgotten in {count} incidents") if answer["forgotten"] else _("nobody of that number is known")
    say(text.format(count=answer["forgotten"]))
