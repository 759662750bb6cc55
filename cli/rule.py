"""`tocsin rule`: check, list, test and backtest warning rules offline; explain a rule's state online."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.backtest import EXAMPLE, backtest
from cli.common import (
    AsJson,
    TokenFile,
    _,
    example,
    home_folder,
    localized,
    read_token,
    say,
    show_json,
    terminal_language,
)

if TYPE_CHECKING:
    from playbooks.rule_loader import RuleFile
    from playbooks.rulebook import Rulebook

app = typer.Typer(
    no_args_is_help=True, help="Check, list, test, backtest and explain warning rules.", rich_markup_mode=None
)

Files = Annotated[list[Path] | None, typer.Argument(help="Rule files. Default: all in the home folder.")]
Profile = Annotated[str, typer.Option("--profile", help="Only the rules of this profile: standard or strict.")]


@app.command(epilog=example("tocsin rule lint .tocsin/rules/slow-checkout.yaml"))
def lint(files: Files = None, as_json: AsJson = False) -> None:
    """Check rule files; mistakes are reported with the correct form. Exit 1 if there is one."""
    loaded, found = _read(files)
    found += [finding for file in loaded for finding in _owner(file)]
    found += _inhibited(loaded) if files else []
    if as_json:
        show_json({"ok": not found, "findings": found})
    else:
        for line in found:
            typer.echo(line, err=True)
    if found:
        raise SystemExit(1)
    if not as_json:
        say(_("{count} rules are sound").format(count=len(loaded)))


@app.command("list", epilog=example("tocsin rule list --profile strict"))
def list_rules(profile: Profile = "", as_json: AsJson = False) -> None:
    """List all warning rules: the shipped ones and those in the home folder."""
    from playbooks.rule_document import to_document

    book = _book()
    rules = book.rules(profile) if profile else book.all()
    if as_json:
        metrics = book.metrics()
        show_json({"rules": [to_document(rule, metrics[rule.metric]) for rule in rules]})
        return
    for rule in rules:
        levels = "/".join(str(level.tier) for level in rule.levels)
        say(f"{rule.id:<32} {levels:<11} {rule.metric:<18} {rule.title.in_(terminal_language())}")


@app.command("test", epilog=example("tocsin rule test .tocsin/rules/slow-checkout.yaml"))
def run_tests(files: Files = None, as_json: AsJson = False) -> None:
    """Run the tests in rule files. Exit 1 if one fails or a file cannot be read."""
    from domain.warning.rule_trial import find_trial_failures

    loaded, found = _read(files)
    ran = [(file, trial, find_trial_failures(file.rule, trial)) for file in loaded for trial in file.trials]
    bad = [
        f"{file.source}: {file.rule.id}: {trial.name}: {failure}" for file, trial, failed in ran for failure in failed
    ]
    if as_json:
        tests = [
            {"rule": file.rule.id, "name": trial.name, "ok": not failed, "failures": failed}
            for file, trial, failed in ran
        ]
        show_json({"ok": not found and not bad, "tests": tests, "findings": found})
    else:
        for line in [*found, *bad]:
            typer.echo(line, err=True)
    if found or bad:
        raise SystemExit(1)
    if not as_json:
        rules = {file.rule.id for file, _trial, _failed in ran}
        say(_("{count} tests of {rules} rules pass").format(count=len(ran), rules=len(rules)))


@app.command(epilog=example("tocsin rule explain tier-1-response-time"))
def explain(
    name: Annotated[str, typer.Argument(metavar="RULE", help="A rule; `tocsin rule list` lists them.")],
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Explain the current state of a rule: one sentence with numbers for each of its series."""
    from urllib.parse import quote

    from cli.client import get

    answer = get(f"/api/rules/{quote(name, safe='')}", read_token(token_file))
    if as_json:
        show_json(answer)
        return
    say(f"{answer['id']} - {localized(answer['title'])}")
    if not answer["series"]:
        say(_("no figures have come in for it yet"))
    for series in answer["series"]:
        named = " ".join(f"{label}={value}" for label, value in series["labels"].items())
        say(f"{named + '  ' if named else ''}{localized(series['why'])}")


app.command(epilog=example(EXAMPLE))(backtest)


def _book() -> Rulebook:
    from playbooks.playbook_library import PlaybookLibrary
    from playbooks.rulebook import Rulebook

    library = PlaybookLibrary(home_folder() / "playbooks")
    return Rulebook(home_folder(), playbooks=lambda: [playbook.id for playbook in library.all()])


def _read(files: Iterable[Path] | None) -> tuple[list[RuleFile], list[str]]:
    """The files that can be read, or all of the home, and what is wrong with the others."""
    from playbooks.errors import BadFile
    from playbooks.rule_loader import load_rule

    book = _book()
    if not files:
        return [book.file(rule.id) for rule in book.all()], [str(finding) for finding in book.findings()]
    loaded: list[RuleFile] = []
    found: list[str] = []
    for path in files:
        try:
            loaded.append(load_rule(path, book.vocabulary()))
        except BadFile as bad:
            found += str(bad).splitlines()
    return loaded, found


def _inhibited(files: list[RuleFile]) -> list[str]:
    """Rules that these would quiet and that nobody has; of the whole home the rulebook tells."""
    from playbooks.errors import FileFinding
    from playbooks.validation_messages import suggest_choice

    known = {rule.id for rule in _book().all()} | {file.rule.id for file in files}
    return [
        str(FileFinding(file.source, None, "inhibits", f"no rule '{name}'", suggest_choice(name, known)))
        for file in files
        for name in file.rule.inhibits
        if name not in known
    ]


def _owner(file: RuleFile) -> list[str]:
    """An owner that the roster of this home does not know; nothing without a roster."""
    from playbooks.errors import BadFile, FileFinding
    from playbooks.roster_file import RosterFile
    from playbooks.validation_messages import suggest_choice

    path = home_folder() / "roster.yaml"
    owner = file.rule.owner
    if not owner or not path.exists():
        return []
    try:
        roles: Any = RosterFile(path).current().roles
    except BadFile:
        return []  # `tocsin doctor` says what is wrong with it
    if owner in roles:
        return []
    return [
        str(FileFinding(file.source, None, "owner", f"no role '{owner}' in the roster", suggest_choice(owner, roles)))
    ]
