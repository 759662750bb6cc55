"""Runs of reviews: each period once, however many servers ask; document and owner's call in one commit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pendulum
from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.commands import Declare
from domain.incident import CaseType
from domain.playbook import Playbook
from domain.review.period import REVIEW_LENGTHS, Period, ReviewKind, parse_period, unreviewed_periods
from domain.text import Text
from engine.response.declare import begin_in_transaction
from engine.response.validation import require_playbook, validate_declaration
from engine.review import document_templates, period_metrics
from engine.review.blocks import DocumentSheet
from engine.review.periodic_reports import FIGURES_BY_KIND
from engine.review.periodic_reports_sheet import BLOCKS_BY_KIND
from engine.review.service import ReviewService
from locales import Translator, translator
from storage import documents
from storage.database import Connection
from storage.documents import Document
from storage.incidents import turns
from storage.incidents.board import both_languages
from storage.reviews import review_records

log = logging.getLogger("tocsin.reviews")
LANGUAGES: Final = {"en": "en", "zh": "zh_CN"}
REVIEWED_SINCE_KEY: Final = "reviews"  # kept: since when this installation is reviewed
OVERDUE_AFTER: Final = timedelta(hours=26)  # its own schedule did not fire: somebody else makes it
EXAMPLE_REF: Final = "INC-1"  # in the texts of a procedure
SHARES_EVERY: Final = timedelta(hours=1)  # shares of the day are kept so often


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """Result of a review that was run now."""

    kind: ReviewKind
    period: str
    document: str
    matter: str
    late: bool


def run_due_reviews(service: ReviewService, kind: ReviewKind, now: DateTime) -> list[ReviewResult]:
    """Run every review of a kind whose period is over and was not reviewed; none where nothing is due.

    Raises:
        StorageError: the database cannot be used; what was not committed is still due.
    """
    keep_daily_shares(service, now, anew=kind is ReviewKind.DAILY)
    return _hold(service, kind, _owed(service, kind, now), now)


def run_overdue_reviews(service: ReviewService, now: DateTime) -> list[ReviewResult]:
    """Run every review, of any kind, whose schedule should have fired 26 hours ago and did not."""
    keep_daily_shares(service, now)
    found: list[ReviewResult] = []
    for kind in ReviewKind:
        periods = [period for period in _owed(service, kind, now) if period.ends + OVERDUE_AFTER <= now]
        found += _hold(service, kind, periods, now)
    return found


def remake_document(service: ReviewService, kind: ReviewKind, name: str, now: DateTime) -> Document:
    """Make the document of a period anew, as far as a running period is; nobody is called.

    Raises:
        BadPeriod: no such period.
        Refused: it has not begun yet.
    """
    period = parse_period(REVIEW_LENGTHS[kind], name, service.plan.zone)
    if period.begins >= now:
        raise CommandRefused(f"{period.name} has not begun yet")
    keep_daily_shares(service, now, anew=True)
    with service.installation.database.read_long() as connection:
        document = _document(service, connection, kind, period, now)
    with service.installation.database.write() as connection:
        documents.save_document(connection, document)
    return document


def keep_daily_shares(service: ReviewService, now: DateTime, *, anew: bool = False) -> None:
    """Keep the shares of yesterday and today, once an hour at most."""
    with service.installation.database.read() as connection:
        newest = review_records.newest_day_figure_at(connection)
    if newest is not None and newest + SHARES_EVERY > now and not anew:
        return
    found = period_metrics.compute_daily_shares(service.figures, service.metrics(), now, service.plan.zone)
    with service.installation.database.write() as connection:
        for one in found:
            review_records.save_day_figure(connection, one.day, one.metric, one.events, one.good, now)


def _owed(service: ReviewService, kind: ReviewKind, now: DateTime) -> list[Period]:
    with service.installation.database.read() as connection:
        last = review_records.last_run(connection, kind)
        begun = turns.load_installation_fact(connection, REVIEWED_SINCE_KEY)
    if begun is None:
        with service.installation.database.write() as connection:
            turns.save_installation_fact(connection, REVIEWED_SINCE_KEY, {}, now)
        return []
    return unreviewed_periods(REVIEW_LENGTHS[kind], last, begun[1], now, service.plan.zone)


def _hold(service: ReviewService, kind: ReviewKind, periods: Iterable[Period], now: DateTime) -> list[ReviewResult]:
    """Each of these periods; of several the newest calls its owner, and says which ones had been missed."""
    wanted = list(periods)
    found: list[ReviewResult] = []
    for period in wanted:
        newest = period is wanted[-1]
        missed = [one.name for one in wanted[:-1]] if newest else []
        held = _hold_one(service, kind, period, now, missed, late=not newest)
        found += [held] if held else []
    return found


def _hold_one(
    service: ReviewService, kind: ReviewKind, period: Period, now: DateTime, missed: list[str], *, late: bool
) -> ReviewResult | None:
    with service.installation.database.read_long() as connection:
        document = _document(service, connection, kind, period, now, missed=missed, late=late)
    trouble, procedure = "", None
    try:
        procedure = None if late else require_playbook(service.installation, str(kind))
    except CommandRefused as refused:  # a role that nobody holds any more: the document is made, and the list says so
        trouble = str(refused)
        log.error("%s %s: nobody is called: %s", kind, period.name, trouble)  # noqa: TRY400 - one line, no traceback
    with service.installation.database.write() as connection:
        values = {"ends_at": period.ends, "made_at": now, "late": late, "document": document.id, "trouble": trouble}
        if not review_records.claim_period(connection, str(kind), period.name, matter="", **values):
            return None
        documents.save_document(connection, document)
        case = ""
        if procedure is not None:
            command_id = f"review:{kind}:{period.name}"
            title = f"{document.title.en} · {document.title.zh}"
            case = open_review(connection, service, procedure, command_id, title, document, now)
            review_records.update_run(connection, str(kind), period.name, matter=case)
    return ReviewResult(kind, period.name, document.id, case, late)


def open_review(  # noqa: PLR0913 - what a review is made of
    connection: Connection,
    service: ReviewService,
    procedure: Playbook,
    command_id: str,
    title: str,
    document: Document,
    now: DateTime,
    *,
    origin: str = "",
) -> str:
    """Open the review that carries a document to its owner, in the caller's transaction; return its reference.

    Known already by its id, it is not opened again, and the answer is empty.
    """
    turns.lock_commands(connection, [command_id])
    if turns.find_carried_out(connection, command_id):
        return ""
    command = Declare(
        id=command_id, title=title, playbook=procedure.id, origin=origin or document.id, kind=document.kind,
        case_type=CaseType.REVIEW,
    )  # fmt: skip
    wanted = [
        (validate_declaration(command, now), _with_link(procedure, service.document_link(document.id), document.about))
    ]
    (answer,) = begin_in_transaction(connection, service.installation.roster(), wanted, now)
    return answer.ref


def _with_link(procedure: Playbook, link: str, about: str) -> Playbook:
    """Every step says where its document is, and names the matter that it is about where it names an example."""

    def told(text: Text) -> Text:
        en, zh = (words.replace(EXAMPLE_REF, about or EXAMPLE_REF) for words in (text.en, text.zh or text.en))
        return Text(f"{en}\n{link}", f"{zh}\n{link}?lang=zh_CN")

    stages = tuple(
        replace(stage, steps=tuple(replace(step, instruction=told(step.instruction)) for step in stage.steps))
        for stage in procedure.stages
    )
    return replace(procedure, stages=stages)


def _document(
    service: ReviewService, connection: Connection, kind: ReviewKind, period: Period, now: DateTime, *,
    missed: Iterable[str] = (), late: bool = False,
) -> Document:  # fmt: skip
    data = {
        **FIGURES_BY_KIND[kind](service, connection, period, now),
        "kind": str(kind), "period": period.name, "from": period.begins.isoformat(), "to": period.ends.isoformat(),
        "zone": service.plan.zone, "whole": period.ends <= now, "late": late, "missed": list(missed),
    }  # fmt: skip
    sheets = {name: _sheet(service, kind, data, now, language) for name, language in LANGUAGES.items()}
    return Document(
        id=f"{kind}/{period.name}", title=Text(sheets["en"].title, sheets["zh"].title), made_at=now,
        from_at=period.begins, to_at=period.ends, data=data,
        pages={name: document_templates.render_html(sheet) for name, sheet in sheets.items()},
        texts={name: document_templates.render_markdown(sheet) for name, sheet in sheets.items()},
    )  # fmt: skip


def _sheet(
    service: ReviewService, kind: ReviewKind, data: Mapping[str, Any], now: DateTime, language: str
) -> DocumentSheet:
    _ = translator(language)
    zone = str(data["zone"])
    begins, ends = pendulum.parse(data["from"]), pendulum.parse(data["to"])
    assert isinstance(begins, DateTime)  # noqa: S101 - as it was written a moment ago
    assert isinstance(ends, DateTime)  # noqa: S101
    last = ends.subtract(days=1)
    subtitle = _("{first} to {last}, times in {zone}").format(
        first=begins.format("YYYY-MM-DD"), last=last.format("YYYY-MM-DD"), zone=zone
    )
    badges = [] if data["whole"] else [_("as far as it is")]
    if data["late"]:
        badges.append(_("made late: its time had been missed"))
    if data["missed"]:
        badges.append(_("made up for now: {periods}").format(periods=", ".join(data["missed"])))
    made = now.in_timezone(zone).format("YYYY-MM-DD HH:mm")
    return DocumentSheet(
        language, f"{review_title(kind)[language]} {data['period']}", subtitle,
        BLOCKS_BY_KIND[kind](data, service.metrics(), zone, language), _foot(made, _), badges,
    )  # fmt: skip


def _foot(made: str, _: Translator) -> str:
    return _(
        "Made by Tocsin at {made}. Drills and what was cancelled are not counted. A clock is met where its step was "
        "done by its deadline; one that still runs is not counted."
    ).format(made=made)


def review_title(kind: ReviewKind) -> dict[str, str]:
    """Return what a kind of review is called, by language."""
    from playbooks.playbook_library import CATALOG  # noqa: PLC0415
    from playbooks.playbook_loader import load_playbook  # noqa: PLC0415

    if kind not in _TITLES:
        words = both_languages(load_playbook(CATALOG / f"{kind}.yaml").title)
        _TITLES[kind] = {"en": words["en"], "zh_CN": words["zh"]}
    return _TITLES[kind]


_TITLES: dict[ReviewKind, dict[str, str]] = {}
