"""Drill plan files: read, checked for contradictions, built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from domain.drill.plan import (
    DrillCall,
    DrillFigure,
    DrillPlan,
    DrillWindow,
    FaultHook,
    GuardRail,
    HttpStep,
    Journey,
    LoadCaps,
    LoadLevel,
    MeasuredPeak,
    PlannedFault,
    ResponseCheck,
)
from domain.durations import parse_duration
from domain.text import Text
from playbooks.drill_models import (
    CheckForm,
    DrillForm,
    FaultForm,
    HookForm,
    HttpStepForm,
    ProxyForm,
    RequestForm,
    WindowForm,
)
from playbooks.errors import FileFinding, quote_value
from playbooks.rule_amounts import parse_amount
from playbooks.validation_messages import nearest_word, read_form
from playbooks.yaml_source import YamlSource, read_text

_NAME = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = {  # figure -> the units that its limits are written in
    DrillFigure.LATENCY: ("s",), DrillFigure.SATURATION: ("s",), DrillFigure.RECOVERY: ("s",),
    DrillFigure.ERROR_RATE: ("%", ""), DrillFigure.THROUGHPUT: ("%", ""), DrillFigure.AVAILABILITY: ("%", ""),
}  # fmt: skip


def read_drill_plan(path: Path) -> DrillPlan:
    """Read the plan of a file.

    Raises:
        BadFile: unreadable, broken, or a plan that contradicts itself.
    """
    return parse_drill_plan(read_text(path), str(path))


def parse_drill_plan(text: str, file: str) -> DrillPlan:
    """Parse the plan that `text` describes; BadFile as `read_drill_plan`."""
    return _built(read_form(DrillForm, text, file, _wrong))


# --- what contradicts itself ---


def _wrong(form: DrillForm, found: YamlSource) -> Iterator[FileFinding]:
    for part in (_amounts, _addresses, _journeys, _rest):
        yield from part(form, found)


def _amounts(form: DrillForm, found: YamlSource) -> Iterator[FileFinding]:
    written: list[tuple[tuple[str | int, ...], DrillFigure, str]] = [
        (("bands", name), DrillFigure(name), getattr(form.bands, name)) for name in type(form.bands).model_fields
    ]
    written += [(("guards", place, "limit"), guard.figure, guard.limit) for place, guard in enumerate(form.guards)]
    for path, figure, text in written:
        amount = parse_amount(text)
        share = amount.unit == "%" or (amount.unit == "" and amount.number <= 1)
        if amount.unit not in _UNITS[figure] or (_UNITS[figure] != ("s",) and not share) or amount.number < 0:
            example = "2s" if _UNITS[figure] == ("s",) else "95%"
            yield found.finding(path, f"{quote_value(text)} does not fit {figure}", f"write for example {example}")
    for place, guard in enumerate(form.guards):
        if guard.figure is DrillFigure.RECOVERY:
            at = ("guards", place, "figure")
            yield found.finding(at, "recovery is known only at the end", "guard another figure")


def _addresses(form: DrillForm, found: YamlSource) -> Iterator[FileFinding]:
    for place, target in enumerate(form.targets):
        host, _, port = target.rpartition(":")
        if not host or not port.isdigit():
            yield found.finding(
                ("targets", place), f"{quote_value(target)} is not host:port", "for example 127.0.0.1:7790"
            )
    allowed = {target.lower() for target in form.targets}
    for path, url in _urls(form):
        parts = urlsplit(url)
        usual = {"http": 80, "https": 443}.get(parts.scheme, 0)
        where = parts.netloc.rpartition("@")[2].lower()
        where = where if ":" in where.rpartition("]")[2] else f"{where}:{usual}"
        if not usual or not parts.netloc:
            yield found.finding(path, f"{quote_value(url)} is no http address", "http://host:port/path")
        elif "@" in parts.netloc:
            yield found.finding(path, "carries credentials", "put them in a header")
        elif "{" not in parts.netloc and where not in allowed:
            near = nearest_word(where, allowed)
            remedy = f"did you mean {near}?" if near else f"add {where} to targets, or ask one of them"
            yield found.finding(path, f"{where} is not among the targets", remedy)


def _urls(form: DrillForm) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for place, journey in enumerate(form.journeys):
        for number, step in enumerate(journey.steps):
            yield ("journeys", place, "steps", number, "url"), step.url
    for key, requests in (("cleanup", form.cleanup), ("gone", form.gone)):
        for kind, request in requests.items():
            yield (key, kind, "url"), request.url
    if form.echo:
        yield ("echo",), form.echo
    for name in ("inject", "revert"):
        hook: HookForm | None = getattr(form.fault, name, None)
        if hook and hook.url:
            yield ("fault", name, "url"), hook.url


def _journeys(form: DrillForm, found: YamlSource) -> Iterator[FileFinding]:
    writes = False
    for place, journey in enumerate(form.journeys):
        known = {"drill", "dice"}
        for number, step in enumerate(journey.steps):
            at = ("journeys", place, "steps", number)
            writes |= step.writes
            for name in sorted(_names(step) - known):
                yield found.finding((*at, "url"), f"nothing before extracts {{{name}}}", f"extract: {{{name}: PATH}}")
            known |= set(step.extract)
            if step.creates and step.creates not in step.extract:
                remedy = f"extract: {{{step.creates}: id}}"
                yield found.finding((*at, "creates"), f"the answer gives no {step.creates}", remedy)
            if step.creates and not (step.creates in form.cleanup and step.creates in form.gone):
                remedy = f"say under cleanup and gone how a {step.creates} is removed, and what proves it"
                yield found.finding((*at, "creates"), "would be left behind", remedy)
            if step.creates and not step.writes:
                yield found.finding((*at, "writes"), "it makes something", "writes: true")
    if writes and not form.echo:
        remedy = "echo: an address that answers with the header X-Tocsin-Drill as it came"
        yield found.finding(("echo",), "is missing, and steps write", remedy)


def _names(step: HttpStepForm) -> set[str]:
    texts = [step.url, *step.headers.values(), str(step.json_)]
    return set(_NAME.findall(" ".join(texts)))


def _rest(form: DrillForm, found: YamlSource) -> Iterator[FileFinding]:
    if (form.peak.rate is None) == (not form.peak.metric):
        yield found.finding(("peak",), "needs a rate or a metric", "peak: {rate: 12}, journeys a second")
    fault = form.fault
    if fault and bool(fault.proxy) == bool(fault.inject):
        yield found.finding(
            ("fault",), "needs either proxy or inject", "proxy: {listen: ..., upstream: ..., latency: 2s}"
        )
    if fault and fault.inject and not fault.revert:
        yield found.finding(("fault", "revert"), "is missing", "whatever is broken is put right: say how")
    for name in ("inject", "revert"):
        hook: HookForm | None = getattr(fault, name, None)
        if hook and bool(hook.command) == bool(hook.url):
            yield found.finding(("fault", name), "needs a command or a url", "url: http://host:port/stall")


# --- building ---


def _built(form: DrillForm) -> DrillPlan:
    return DrillPlan(
        id=form.id,
        title=Text(form.title.en, form.title.zh),
        owner=form.owner,
        tell=tuple(form.tell),
        targets=tuple(form.targets),
        baseline=parse_duration(form.baseline),
        seed=form.seed,
        carry=form.carry,
        echo=form.echo,
        peak=MeasuredPeak(parse_amount(form.peak.rate).number if form.peak.rate else 0.0, form.peak.metric),
        levels=tuple(LoadLevel(level.percent, parse_duration(level.hold)) for level in form.levels),
        journeys=tuple(
            Journey(journey.id, tuple(_step(step) for step in journey.steps), journey.weight)
            for journey in form.journeys
        ),
        bands={
            DrillFigure(name): _limit(DrillFigure(name), getattr(form.bands, name))
            for name in type(form.bands).model_fields
        },
        guards=tuple(
            GuardRail(
                guard.figure, _limit(guard.figure, guard.limit), max(1, int(parse_duration(guard.for_).total_seconds()))
            )
            for guard in form.guards
        ),
        fault=_fault(form.fault) if form.fault else None,
        call=DrillCall(form.call.reach, parse_duration(form.call.wait)),
        caps=LoadCaps(
            parse_amount(form.caps.rate).number, form.caps.requests, parse_duration(form.caps.time), form.caps.in_flight
        ),
        windows=tuple(_window(window) for window in form.windows),
        blackout=tuple((one.from_, one.to) for one in form.blackout),
        cleanup={kind: _request(kind, request) for kind, request in form.cleanup.items()},
        gone={kind: _request(kind, request) for kind, request in form.gone.items()},
        rules=tuple(form.rules),
    )


def _limit(figure: DrillFigure, text: str) -> float:
    """In the figure's own unit: milliseconds of latency, seconds, or a fraction."""
    amount = parse_amount(text)
    if figure is DrillFigure.LATENCY:
        return amount.number * 1000
    return amount.number / 100 if amount.unit == "%" else amount.number


def _check(form: CheckForm) -> ResponseCheck:
    return ResponseCheck(tuple(form.status), form.contains, dict(form.equals))


def _request(name: str, form: RequestForm) -> HttpStep:
    return HttpStep(
        id=name, method=form.method, url=form.url, headers=dict(form.headers), json=form.json_,
        timeout=parse_duration(form.timeout), check=_check(form.check),
    )  # fmt: skip


def _step(form: HttpStepForm) -> HttpStep:
    least, _, longest = form.think.partition("..")
    think = (timedelta(seconds=parse_amount(least).number), timedelta(seconds=parse_amount(longest or least).number))
    return HttpStep(
        id=form.id, method=form.method, url=form.url, headers=dict(form.headers), json=form.json_, think=think,
        timeout=parse_duration(form.timeout), check=_check(form.check), extract=dict(form.extract), writes=form.writes,
        creates=form.creates, repeat_until=_check(form.repeat_until) if form.repeat_until else None,
        most=form.most if form.repeat_until else 1,
    )  # fmt: skip


def _hook(form: HookForm) -> FaultHook:
    return FaultHook(tuple(form.command), form.method, form.url, form.json_, parse_duration(form.timeout))


def _fault(form: FaultForm) -> PlannedFault:
    return PlannedFault(
        id=form.id, title=Text(form.title.en, form.title.zh), percent=form.percent, hold=parse_duration(form.hold),
        horizon=parse_duration(form.horizon), proxy=_toxics(form.proxy) if form.proxy else {},
        upstream=form.proxy.upstream if form.proxy else "", listen=form.proxy.listen if form.proxy else "",
        inject=_hook(form.inject) if form.inject else None, revert=_hook(form.revert) if form.revert else None,
    )  # fmt: skip


def _toxics(form: ProxyForm) -> dict[str, float]:
    """Fault settings by name: seconds, shares, bytes a second; a stall is 1."""
    found: dict[str, float] = {"stall": 1.0} if form.stall else {}
    for name in ("latency", "jitter", "reset", "black_hole", "errors"):
        text = getattr(form, name)
        if text is not None:
            amount = parse_amount(text)
            found[name] = amount.number / 100 if amount.unit == "%" else amount.number
    if form.bandwidth:
        found["bandwidth"] = float(form.bandwidth)
    return found


def _window(form: WindowForm) -> DrillWindow:
    begins, ends = (int(text[:2]) * 60 + int(text[3:]) for text in (form.from_, form.to))
    return DrillWindow(frozenset(_DAYS.index(day) for day in form.days), begins, ends, form.timezone)
