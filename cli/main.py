"""`tocsin`: every command and its example. Heavy imports happen inside the commands that need them."""

from __future__ import annotations

import typer

from cli import (
    backups,
    customers,
    drill,
    health,
    learning,
    playbook,
    report,
    roster,
    rule,
    samples,
    show,
    silence,
    statements,
    steps,
    up,
    user,
)
from cli.check import check
from cli.common import CommandError, example, fail
from cli.declare import declare
from cli.doctor import doctor
from cli.rehearsal import rehearse

app = typer.Typer(
    name="tocsin",
    help="Incident response for customer-service operations. Start with `tocsin up`, then `tocsin declare`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command(epilog=example("tocsin up --port 7700 --prefect-port 7701"))(up.up)
app.command(epilog=example('tocsin declare --title "Checkout is down" --playbook four-hour-response'))(declare)
app.command(epilog=example("tocsin incidents --watch"))(show.incidents)
app.command(epilog=example("tocsin show INC-1"))(show.show)
app.command(epilog=example("tocsin ack INC-1 apology/trace"))(steps.ack)
app.command(epilog=example('tocsin done INC-1 apology/trace --evidence "payment gateway certificate expired"'))(
    steps.done
)
app.command(epilog=example("tocsin draft INC-1 apology/draft --en apology.en.txt --zh apology.zh.txt"))(
    statements.draft
)
app.command(epilog=example("tocsin approve INC-1 apology/approve"))(statements.approve)
app.command(epilog=example('tocsin reject INC-1 apology/approve --reason "say by when we report again"'))(
    statements.reject
)
app.command(epilog=example('tocsin note INC-1 "the platform has confirmed the cause"'))(steps.note)
app.command(epilog=example("tocsin impact INC-1 --customers 1200 --orders 300"))(steps.impact)
app.command(epilog=example("tocsin mitigate INC-1"))(steps.mitigate)
app.command(epilog=example('tocsin close INC-1 --reason "resolved, report filed"'))(steps.close)
app.command(epilog=example('tocsin reopen INC-1 --reason "it failed again"'))(steps.reopen)
app.command(epilog=example("tocsin merge INC-2 --into INC-1"))(steps.merge)
app.command(epilog=example('tocsin cancel INC-1 --reason "declared by mistake"'))(steps.cancel)
app.command(epilog=example("tocsin attach INC-1 public-opinion"))(steps.attach)
app.command(epilog=example('tocsin begin INC-1 correction --reason "the time was wrong"'))(steps.begin)
app.command(epilog=example("tocsin retry INC-1 apology/publish --channel weibo"))(steps.retry)
app.command(epilog=example("tocsin reassign INC-1 apology/trace --to erik"))(steps.reassign)
app.command(epilog=example("tocsin timeline INC-1 --verify"))(show.timeline)
app.command(epilog=example("tocsin health --service orders"))(health.health)
app.command(epilog=example("tocsin doctor"))(doctor)
app.command(epilog=example("tocsin move --to postgresql://tocsin@db.example.org/tocsin"))(backups.move)
app.command(epilog=example("tocsin backup tocsin-2026-11-22.tar.gz"))(backups.backup)
app.command(epilog=example("tocsin restore tocsin-2026-11-22.tar.gz"))(backups.restore)
app.command(epilog=example("tocsin actions --open"))(learning.actions)
app.command(epilog=example("tocsin recurrences"))(learning.recurrences)
app.add_typer(playbook.app, name="playbook")
app.add_typer(roster.app, name="roster")
app.add_typer(rule.app, name="rule")
app.add_typer(silence.app, name="silence")
app.add_typer(samples.app, name="samples")
app.add_typer(customers.app, name="customers")
app.add_typer(learning.suggestions, name="suggestions")
app.add_typer(learning.action, name="action")
app.add_typer(report.app, name="report")
app.add_typer(drill.app, name="drill")
app.add_typer(user.app, name="user")
app.command(epilog=example('tocsin retrospective INC-1 --action "A second provider" --owner technology-lead'))(
    report.retrospective
)

app.command(epilog=example("tocsin check --quiet"))(check)


app.command(epilog=example("tocsin rehearse four-hour-response --speed 240 --auto"))(rehearse)


def main() -> None:
    """Run the program."""
    try:
        app()
    except CommandError as trouble:
        fail(str(trouble))


if __name__ == "__main__":
    main()
