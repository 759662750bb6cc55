"""Retrospective as a document, with its questions. Blameless: roles, and what the process let happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pendulum import DateTime

from domain.facts import FactKind
from domain.text import N_
from domain.trend import Trend
from domain.warning.metrics import Metric
from engine.review import formatting
from engine.review.blocks import (
    Block,
    Cell,
    DocumentSheet,
    FillInSection,
    Heading,
    Paragraph,
    Picture,
    TableBlock,
    Tile,
    Tiles,
    Tone,
)
from engine.review.formatting import format_figure, format_percent, format_seconds
from engine.review.plots import MarkedSpan, PlotSeries, draw_plot
from locales import Translator, translator

Data = Mapping[str, Any]
Metrics = Mapping[str, Metric]
K = FactKind
_SAYS = {
    K.DECLARED: N_("The incident was declared"),
    K.ATTACHED: N_("Playbook {playbook} attached"),
    K.MITIGATED: N_("Service was back, or harm stopped"),
    K.CLOSED: N_("Closed. {reason}"),
    K.REOPENED: N_("Reopened. {reason}"),
    K.JOINED: N_("A related warning joined: {rule}"),
    K.WORSENED: N_("It got worse: {rule}"),
    K.EASED: N_("It got less bad: {rule}"),
    K.RECOVERED: N_("The figures were good again: {rule}"),
    K.UPDATE_OVERDUE: N_("Nothing public for too long: a reminder went out"),
    K.ACKNOWLEDGED: N_("Acknowledged: {step}"),
    K.ESCALATED: N_("No answer in time, the next one was called: {step}"),
    K.MISSED: N_("Deadline passed: {step}"),
    K.DONE: N_("Done: {step}"),
    K.ABANDONED: N_("Given up: {step}"),
    K.APPROVED: N_("Text approved: {step}"),
    K.REJECTED: N_("Text sent back: {step}"),
    K.VOIDED: N_("Approval void after an edit: {step}"),
    K.PUBLISHED: N_("Public on {channel}"),
    K.IN_DOUBT: N_("Not certain whether it was public on {channel}"),
    K.PUBLISH_FAILED: N_("Could not be published on {channel}"),
    K.WITHOUT_PREFECT: N_("A turn went without Prefect"),
    K.NOTICE_DEAD: N_("A message could not be delivered"),
    K.NOTED: N_("Note: {text}"),
}
_QUESTIONS = (
    ("cause", N_("Cause: what made it happen, and what let it become serious?")),
    ("well", N_("What went well?")),
    ("badly", N_("What went badly: where did the process let people down?")),
    ("luck", N_("Where were we lucky?")),
)
_VERDICTS = {
    Trend.BETTER: N_("better"),
    Trend.SAME: N_("the same"),
    Trend.WORSE: N_("worse"),
    Trend.UNKNOWN: N_("cannot tell"),
}
_OUTCOMES = {"met": N_("in time"), "missed": N_("too late"), "open": N_("still open"), "none": "–"}
_RECOVERIES = {"met": N_("met"), "missed": N_("missed"), "open": N_("still down")}


def make_sheet(data: Data, metrics: Metrics, now: DateTime, language: str) -> DocumentSheet:
    """Make the whole document in a language."""
    _ = translator(language)
    zone = data["zone"]
    parts = (_glance(data, _), _course(data, zone, _), _called(data, zone, _), _customers(data, _),
             _effects(data, metrics, zone, _), _people(data, _))  # fmt: skip
    badges = [_("DRILL")] if data["drill"] else []
    if not data["closed_at"]:
        badges.append(_("as far as it is"))
    made = now.in_timezone(zone).format("YYYY-MM-DD HH:mm")
    return DocumentSheet(
        language, _("Retrospective {ref}").format(ref=data["ref"]), data["title"],
        [block for part in parts for block in part],
        _("Made by Tocsin at {made} from the facts on record; times in {zone}. People appear by their roles: a "
          "retrospective looks for what the process lets happen, not for who did it.").format(made=made, zone=zone),
        badges,
    )  # fmt: skip


def _glance(data: Data, _: Translator) -> Iterator[Block]:
    deadlines, answers = data["deadlines"], data["acknowledged"]
    tiles = [
        Tile(_("Lasted"), _between(data["declared_at"], data["mitigated_at"] or data["closed_at"], _),
             _("until service was back, or it was closed")),
        Tile(_("First public word after"), _between(data["declared_at"], data["first_word_at"], _)),
        Tile(_("Deadlines"), f"{deadlines['met']} / {deadlines['met'] + deadlines['missed']}", _("met"),
             "bad" if deadlines["missed"] else "good"),
        Tile(_("Acknowledged in time"), f"{answers['met']} / {answers['met'] + answers['missed']}", "",
             "bad" if answers["missed"] else "good"),
    ]  # fmt: skip
    for outcome in data["recovery"]:
        if outcome in _RECOVERIES:
            tone: Tone = {"met": "good", "missed": "bad"}.get(outcome, "")  # type: ignore[assignment]
            ours = _RECOVERIES[outcome]
            tiles.append(Tile(_("Recovery time objective (RTO)"), _(ours), "", tone))
    yield Tiles(tiles)
    impact = data["impact"]
    if any(impact.values()):
        yield Paragraph(_("Impact: {customers} customers, {orders} orders, {money} {currency}.").format(
            currency=data["currency"], **{name: impact[name] for name in ("customers", "orders", "money")}
        ))  # fmt: skip


def _between(start: str, end: str | None, _: Translator) -> str:
    if end is None:
        return "–"
    return format_seconds((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), _)


def _course(data: Data, zone: str, _: Translator) -> Iterator[Block]:
    yield Heading(_("What happened"))
    rows = [
        (formatting.format_local_time(one["at"], zone, "%m-%d %H:%M:%S"), _told(one, _)) for one in data["timeline"]
    ]
    yield TableBlock((_("Time"), _("What")), rows, steady=frozenset({0}))


def _told(one: Data, _: Translator) -> str:
    values = dict.fromkeys(("reason", "step", "rule", "channel", "playbook", "text"), "") | dict(one["data"])
    if one["step"]:
        values["step"] = formatting.pick_language(one["step"], _.language)
    words = _(_SAYS.get(FactKind(one["kind"])) or str(one["kind"])).format_map(values).strip()
    late = one["data"].get("late_seconds")
    return words + " · " + _("late by {span}").format(span=format_seconds(late, _)) if late else words


def _called(data: Data, zone: str, _: Translator) -> Iterator[Block]:
    yield Heading(_("Who was called, and the clocks"))
    rows = []
    for one in data["steps"]:
        answer = "–" if one["answer_seconds"] is None else format_seconds(one["answer_seconds"], _)
        outcome = _OUTCOMES[one["deadline"]]
        deadline = _(outcome)
        if one["late_seconds"]:
            deadline += f" (+{format_seconds(one['late_seconds'], _)})"
        rows.append(
            (
                formatting.pick_language(one["title"], _.language),
                one["role"],
                formatting.format_local_time(one["opened_at"], zone, "%m-%d %H:%M"),
                Cell(answer, _tone(one["acknowledged"])),
                str(one["level"]),
                Cell(deadline, _tone(one["deadline"])),
            )
        )
    head = (_("Step"), _("Role"), _("Called"), _("Answered after"), _("Ladder climbed"), _("Deadline"))
    yield TableBlock(head, rows, frozenset({3, 4}), _("Nobody was called."), steady=frozenset({2}))


def _tone(outcome: str) -> Tone:
    return "bad" if outcome == "missed" else "good" if outcome == "met" else "soft"


def _customers(data: Data, _: Translator) -> Iterator[Block]:
    found = data["customers"]
    yield Heading(_("What customers said"))
    if not found["customers"]:
        yield Paragraph(_("No affected customers were taken in."), "soft")
        return
    yield Tiles(
        [
            Tile(_("Affected customers"), f"{found['customers']:,}"),
            Tile(
                _("Answered"),
                format_percent(found["response_share"], _),
                _("{answered} of {asked} asked").format(**found),
            ),
            Tile(_("Satisfied (4 and 5 of 5)"), format_percent(found["csat"], _)),
            Tile(_("Solved"), f"{found['solved']} / {found['answered']}"),
            Tile(_("Second complaints"), str(found["second_complaints"]), format_percent(found["second_share"], _)),
        ]
    )


def _effects(data: Data, metrics: Metrics, zone: str, _: Translator) -> Iterator[Block]:
    found = data["effects"]
    yield Heading(_("Effects, before and after"))
    yield Paragraph(_("Day {day} of {days}. Four weeks before are held against the days since.").format(
        day=found["days_after"], days=found["of_days"]))  # fmt: skip
    rows = []
    for one in found["figures"]:
        metric = metrics.get(one["metric"])
        verdict = Trend(one["verdict"])
        tone: Tone = "good" if verdict is Trend.BETTER else "bad" if verdict is Trend.WORSE else "soft"
        rows.append(
            (
                f"{formatting.pick_language(one['title'], _.language)} {one['service']}".strip(),
                _known(one["before"], metric, _),
                _known(one["during"], metric, _),
                _known(one["after"], metric, _),
                _difference(one, metric, _),
                Cell(_(_VERDICTS[verdict]), tone),
            )
        )
    head = (_("Figure"), _("Before"), _("During"), _("Afterwards"), _("Difference, 95 % interval"), _("Trend"))
    yield TableBlock(head, rows, frozenset({1, 2, 3, 4}), _("No figure is traced."))
    for one in found["figures"]:
        if one["by_day"]:
            yield _plot(data, one, metrics.get(one["metric"]), zone, _)
    yield Paragraph(_(
        "Before and after are medians of days. Better or worse: the interval of their difference (bootstrap) lies on "
        "one side of zero. The same: it lies within a tenth of the value before. Otherwise, or with fewer than five "
        "days on a side, the figures cannot tell."
    ), "soft")  # fmt: skip


def _known(value: float | None, metric: Metric | None, _: Translator) -> str:
    return "–" if value is None else format_figure(value, metric, _)


def _difference(one: Data, metric: Metric | None, _: Translator) -> str:
    if one["low"] is None or one["high"] is None:
        return "–"
    share = metric is not None and formatting.is_share(metric)
    low, high = (value * (100 if share else 1) for value in (one["low"], one["high"]))
    unit = _("points") if share else metric.unit if metric and metric.unit == "s" else ""
    return f"{formatting.format_signed(low, '.3g')} … {formatting.format_signed(high, '.3g')} {unit}".strip()


def _plot(data: Data, one: Data, metric: Metric | None, zone: str, _: Translator) -> Picture:
    share = metric is not None and formatting.is_share(metric)
    title = formatting.pick_language(one["title"], _.language)
    unit = "%" if share else metric.unit if metric and metric.unit == "s" else ""
    subtitle = _("By the day; the incident is marked")
    if unit:
        subtitle = _("By the day, {unit}; the incident is marked").format(unit=unit)
    began = datetime.fromisoformat(data["declared_at"])
    ended = datetime.fromisoformat(data["closed_at"]) if data["closed_at"] else began + timedelta(hours=1)
    days = data["effects"]["days"]
    course = PlotSeries("", one["by_day"], 100.0 if share else 1.0)
    svg = draw_plot(
        title, subtitle, [course], (days[0], days[1]), zone, stretches=[MarkedSpan(began, ended, data["ref"])]
    )
    return Picture(svg, f"{title}. {subtitle}")


def _people(data: Data, _: Translator) -> Iterator[Block]:
    yield Heading(_("For people"))
    for name, question in _QUESTIONS:
        yield FillInSection(_(question), data["words"].get(name, ""))
    yield Heading(_("Actions"))
    rows = [(one["ref"], one["title"], _state(one["status"], _)) for one in data["actions"]]
    empty = _("No action is on record yet: `tocsin retrospective {ref} --action ... --owner ROLE --due 14d`").format(
        ref=data["ref"]
    )
    yield TableBlock((_("Reference"), _("What"), _("State")), rows, frozenset(), empty)


def _state(name: str, _: Translator) -> str:
    known = {"open": _("open"), "mitigated": _("open"), "closed": _("done"), "completed": _("done")}
    return known.get(name, name)
