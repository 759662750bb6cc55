"""Monthly service report as a document of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from domain.text import N_
from domain.warning.metrics import Metric
from engine.review import formatting
from engine.review.blocks import (
    Block,
    Cell,
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
from engine.review.formatting import format_figure, format_money, format_percent, format_seconds
from engine.review.plots import PlotSeries, draw_plot
from locales import Translator, translator

Metrics = Mapping[str, Metric]
_CLOCK_TITLES = {
    "acknowledge": N_("Acknowledged in time"),
    "rto": N_("Recovery time objective (RTO)"),
    "steps": N_("All deadlines of steps"),
}
_INPUTS = (
    ("labour_cost_per_hour", N_("Labour cost of an hour")),
    ("hours_saved_per_case", N_("Hours saved in a case")),
    ("lifetime_value", N_("Lifetime value of a customer")),
    ("customers_kept", N_("Customers kept")),
    ("investment", N_("Investment of the month")),
)
_MONEY = frozenset({"labour_cost_per_hour", "lifetime_value", "investment"})


def monthly_blocks(data: Mapping[str, Any], metrics: Metrics, zone: str, language: str) -> list[Block]:
    """Return the report's sections."""
    _ = translator(language)
    parts = (
        _glance(data, metrics, _), _matters(data, zone, _), _clocks(data, _), _follow_up(data, _), _levels(data, _),
        _figures(data, metrics, _), _plots(data, metrics, zone, _), _learned(data, _), _drills(data, _),
        _value(data, _),
    )  # fmt: skip
    return [block for part in parts for block in part]


def _glance(data: Mapping[str, Any], metrics: Metrics, _: Translator) -> Iterator[Block]:
    clocks = {one["id"]: one for one in data["clocks"]}
    known = {one["metric"]: one for one in data["figures"]}
    steps, back = clocks["steps"], data["value"]["returned"]
    tiles = [
        Tile(
            _("Incidents"),
            str(len(data["incidents"])),
            _("{count} critical").format(count=sum(one["severity"] == "critical" for one in data["incidents"])),
        ),
        Tile(_("Warnings"), str(data["warnings"]["count"]), _("{red} red, {yellow} yellow").format(**data["warnings"])),
        Tile(_("Deadlines met"), format_percent(steps["share"], _), _("{met} met, {missed} missed").format(**steps)),
        Tile(
            _("Time to acknowledge"),
            format_seconds(data["acknowledge"]["mean"], _),
            _("mean of {count} calls").format(count=data["acknowledge"]["count"]),
        ),
    ]
    for name in ("csat", "complaint_rate", "contacts"):
        one = known[name]
        aim = _("aim {value}").format(value=format_figure(one["aim"], metrics.get(name), _)) if one["aim"] else ""
        tone = formatting.tone_against_aim(one["value"], one["aim"], one["better"])
        tiles.append(
            Tile(
                formatting.pick_language(one["title"], _.language),
                format_figure(one["value"], metrics.get(name), _),
                aim,
                tone,
            )
        )
    tiles.append(Tile(_("Return on investment"), format_percent(back, _, _("not stated"))))
    yield Tiles(tiles)


def _matters(data: Mapping[str, Any], zone: str, _: Translator) -> Iterator[Block]:
    yield Heading(_("Incidents and warnings"))
    head = (
        _("Reference"), _("What"), _("Severity"), _("Began"), _("First public word after"), _("Back after"),
        _("Deadlines missed"),
    )  # fmt: skip
    rows = [
        (
            one["ref"], one["title"], _severity(one["severity"], _),
            formatting.format_local_time(one["declared_at"], zone, "%m-%d %H:%M"),
            _after(one["first_word_seconds"], _), _after(one["recovered_seconds"], _),
            Cell(str(one["missed"]), "bad" if one["missed"] else ""),
        )
        for one in data["incidents"]
    ]  # fmt: skip
    yield TableBlock(head, rows, frozenset({6}), _("There was no incident."), steady=frozenset({0, 3}))
    found = [
        (formatting.pick_language(one["title"], _.language), str(one["count"])) for one in data["warnings"]["by_rule"]
    ]
    yield TableBlock((_("Warning"), _("How often")), found, frozenset({1}), _("There was no warning."))


def _after(count: float | None, _: Translator) -> str:
    return "–" if count is None else format_seconds(count, _)


def _severity(name: str, _: Translator) -> str:
    known = {"critical": _("critical"), "major": _("major"), "minor": _("minor")}
    return known.get(name, name)


def _clocks(data: Mapping[str, Any], _: Translator) -> Iterator[Block]:
    yield Heading(_("Clocks met and missed"))
    bars = []
    for one in data["clocks"]:
        ours = _CLOCK_TITLES.get(one["id"], "")
        name = _(ours) if ours else formatting.pick_language(one["title"], _.language)
        over = one["met"] + one["missed"]
        text = f"{one['met']} / {over} · {format_percent(one['share'], _)}" if over else _("none ran out")
        tone: Tone = "" if one["share"] is None else "good" if one["share"] == 1 else "bad"
        bars.append(ShareBar(name, one["share"], text, tone=tone))
    yield ShareBars(bars)
    head = (_("How quickly"), _("Count"), _("Mean"), _("Median"))
    lines = ((N_("Acknowledged after the first call"), "acknowledge"), (N_("First public word"), "first_word"),
             (N_("Service back"), "recovery"))  # fmt: skip
    rows = [
        (_(name), str(data[key]["count"]), format_seconds(data[key]["mean"], _), format_seconds(data[key]["median"], _))
        for name, key in lines
    ]
    yield TableBlock(head, rows, frozenset({1, 2, 3}))


def _follow_up(data: Mapping[str, Any], _: Translator) -> Iterator[Block]:
    found = data["follow_up"]
    yield Heading(_("72-hour follow-up"))
    if not found["customers"]:
        yield Paragraph(_("No customers of an incident closed in this time are on record."), "soft")
        return
    second = formatting.tone_against_aim(found["second_share"], found["aim"], "down")
    of = _("{count} of {customers}, aim below {aim}").format(
        count=found["second_complaints"], customers=found["customers"], aim=format_percent(found["aim"], _)
    )
    yield Tiles(
        [
            Tile(
                _("Affected customers"),
                f"{found['customers']:,}",
                _("of {count} incidents").format(count=found["incidents"]),
            ),
            Tile(
                _("Answered"),
                format_percent(found["response_share"], _),
                _("{answered} of {asked} asked").format(**found),
            ),
            Tile(_("Satisfied (4 and 5 of 5)"), format_percent(found["csat"], _)),
            Tile(
                _("Net promoter score (NPS)"), "–" if found["nps"] is None else formatting.format_signed(found["nps"])
            ),
            Tile(_("Second complaints"), format_percent(found["second_share"], _), of, second),
        ]
    )


def _levels(data: Mapping[str, Any], _: Translator) -> Iterator[Block]:
    yield Heading(_("Three levels of handling"))
    yield ShareBars([make_level_bar(one, _) for one in data["levels"]])


def make_level_bar(one: Mapping[str, Any], _: Translator) -> ShareBar:
    """Make the bar of a level of handling against its objective."""
    title = f"{one['level']} · {formatting.pick_language(one['title'], _.language)}"
    parts = [format_percent(one["share"], _)]
    if one["objective"] is not None and one["within_seconds"] is not None:
        aim = format_percent(one["objective"], _)
        parts.append(_("aim {share} within {time}").format(share=aim, time=format_seconds(one["within_seconds"], _)))
    else:
        parts.append(_("no objective stated"))
    if one["contacts"] is not None:
        parts.append(_("{count} contacts").format(count=f"{one['contacts']:,.0f}"))
    tone: Tone = "" if one["met"] is None else "good" if one["met"] else "bad"
    return ShareBar(title, one["share"], " · ".join(parts), one["objective"], tone)


def _figures(data: Mapping[str, Any], metrics: Metrics, _: Translator) -> Iterator[Block]:
    yield Heading(_("Service figures"))
    yield make_figures_table(data["figures"], metrics, _, _("Month before"))


def make_figures_table(found: list[Mapping[str, Any]], metrics: Metrics, _: Translator, earlier: str) -> TableBlock:
    """Make a table of figures against the period before and against their aims."""
    head = (_("Figure"), _("Value"), earlier, _("Change"), _("Aim"), _("Days with figures"))
    rows = []
    for one in found:
        metric = metrics.get(one["metric"])
        tone = formatting.tone_against_aim(one["value"], one["aim"], one["better"])
        rows.append((
            formatting.pick_language(one["title"], _.language), Cell(format_figure(one["value"], metric, _), tone),
            format_figure(one["before"], metric, _), formatting.format_change(one["value"], one["before"], _),
            format_figure(one["aim"], metric, _) if one["aim"] is not None else "–", str(one["days"]),
        ))  # fmt: skip
    return TableBlock(head, rows, frozenset({1, 2, 3, 4, 5}))


def _plots(data: Mapping[str, Any], metrics: Metrics, zone: str, _: Translator) -> Iterator[Block]:
    first, last = data["days"]
    for name, by_day in data["plots"].items():
        if not by_day:
            continue
        metric = metrics.get(name)
        title = formatting.metric_title(metric, name, _)
        share = metric is not None and formatting.is_share(metric)
        unit = "%" if share else metric.unit if metric and metric.unit == "s" else ""
        course = PlotSeries("", by_day, 100.0 if share else 1.0)
        subtitle = _("By the day, {unit}").format(unit=unit) if unit else _("By the day")
        aim = next((one["aim"] for one in data["figures"] if one["metric"] == name), None)
        limit = None if aim is None else (_("Aim"), aim * (100.0 if share else 1.0))
        yield Picture(draw_plot(title, subtitle, [course], (first, last), zone, aim=limit), f"{title}. {subtitle}")


def _learned(data: Mapping[str, Any], _: Translator) -> Iterator[Block]:
    yield Heading(_("What recurs, and what became of complaints"))
    rows = [
        (f"{one['kind']} {one['service']}".strip(), Cell(str(one["count"]), "bad"), ", ".join(one["refs"]))
        for one in data["recurrences"]
    ]
    head = (_("Kind of incident"), _("Within 90 days"), _("References"))
    yield TableBlock(head, rows, frozenset({1}), _("No kind of incident came three times within 90 days."))
    found = data["improvements"]
    if found["share"] is None:
        yield Paragraph(_("No complaint of a follow-up was heard in this time."), "soft")
    else:
        tone: Tone = "good" if found["share"] >= found["aim"] else "bad"
        text = f"{found['improved']} / {found['complaints']} · {format_percent(found['share'], _)}"
        yield ShareBars(
            [ShareBar(_("Complaints that became a recorded improvement"), found["share"], text, found["aim"], tone)]
        )


def _drills(data: Mapping[str, Any], _: Translator) -> Iterator[Block]:
    yield Heading(_("Drills"))
    rows = [_drill(one, _) for one in data["drills"]]
    head = (_("Reference"), _("What"), _("Kind"), _("Result"))
    yield TableBlock(head, rows, frozenset(), _("No drill is on record in this time."))


def _drill(one: Mapping[str, Any], _: Translator) -> tuple[str | Cell, ...]:
    if one["what"] == "rehearsal":
        late = _("{count} deadlines missed").format(count=one["missed"])
        return one["ref"], one["title"], _("exercise"), Cell(late, "bad" if one["missed"] else "")
    if one["what"] == "action":
        return one["ref"], one["title"], _("action of a failed drill"), one["status"]
    verdict = str(one["verdict"])
    back = "" if one["rto_seconds"] is None else " · RTO " + format_seconds(one["rto_seconds"], _)
    cell = Cell(f"{verdict}{back}", "good" if verdict == "PASS" else "bad")
    return one["ref"], formatting.pick_language(one["title"], _.language), _("load drill"), cell


def _value(data: Mapping[str, Any], _: Translator) -> Iterator[Block]:
    found, currency = data["value"], data["currency"]
    yield Heading(_("Saving and return on investment"))
    yield Paragraph(
        _("Saving = labour cost saved + lifetime value gained. Return = (saving − investment) / investment.")
    )
    stated = _("reviews.yaml")
    rows: list[tuple[str | Cell, ...]] = []
    for name, title in _INPUTS:
        value = found["inputs"][name]
        shown = format_money(value, currency, _) if name in _MONEY else formatting.format_number(value, _)
        rows.append((_(title), Cell(shown, "" if value is not None else "soft"), stated if value is not None else "–"))
    source = (
        stated
        if not found["cases_measured"]
        else _("measured: {contacts} contacts × {share} self-service").format(
            contacts=f"{found['contacts']:,.0f}", share=format_percent(found["self_service"], _)
        )
    )
    cases = found["cases"]
    rows.insert(
        2,
        (
            _("Cases that needed no agent"),
            Cell(formatting.format_number(cases, _), "" if cases is not None else "soft"),
            source if cases is not None else "–",
        ),
    )
    yield TableBlock((_("Input"), _("Value"), _("From")), rows, frozenset({1}))
    results = [
        (_("Labour cost saved"), format_money(found["labour"], currency, _), _("cases × hours × cost of an hour")),
        (
            _("Lifetime value gained"),
            format_money(found["lifetime"], currency, _),
            _("customers kept × lifetime value"),
        ),
        (_("Saving"), format_money(found["saving"], currency, _), _("both together")),
        (_("Return on investment"), format_percent(found["returned"], _, _("not stated")), ""),
    ]
    yield TableBlock((_("Result"), _("Value"), _("How")), results, frozenset({1}))
