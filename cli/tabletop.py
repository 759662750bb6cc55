"""`tocsin rehearse --scenario`: a tabletop with people, scored by records and by an observer."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import client
from cli.common import CommandError, _, fail, home_folder, localized, say, show_json, terminal_language

if TYPE_CHECKING:
    from domain.roster import Roster
    from domain.tabletop.scenario import ObserverQuestion, Scenario
    from engine.installation import Installation
    from engine.rehearsal.injections import InjectedEvent
    from engine.rehearsal.tabletop import TabletopRequest

RANDOM = "random"


def list_scenarios(*, as_json: bool) -> None:
    """List the scenarios, by class."""
    found = list(_library().values())
    if as_json:
        show_json({"scenarios": [_described(one) for one in found]})
        return
    for one in sorted(found, key=lambda one: (one.category, one.id)):
        minutes = int(one.lasts.total_seconds() // 60)
        say(f"{one.category:<11} {one.id:<22} {one.title.in_(terminal_language())} · {one.playbook} · {minutes} min")


def hold_tabletop(
    name: str, playbook: str, *, speed: float | None, auto: bool, seed: int, observer: Path | None, as_json: bool
) -> None:
    """Hold a tabletop; always exits 0: a score is no verdict."""
    from engine.rehearsal.api_client import RehearsalClient, RehearsalError
    from engine.rehearsal.tabletop import cancel_run, run_tabletop
    from engine.rehearsal.tabletop_measures import measure_run
    from engine.rehearsal.tabletop_report import save_report
    from playbooks.errors import BadFile
    from storage.database import StorageError

    scenario = _drawn(name, seed)
    given = _observed(observer) if observer else ({}, "", "")  # before anybody is called: it may be broken
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    host, port = client.api_address()
    client.get("/healthz", "")  # says in one line that nothing runs
    installation = _installation(port)
    line = RehearsalClient(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    try:
        order = _order(installation, scenario, playbook, speed, auto=auto, seed=seed)
        shown = _Shown(quiet=as_json)
        shown.begin(order, installation.roster())
        played = run_tabletop(installation, line, order, shown.seen)
        items = measure_run(installation, played)
        cancel_run(installation, played)  # before the observer is asked: nobody is called meanwhile
        if observer is None and not as_json and sys.stdin.isatty():
            given = _asked(scenario.asked)
        found = save_report(installation, played, items, *given)
    except (RehearsalError, StorageError, BadFile, ValueError) as error:
        raise CommandError(str(error)) from None
    except KeyboardInterrupt:
        fail(_("the rehearsal was broken off; its incident is cancelled"))
    finally:
        line.close()
        installation.close()
    _tell(found, as_json=as_json)


def list_results(*, as_json: bool) -> None:
    """List the tabletops that were held, newest first."""
    from engine.rehearsal.tabletop_report import list_reports

    installation = _installation()
    try:
        found = list_reports(installation)
    finally:
        installation.close()
    if as_json:
        show_json({"results": found})
        return
    for row in found:
        say(
            f"{row['id']:<8} {row['began_at'][:16].replace('T', ' ')}  "
            f"{_points(row['score']):<12} {localized(row['title'])}"
        )
    if not found:
        say(_("None was held yet: `tocsin rehearse --scenario random --auto`"))


def show_result(ref: str, observer: Path | None, *, as_json: bool) -> None:
    """Show the result of one; with an observer's file, score it anew."""
    from engine.rehearsal.tabletop_report import load_report, score_again

    installation = _installation()
    try:
        found = score_again(installation, ref, *_observed(observer)) if observer else load_report(installation, ref)
    except KeyError:
        raise CommandError(
            f"no sudden situation {ref!r} was held here: `tocsin rehearse --results` lists them"
        ) from None
    except ValueError as error:
        raise CommandError(f"{observer}: {error}") from None
    finally:
        installation.close()
    _tell(found, as_json=as_json)


# --- what it is made of ---


def _library() -> Mapping[str, Scenario]:
    from playbooks.errors import BadFile
    from playbooks.scenario_file import load_scenarios as read

    try:
        return read(home_folder())
    except BadFile as wrong:
        raise CommandError(str(wrong)) from None


def _drawn(name: str, seed: int) -> Scenario:
    from playbooks.errors import BadFile
    from playbooks.scenario_file import find_scenario

    if name == RANDOM:
        known = _library()
        return known[random.Random(f"scenario {seed}").choice(sorted(known))]  # noqa: S311 - the same for the same seed
    try:
        return find_scenario(home_folder(), name)
    except BadFile as wrong:
        raise CommandError(str(wrong)) from None


def _described(one: Scenario) -> dict[str, Any]:
    return {
        "id": one.id, "category": str(one.category), "title": {"en": one.title.en, "zh": one.title.zh},
        "story": {"en": one.story.en, "zh": one.story.zh}, "playbook": one.playbook,
        "minutes": int(one.lasts.total_seconds() // 60),
        "injections": [
            {"id": it.id, "at_minutes": it.at.total_seconds() / 60, "effect": str(it.effect),
             "text": {"en": it.text.en, "zh": it.text.zh}, "to": it.to}
            for it in one.injections
        ],
        "questions": [
            {"id": it.id, "scale": str(it.scale), "text": {"en": it.text.en, "zh": it.text.zh}} for it in one.asked
        ],
    }  # fmt: skip


def _installation(port: int | None = None) -> Installation:
    from engine.installation import Installation
    from storage.database import StorageError
    from storage.settings import SettingsError, load_settings

    try:
        return Installation(load_settings(port=port) if port else load_settings()).open()
    except (SettingsError, StorageError, OSError) as error:
        raise CommandError(str(error)) from None


def _order(
    installation: Installation, scenario: Scenario, name: str, speed: float | None, *, auto: bool, seed: int
) -> TabletopRequest:
    from engine.rehearsal.tabletop import SPEED, TabletopRequest
    from playbooks.playbook_library import UnknownPlaybook

    try:
        playbook = installation.library.get(name or scenario.playbook)
    except UnknownPlaybook as unknown:
        raise CommandError(str(unknown)) from None
    return TabletopRequest(scenario, playbook, speed or (SPEED if auto else 1.0), auto, seed)


def _observed(path: Path) -> tuple[dict[str, int], str, str]:
    """The answers of a file: `{observer: NAME, answers: {QUESTION: 0 to 4}, remarks: TEXT}`."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        answers = {str(name): int(value) for name, value in found["answers"].items() if value is not None}
        return answers, str(found.get("observer", "")), str(found.get("remarks", ""))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        example = "{observer: NAME, answers: {tone: 3}, remarks: TEXT}, each answer 0 to 4"
        raise CommandError(f"{path} holds no observer's answers: write {example}") from None


def _asked(questions: Sequence[ObserverQuestion]) -> tuple[dict[str, int], str, str]:
    """Ask the observer at the terminal; an empty answer is not scored."""
    say(_("The observer answers 0 (not at all) to 4 (fully); Enter leaves it unscored."))
    answers: dict[str, int] = {}
    try:
        observer = input(_("Observer: ")).strip()
        for question in questions:
            said = input(f"{question.text.in_(terminal_language())} [0-4] ").strip()
            if said in {"0", "1", "2", "3", "4"}:
                answers[question.id] = int(said)
        return answers, observer, input(_("Remarks: ")).strip()
    except EOFError:
        return answers, "", ""


class _Shown:
    """A line for each thing that happens."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._seen = quiet, 0

    def begin(self, order: TabletopRequest, roster: Roster) -> None:
        """What everybody is told, and what somebody has to be told beforehand."""
        if self._quiet:
            return
        say(f"DRILL 演练  {order.scenario.title.in_(terminal_language())} · {order.playbook.id} · × {order.speed:g}")
        say(f"  {order.scenario.story.in_(terminal_language())}")
        gone = [] if order.auto else [one for one in order.scenario.injections if one.effect == "unreachable"]
        for one in gone:
            name = roster.name(roster.primary(one.to) or "")
            say("  " + _("Tell {name} now: answer nothing from {at} on.").format(name=name, at=one.at))

    def seen(self, _now: float, happened: Sequence[InjectedEvent]) -> None:
        """What is new."""
        for one in happened[self._seen :]:
            if not self._quiet:
                whom = f" ({one.person})" if one.person else ""
                say(
                    f"  {one.injection.at!s:>8}  {one.injection.effect}{whom}: "
                    f"{one.injection.text.in_(terminal_language())}"
                )
        self._seen = len(happened)


def _tell(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    say(f"{found['id']}  {localized(found['title'])}  {_points(found['score'])}")
    for part in found["score"]["parts"]:
        points = _("not scored") if part["points"] is None else f"{part['points']:g} / {part['weight']}"
        say(f"  {part['scale']:<13} {points:<12} {part['known']}/{part['items']}")
    for item in found["items"]:
        met = _("not scored") if item["share"] is None else f"{item['share']:.0%}"
        say(f"    {met:>10}  {localized(item['text'])}  {item['because']}")
    say(f"  {_('report')}: /documents/{found['report']}")


def _points(score: Mapping[str, Any]) -> str:
    return f"{score['points']:g} / {score['of']}" if score["of"] else _("not scored")
