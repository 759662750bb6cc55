"""Report of a drill: verdict in words, six figures over time, knee, recovery, latencies by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pendulum

from channels.notice_wording import localize_reason
from domain.drill.measurement import WINDOW_SECONDS, measure_window, steady_seconds
from domain.drill.plan import LOW_IS_GOOD, DrillFigure, DrillPlan
from domain.drill.verdict import DrillOutcome, DrillVerdict, format_drill_figure
from domain.text import N_
from domain.trend import Trend
from engine.drill.comparison import DrillComparison
from engine.drill.record import DrillRecord, DrillStage
from engine.review.blocks import Block, Cell, DocumentSheet, Heading, Paragraph, Picture, TableBlock, Tile, Tiles, Tone
from engine.warning.svg_plot import Plot, PlotBand, PlotLine
from locales import Translator, translator

TITLES = {
    DrillFigure.LATENCY: N_("Latency, 95th percentile (ms)"),
    DrillFigure.ERROR_RATE: N_("Error rate (%)"),
    DrillFigure.THROUGHPUT: N_("Throughput, of what was offered (%)"),
    DrillFigure.AVAILABILITY: N_("Availability (%)"),
    DrillFigure.SATURATION: N_("Saturation: under way, as seconds of what is offered"),
}
COLUMN_HEADS = {
    DrillFigure.LATENCY: N_("latency"), DrillFigure.ERROR_RATE: N_("errors"), DrillFigure.THROUGHPUT: N_("throughput"),
    DrillFigure.AVAILABILITY: N_("availability"), DrillFigure.SATURATION: N_("saturation"),
}  # fmt: skip
_SHARES = frozenset({DrillFigure.ERROR_RATE, DrillFigure.THROUGHPUT, DrillFigure.AVAILABILITY})
_TONES: dict[DrillOutcome, Tone] = {DrillOutcome.PASS: "good", DrillOutcome.FAIL: "bad", DrillOutcome.INVALID: "soft"}


def build_report(
    plan: DrillPlan,
    record: DrillRecord,
    verdict: DrillVerdict,
    language: str,
    zone: str,
    compared: Sequence[DrillComparison] = (),
) -> DocumentSheet:
    """Build the whole report in one language."""
    _ = translator(language)
    began = pendulum.from_timestamp(record.begun).in_timezone(zone)
    blocks = [*_verdict(record, verdict, language, _), *_recovery(record, verdict, _), *_stages(plan, record, _)]
    blocks += [*_plots(plan, record, zone, _), *_compared(compared, _), *_steps(record, _)]
    blocks += _traces(record, _)
    return DocumentSheet(
        language=language, title=plan.title.in_(language), blocks=blocks, badges=(_("DRILL"),),
        subtitle=f"{record.id} · {began.format('YYYY-MM-DD HH:mm z')}",
        foot=_("Open-loop load: latency counts from when a step was due, so a stall is seen."),
    )  # fmt: skip


def _verdict(record: DrillRecord, verdict: DrillVerdict, language: str, _: Translator) -> Iterator[Block]:
    knee, recovery = verdict.knee, verdict.recovery
    highest = max((stage.percent for stage in record.stages if stage.mode == "level"), default=0)
    yield Tiles([
        Tile(_("Verdict"), str(verdict.outcome), tone=_TONES[verdict.outcome]),
        Tile(
            _("Capacity (knee)"), f"{knee.rate:.1f}/s" if knee else f"> {highest} %",
            f"{knee.low:.1f} - {knee.high:.1f}/s, {knee.rate / record.peak:.0%}" if knee else _("never too much"),
        ),
        Tile(_("Measured peak"), f"{record.peak:g}/s", _("journeys a second")),
        Tile(_("Recovery (RTO)"), _rto(verdict), _("from the fault to all figures in band") if recovery else ""),
    ])  # fmt: skip
    if verdict.reasons:
        yield Heading(_("Why"))
        for reason in verdict.reasons:
            yield Paragraph(f"• {localize_reason(reason, language)}", tone="bad")
    else:
        yield Paragraph(_("Every stage was in band, the fault was seen, and the chain recovered in time."), tone="good")


def _rto(verdict: DrillVerdict) -> str:
    if verdict.recovery is None:
        return "-"
    rto = verdict.recovery.rto
    return f"{rto:.1f} s" if rto is not None else f"> {verdict.recovery.horizon:g} s"


def _recovery(record: DrillRecord, verdict: DrillVerdict, _: Translator) -> Iterator[Block]:
    if verdict.recovery is None:
        return
    names = {
        "detect": _("seen by a rule"),
        "acknowledge": _("acknowledged"),
        "mitigate": _("put right"),
        "recover": _("all figures good again"),
    }
    moments = record.moments
    if moments.acknowledged is not None and moments.reverted is not None and moments.acknowledged > moments.reverted:
        names["acknowledge"] = _("acknowledged, after it was put right (no part of the whole)")
    yield Heading(_("Recovery"))
    rows = [
        [names[part], "-" if seconds is None else f"{seconds:.1f} s"]
        for part, seconds in verdict.recovery.parts().items()
    ]
    yield TableBlock([_("Part"), _("Took")], [*rows, [_("together"), _rto(verdict)]], numbers=frozenset({1}))
    yield Paragraph(_called(record, _), tone="soft")
    yield Paragraph(
        _("Rules are evaluated every 10 s; recovery is known to {window} s, the width of its window.").format(
            window=WINDOW_SECONDS
        ),
        tone="soft",
    )


def _called(record: DrillRecord, _: Translator) -> str:
    """Who was called by the warning, and whether they had it; or why nobody was."""
    moments = record.moments
    if moments.called is None:
        why = _(moments.uncalled) if moments.uncalled else _("no rule saw the fault")
        return _("Nobody was called: {why}.").format(why=why)
    if moments.acknowledged is None:
        return _("{warning} was raised, marked DRILL; nobody acknowledged it by the end.").format(
            warning=moments.matter
        )
    return _("{warning} was raised, marked DRILL; {person} acknowledged it {seconds} s after the call.").format(
        warning=moments.matter, person=moments.acknowledged_by, seconds=f"{moments.acknowledged - moments.called:.1f}"
    )


def _stages(plan: DrillPlan, record: DrillRecord, _: Translator) -> Iterator[Block]:
    yield Heading(_("Stages"))
    figures = [figure for figure in DrillFigure if figure in TITLES]
    head = [_("Stage"), _("offered"), _("completed"), *(_(COLUMN_HEADS[figure]) for figure in figures)]
    rows = [_stage(plan, record, stage, figures, _) for stage in record.stages if stage.mode != "fault"]
    yield TableBlock(head, rows, numbers=frozenset(range(1, len(head))))


def _stage(
    plan: DrillPlan, record: DrillRecord, stage: DrillStage, figures: Sequence[DrillFigure], _: Translator
) -> list[str | Cell]:
    part = steady_seconds(record.seconds_of(stage))
    found, count = measure_window(part), max(1, len(part))
    row: list[str | Cell] = [
        Cell(f"{stage.name} · {_('too much')}", "bad") if stage.overloaded else stage.name,
        f"{stage.rate:.1f}/s", f"{sum(one.completed for one in part) / count:.1f}/s",
    ]  # fmt: skip
    for figure in figures:
        value = found[figure].value
        bad = (
            value is not None
            and (value > plan.bands[figure]) is (figure in LOW_IS_GOOD)
            and value != plan.bands[figure]
        )
        judged = stage.mode == "level" and stage.percent <= plan.carry
        row.append("-" if value is None else Cell(format_drill_figure(figure, value), "bad" if bad and judged else ""))
    return row


def _plots(plan: DrillPlan, record: DrillRecord, zone: str, _: Translator) -> Iterator[Block]:
    yield Heading(_("Figures over time"))
    if len(record.seconds) < WINDOW_SECONDS:
        yield Paragraph(_("Nothing was measured."), tone="soft")
        return
    ends = range(WINDOW_SECONDS, len(record.seconds) + 1)
    windows = [measure_window(record.seconds[place - WINDOW_SECONDS : place]) for place in ends]
    at = np.array([round(record.seconds[place - 1].at * 1e6) for place in ends], dtype=np.int64)
    for figure, title in TITLES.items():
        factor = 100 if figure in _SHARES else 1
        values = [window[figure].value for window in windows]
        line = np.array([np.nan if value is None else value * factor for value in values], dtype=np.float64)
        if figure is DrillFigure.THROUGHPUT:  # what is left over from a heavier stage completes in a light one
            line = np.minimum(line, 150.0)
        limit = np.full(2, plan.bands[figure] * factor, dtype=np.float64)
        plot = Plot(
            _(title), _course(record, _), int(at[0]), int(at[-1]),
            [PlotLine(str(figure), at, line, "value"), PlotLine(_("band"), at[[0, -1]], limit, "limit red")],
            ZoneInfo(zone), _bands(record, _),
        )  # fmt: skip
        yield Picture(plot.svg(), _(title))


def _course(record: DrillRecord, _: Translator) -> str:
    return " → ".join(stage.name for stage in record.stages)


def _bands(record: DrillRecord, _: Translator) -> list[PlotBand]:
    found = [
        PlotBand(round(stage.begun * 1e6), round(stage.ended * 1e6), "yellow", stage.name)
        for stage in record.stages
        if stage.overloaded
    ]
    moments = record.moments
    if moments.injected is not None and moments.reverted is not None:
        found.append(PlotBand(round(moments.injected * 1e6), round(moments.reverted * 1e6), "red", _("fault")))
    return found


def _compared(compared: Sequence[DrillComparison], _: Translator) -> Iterator[Block]:
    if not compared:
        return
    yield Heading(_("Beside earlier drills"))
    names = {"latency": _("latency of a step"), "failures": _("failed steps")}
    tones: dict[Trend, Tone] = {Trend.WORSE: "bad", Trend.BETTER: "good"}
    words = {
        Trend.WORSE: _("worse"), Trend.BETTER: _("better"), Trend.SAME: _("same"), Trend.UNKNOWN: _("cannot tell"),
    }  # fmt: skip
    rows: list[list[str | Cell]] = [
        [names[one.figure], one.earlier, f"x {one.change.ratio:.2f}", f"{one.change.low:.2f} - {one.change.high:.2f}",
         Cell(words[one.change.trend], tones.get(one.change.trend, ""))]
        for one in compared
    ]  # fmt: skip
    yield TableBlock([_("Figure"), _("Drill"), _("new to old"), _("99 % interval"), _("Says")], rows, frozenset({2, 3}))


def _steps(record: DrillRecord, _: Translator) -> Iterator[Block]:
    yield Heading(_("Latency by step, milliseconds"))
    head = [_("Stage"), _("Step"), _("count"), "p50", "p95", "p99", "p99.9", _("most"), _("p95 from when it was sent")]
    rows: list[list[str | Cell]] = []
    for stage, total in record.totals.items():
        for step, found in total["latency"].items():
            service = total["service"][step]["p95"]
            numbers = [found["p50"], found["p95"], found["p99"], found["p99.9"], found["max"], service]
            rows.append([stage, step, str(found["count"]), *(f"{number:.1f}" for number in numbers)])
    yield TableBlock(head, rows, numbers=frozenset(range(2, len(head))), empty=_("Nothing was measured."))
    causes = {f"{stage}: {why}": count for stage, total in record.totals.items() for why, count in total["why"].items()}
    if causes:
        yield Heading(_("Failures by cause"))
        most = sorted(causes.items(), key=lambda row: -row[1])[:20]
        yield TableBlock([_("Cause"), _("count")], [[why, str(count)] for why, count in most], numbers=frozenset({1}))


def _traces(record: DrillRecord, _: Translator) -> Iterator[Block]:
    cleaned = record.cleaned
    yield Heading(_("Traces"))
    said = _("{requests} requests, each marked. {made} things made, {gone} proved to be gone.").format(
        requests=record.requests, made=cleaned.made, gone=cleaned.gone
    )
    yield Paragraph(said, tone="bad" if cleaned.left else "")
    if cleaned.doubtful:
        words = _("{count} requests that make something were never answered: look at the target for what they made.")
        yield Paragraph(words.format(count=cleaned.doubtful), tone="bad")
    if cleaned.left:
        yield Paragraph(", ".join(cleaned.left[:20]), tone="bad")
