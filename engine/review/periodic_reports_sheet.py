"""Periodic reports other than the monthly one, as documents of blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from domain.review.period import ReviewKind
from domain.text import N_
from domain.warning.metrics import Metric
from engine.review import formatting, monthly_report_sheet
from engine.review.blocks import (
    Block,
    Cell,
    FillInSection,
    Heading,
    Paragraph,
    Picture,
    ShareBar,
    ShareBars,
    TableBlock,
    Tile,
    Tiles,
    Tone,
)
from engine.review.formatting import format_figure, format_percent, format_seconds
from engine.review.monthly_report_sheet import make_figures_table, make_level_bar
from engine.review.plots import PlotSeries, draw_plot
from locales import Translator, translator

Metrics = Mapping[str, Metric]
Data = Mapping[str, Any]
BlocksFunction = Callable[[Data, Metrics, str, str], list[Block]]
_PHASES = {
    "ok": N_("The rule is at rest."),
    "pending": N_("The rule is on its way: the days in a row are not complete."),
    "firing": N_("The rule fires: the process of first responses is being improved."),
    "recovering": N_("The rule is recovering."),
    "no_data": N_("The rule has no figures."),
    "": N_("The rule has not been evaluated yet."),
}


def daily_blocks(data: Data, metrics: Metrics, zone: str, language: str) -> list[Block]:  # noqa: ARG001 - one signature
    """Return the blocks of the daily report."""
    _ = translator(language)
    rows = []
    for one in data["frt"]:
        over = one["value"] is not None and data["frt_limit"] is not None and one["value"] > data["frt_limit"]
        tone: Tone = "bad" if over else ""
        rows.append((one["day"], Cell(format_figure(one["value"], metrics.get("frt"), _), tone)))
    said = _PHASES.get(data["frt_rule"]) or str(data["frt_rule"])
    limit, count = format_figure(data["frt_limit"], metrics.get("frt"), _), len(data["frt"])
    return [
        make_figures_table(data["figures"], metrics, _, _("Day before")),
        Heading(_("First response, day by day")),
        Paragraph(
            _("The service process is improved when the daily mean is over {limit} on {count} days in a row.").format(
                limit=limit, count=count
            )
        ),
        TableBlock((_("Day"), _("First response time, mean")), rows, frozenset({1})),
        Paragraph(" ".join(filter(None, (_(said), data["frt_matter"])))),
        Heading(_("Three levels of handling")),
        ShareBars([make_level_bar(one, _) for one in data["levels"]]),
    ]


def weekly_blocks(data: Data, metrics: Metrics, zone: str, language: str) -> list[Block]:
    """Return the blocks of the weekly service-value review."""
    _ = translator(language)
    found: list[Block] = [
        Tiles(
            [
                Tile(_("Incidents"), str(len(data["incidents"])), ", ".join(one["ref"] for one in data["incidents"])),
                Tile(_("Warnings"), str(data["warnings"])),
                Tile(
                    _("Promises that are open"),
                    str(len(data["actions"])),
                    _("{count} late").format(count=sum(one["late"] for one in data["actions"])),
                ),
            ]
        ),
        Heading(_("Five figures")),
        make_figures_table(data["five"], metrics, _, _("Week before")),
        *_courses(data, metrics, zone, _),
        Heading(_("Why customers left")),
        *_categories(data["churn"], _, _("Cause"), _("No figure `churn` with a label `category` was pushed.")),
        Heading(_("Three levels of handling")),
        ShareBars([make_level_bar(one, _) for one in data["levels"]]),
        Heading(_("Actions")),
        *_actions(data["actions"], zone, _),
    ]
    return [*found, FillInSection(_("What do we change this week, who does it, by when?"))]


def topics_blocks(data: Data, metrics: Metrics, zone: str, language: str) -> list[Block]:  # noqa: ARG001 - one signature
    """Return the blocks of the complaint topics and questions."""
    _ = translator(language)
    top = _("Top {count} questions").format(count=data["top"])
    return [
        Paragraph(_("Counted by the label `category` of the figures; what customers wrote is not kept."), "soft"),
        Heading(_("Complaint topics")),
        *_categories(data["complaints"], _, _("Topic"), _("No complaint with a category was pushed.")),
        Heading(top),
        *_categories(data["questions"], _, _("Question"), _("No contact with a category was pushed.")),
        Heading(_("Red words")),
        *_categories(data["red_words"], _, _("Topic"), _("No conversation with a red word.")),
        FillInSection(_("Which one topic do we take away at its root?")),
    ]


def risk_blocks(data: Data, metrics: Metrics, zone: str, language: str) -> list[Block]:  # noqa: ARG001 - one signature
    """Return the blocks of the risk meeting."""
    _ = translator(language)
    return [
        Heading(_("What warned")),
        *_warned(data["warnings"], _),
        Heading(_("What was late")),
        _late(data["late_steps"], _),
        Heading(_("What recurs")),
        _recurring(data["recurrences"], _),
        Heading(_("Promises that are open")),
        *_actions(data["actions"], zone, _),
        FillInSection(_("Which risks do we see ahead, how likely, how bad?")),
        FillInSection(_("What do we do about them, who, by when?")),
    ]


def audit_blocks(data: Data, metrics: Metrics, zone: str, language: str) -> list[Block]:  # noqa: ARG001 - one signature
    """Return the blocks of the process review and audit."""
    _ = translator(language)
    tone: Tone = "" if data["share"] is None else "good" if data["share"] >= data["aim"] else "bad"
    text = f"{data['covered']} / {data['situations']} · {format_percent(data['share'], _)}"
    rows = [(one["kind"] or "–", one["service"] or "–", ", ".join(one["refs"])) for one in data["uncovered"]]
    return [
        Heading(_("Situations covered")),
        Paragraph(_(
            "A situation is a kind of incident or warning on a service. It is covered where people worked by its "
            "playbook to the end: a step was done and none was given up."
        )),
        ShareBars([ShareBar(_("Situations covered"), data["share"], text, data["aim"], tone)]),
        TableBlock((_("Kind"), _("Service"), _("References")), rows, frozenset(), _("Every situation was covered.")),
        Heading(_("What was late")),
        _late(data["late_steps"], _),
        FillInSection(_("Which situation lacks a playbook, and who writes it?")),
        FillInSection(_("Which step is late by design: too short a time, the wrong owner?")),
    ]  # fmt: skip


def evaluation_blocks(data: Data, metrics: Metrics, zone: str, language: str) -> list[Block]:  # noqa: ARG001 - one signature
    """Return the blocks of the half-yearly evaluation."""
    _ = translator(language)
    head = (
        _("Month"), _("Incidents"), _("Warnings"), _("Time to acknowledge"), _("Deadlines met"),
        _("Satisfied (4 and 5 of 5)"), _("Second complaints"),
    )  # fmt: skip
    rows = [
        (
            one["month"],
            str(one["incidents"]),
            str(one["warnings"]),
            format_seconds(one["acknowledge_seconds"], _),
            format_percent(one["deadlines_share"], _),
            format_percent(one["csat"], _),
            format_percent(one["second_share"], _),
        )
        for one in data["months"]
    ]
    found = data["improvements"]
    return [
        Heading(_("Month by month")),
        TableBlock(head, rows, frozenset(range(1, 7))),
        Heading(_("What was learned")),
        ShareBars(
            [
                ShareBar(
                    _("Complaints that became a recorded improvement"),
                    found["share"],
                    format_percent(found["share"], _),
                    found["aim"],
                )
            ]
        ),
        _recurring(data["recurrences"], _),
        FillInSection(_("What did the half-year teach us, and what do we stop doing?")),
    ]


def revision_blocks(data: Data, metrics: Metrics, zone: str, language: str) -> list[Block]:  # noqa: ARG001 - one signature
    """Return the blocks of the yearly revision of playbooks."""
    _ = translator(language)
    rows = []
    for one in data["playbooks"]:
        used = Cell(str(one["used"]), "" if one["used"] else "soft")
        drilled = Cell(str(one["rehearsed"]), "" if one["used"] or one["rehearsed"] else "bad")
        missed = Cell(str(one["missed"]), "bad" if one["missed"] else "")
        rows.append(
            (
                formatting.pick_language(one["title"], language),
                one["playbook"],
                str(one["version"]),
                used,
                drilled,
                str(one["met"]),
                missed,
            )
        )
    head = (
        _("Playbook"), _("Id"), _("Version"), _("Used"), _("Rehearsed"), _("Deadlines met"), _("Deadlines missed"),
    )  # fmt: skip
    return [
        Paragraph(
            _(
                "Each playbook: still right, to be changed, or to be given up? "
                "One that was neither used nor rehearsed in a year is only paper."
            )
        ),
        TableBlock(head, rows, frozenset({2, 3, 4, 5, 6})),
        FillInSection(_("What is changed, by whom, by when?")),
    ]


BLOCKS_BY_KIND: Mapping[ReviewKind, BlocksFunction] = {
    ReviewKind.DAILY: daily_blocks,
    ReviewKind.WEEKLY: weekly_blocks,
    ReviewKind.TOPICS: topics_blocks,
    ReviewKind.MONTHLY: monthly_report_sheet.monthly_blocks,
    ReviewKind.RISK: risk_blocks,
    ReviewKind.AUDIT: audit_blocks,
    ReviewKind.EVALUATION: evaluation_blocks,
    ReviewKind.REVISION: revision_blocks,
}


def _courses(data: Data, metrics: Metrics, zone: str, _: Translator) -> Iterator[Block]:
    first, last = data["days"]
    for name, by_day in data["plots"].items():
        if not by_day:
            continue
        metric = metrics.get(name)
        title = formatting.metric_title(metric, name, _)
        percents = metric is not None and formatting.is_share(metric)
        unit = "%" if percents else metric.unit if metric and metric.unit == "s" else ""
        subtitle = _("By the day, {unit}").format(unit=unit) if unit else _("By the day")
        course = PlotSeries("", by_day, 100.0 if percents else 1.0)
        yield Picture(draw_plot(title, subtitle, [course], (first, last), zone), f"{title}. {subtitle}")


def _categories(found: Data, _: Translator, name: str, empty: str) -> Iterator[Block]:
    total = found["total"]
    rows = [
        (
            str(place),
            one["category"],
            f"{one['count']:,.0f}",
            format_percent(one["count"] / total if total else None, _),
            formatting.format_change(one["count"], one["before"], _),
        )
        for place, one in enumerate(found["rows"], 1)
    ]
    head = ("", name, _("Count"), _("Share"), _("Against the week before"))
    yield TableBlock(head, rows, frozenset({0, 2, 3, 4}), empty)
    if rows and found["without"]:
        share = format_percent(found["without"] / total, _)
        yield Paragraph(_("{share} of {total} have no category.").format(share=share, total=f"{total:,.0f}"), "soft")
    if found["more"]:
        yield Paragraph(_("{count} more categories are not listed.").format(count=found["more"]), "soft")


def _warned(found: list[Data], _: Translator) -> Iterator[Block]:
    rows = [(formatting.pick_language(one["title"], _.language), str(one["count"])) for one in found]
    yield TableBlock((_("Warning"), _("How often")), rows, frozenset({1}), _("There was no warning."))


def _late(found: list[Data], _: Translator) -> TableBlock:
    rows = [
        (formatting.pick_language(one["title"], _.language), one["playbook"], one["step"], str(one["count"]))
        for one in found
    ]
    head = (_("Step"), _("Playbook"), _("Id"), _("How often"))
    return TableBlock(head, rows, frozenset({3}), _("No deadline was missed."))


def _recurring(found: list[Data], _: Translator) -> TableBlock:
    rows = [(f"{one['kind']} {one['service']}".strip(), str(one["count"]), ", ".join(one["refs"])) for one in found]
    head = (_("Kind of incident"), _("Within 90 days"), _("References"))
    return TableBlock(head, rows, frozenset({1}), _("No kind of incident came three times within 90 days."))


def _actions(found: list[Data], zone: str, _: Translator) -> Iterator[Block]:
    rows = [
        (
            one["ref"],
            one["title"],
            one["owner"],
            Cell(
                formatting.format_local_time(one["due_at"], zone, "%Y-%m-%d") if one["due_at"] else "–",
                "bad" if one["late"] else "",
            ),
        )
        for one in found
    ]
    yield TableBlock((_("Reference"), _("What"), _("Owner"), _("Due")), rows, frozenset(), _("No promise is open."))
