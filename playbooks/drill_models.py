"""The schema of a drill's plan: what each key means, which values it takes, an example of each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from domain.drill.plan import DrillFigure
from playbooks.field_types import Duration, FileForm, Id, LocalizedWords, TimeZone, value_error
from playbooks.rule_amounts import NotAnAmount, parse_amount

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
Name = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=40)]


def _amount(value: object) -> object:
    try:
        parse_amount(value)
    except NotAnAmount as error:
        reason, _, remedy = str(error).partition("; ")
        raise value_error(reason, remedy or "for example 2s, 95%, 0.5") from None
    return str(value)


def _think(value: object) -> object:
    if not isinstance(value, str):
        raise value_error("is no time", "write 500ms, 1s or 1s..3s")
    for part in value.split(".."):
        _amount(part)
    return value


AmountText = Annotated[
    str, BeforeValidator(_amount), WithJsonSchema({"type": ["string", "integer"], "examples": ["2s", "95%", "0.5"]})
]
ThinkTime = Annotated[str, BeforeValidator(_think), WithJsonSchema({"type": "string", "examples": ["500ms", "1s..3s"]})]


class CheckForm(FileForm):
    """What a response must be."""

    status: list[int] = Field(
        [200, 201, 202, 204], min_length=1, description="Statuses that are good.", examples=[[200]]
    )
    contains: str = Field("", max_length=200, description="Words that must be in the body.", examples=["resolved"])
    equals: dict[str, str] = Field(
        {},
        description="Dotted paths of the JSON answer and what must stand there.",
        examples=[{"ticket.state": "open"}],
    )


class RequestForm(FileForm):
    """A request."""

    method: Method = Field("GET", description="GET, POST, PUT, PATCH, DELETE or HEAD.", examples=["POST"])
    url: str = Field(
        min_length=8, max_length=500, description="The whole address; `{name}` stands for an extracted value.",
        examples=["http://127.0.0.1:7790/chats/{chat}"],
    )  # fmt: skip
    headers: dict[str, str] = Field({}, description="Headers beside the mark.", examples=[{"accept-language": "zh-CN"}])
    json_: Any = Field(None, alias="json", description="The body, as JSON.", examples=[{"text": "hello"}])
    timeout: Duration = Field("10s", description="Longer is a failed step.", examples=["5s"])
    check: CheckForm = Field(CheckForm(), description="What the answer must be.", examples=[{"status": [200]}])


class HttpStepForm(RequestForm):
    """One request of a journey."""

    id: Id = Field(description="Its name within the journey.", examples=["open-chat"])
    think: ThinkTime = Field("0s", description="How long the customer waits before it.", examples=["1s..3s"])
    extract: dict[Name, str] = Field(
        {}, description="Names and the dotted paths of the JSON answer that they take.", examples=[{"chat": "id"}]
    )
    writes: bool = Field(
        default=False, description="It changes something at the target: only where that says the mark back.",
        examples=[True],
    )  # fmt: skip
    creates: str = Field(
        "", description="The kind of thing it makes, named by that extracted value.", examples=["chat"]
    )
    repeat_until: CheckForm | None = Field(
        None,
        description="Asked again after each `think` until this holds.",
        examples=[{"equals": {"state": "answered"}}],
    )
    most: int = Field(30, ge=1, le=1_000, description="How often it is asked at most.", examples=[30])


class JourneyForm(FileForm):
    """What one customer does."""

    id: Id = Field(description="Its name.", examples=["ask-agent"])
    weight: int = Field(1, ge=1, le=1_000, description="How often, beside the others.", examples=[3])
    steps: list[HttpStepForm] = Field(
        min_length=1, max_length=50, description="Its requests in order.", examples=["[...]"]
    )


class PeakForm(FileForm):
    """The measured peak."""

    rate: AmountText | None = Field(None, description="Journeys a second.", examples=[12])
    metric: str = Field(
        "", max_length=120, description="Or the metric whose highest hour of the last 28 days says it.",
        examples=["contacts"],
    )  # fmt: skip


class LoadLevelForm(FileForm):
    """One stage of load."""

    percent: int = Field(ge=1, le=1_000, description="Percent of measured peak.", examples=[150])
    hold: Duration = Field(description="For how long.", examples=["5m"])


class GuardForm(FileForm):
    """A guard-rail that stops the drill."""

    figure: Annotated[DrillFigure, Field(strict=False)] = Field(
        description="latency, error_rate, throughput, availability or saturation.", examples=["error_rate"]
    )
    limit: AmountText = Field(description="Beyond this it is dangerous.", examples=["50%"])
    for_: Duration = Field("5s", alias="for", description="For so long on end.", examples=["5s"])


class HookForm(FileForm):
    """A command or request that injects or reverts the fault."""

    command: list[str] = Field([], description="A program with its arguments.", examples=[["systemctl", "stop", "bot"]])
    method: Method = Field("POST", description="Of the request.", examples=["POST"])
    url: str = Field(
        "", max_length=500, description="Or a request to a target.", examples=["http://127.0.0.1:7790/stall"]
    )
    json_: Any = Field(None, alias="json", description="Its body.", examples=[{"on": True}])
    timeout: Duration = Field("10s", description="Longer is a failure.", examples=["10s"])


class ProxyForm(FileForm):
    """The fault proxy: a listener of ours in front of a target."""

    listen: str = Field(description="Where the journeys go.", examples=["127.0.0.1:7791"])
    upstream: str = Field(description="What is behind it.", examples=["127.0.0.1:7790"])
    latency: AmountText | None = Field(None, description="Added to each answer.", examples=["500ms"])
    jitter: AmountText | None = Field(None, description="Up to so much more, drawn.", examples=["200ms"])
    reset: AmountText | None = Field(None, description="Share of connections that are reset.", examples=["10%"])
    black_hole: AmountText | None = Field(None, description="Share of connections that never answer.", examples=["5%"])
    errors: AmountText | None = Field(None, description="Share of requests answered 503.", examples=["20%"])
    bandwidth: int | None = Field(None, ge=1, description="Bytes a second of each connection.", examples=[10_000])
    stall: bool = Field(default=False, description="Nothing passes at all.", examples=[True])


class FaultForm(FileForm):
    """A planned fault."""

    id: Id = Field(description="Its name.", examples=["agents-stall"])
    title: LocalizedWords = Field(description="In a line, for the report.", examples=["The agents' desk stalls"])
    percent: int = Field(100, ge=1, le=1_000, description="Load meanwhile, percent of peak.", examples=[100])
    hold: Duration = Field(description="It is put right after this at the latest.", examples=["2m"])
    horizon: Duration = Field("15m", description="How long recovery is waited for.", examples=["15m"])
    proxy: ProxyForm | None = Field(None, description="By our proxy.", examples=["{listen: ..., upstream: ...}"])
    inject: HookForm | None = Field(None, description="Or by this.", examples=["{url: ...}"])
    revert: HookForm | None = Field(None, description="And this puts it right.", examples=["{url: ...}"])


class CallForm(FileForm):
    """Who is called when a rule detects the fault."""

    reach: Literal["nobody", "sandbox", "owners"] = Field(
        "sandbox",
        description="Whom the rule's playbook calls: only where every channel stays on this machine, or really.",
        examples=["owners"],
    )
    wait: Duration = Field(
        "0s", description="So long after the call an acknowledgement is waited for.", examples=["5m"]
    )


class CapsForm(FileForm):
    """Upper limits of the drill."""

    rate: AmountText = Field("500", description="Journeys a second.", examples=[500])
    requests: int = Field(1_000_000, ge=1, description="Requests in all.", examples=[1_000_000])
    time: Duration = Field("2h", description="From begin to end.", examples=["2h"])
    in_flight: int = Field(5_000, ge=1, le=100_000, description="Journeys under way.", examples=[5_000])


class WindowForm(FileForm):
    """When the drill may run."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        min_length=1, description="Weekdays.", examples=[["sat", "sun"]]
    )
    from_: str = Field(alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="From.", examples=["02:00"])
    to: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$", description="To.", examples=["05:00"])
    timezone: TimeZone = Field("UTC", description="In which zone.", examples=["Asia/Shanghai"])


class BlackoutForm(FileForm):
    """Days on which no drill may run."""

    from_: str = Field(alias="from", pattern=r"^\d{4}-\d\d-\d\d$", description="First day.", examples=["2026-11-09"])
    to: str = Field(pattern=r"^\d{4}-\d\d-\d\d$", description="Last day.", examples=["2026-11-12"])


class BandsForm(FileForm):
    """What each of the six figures must be for a PASS."""

    latency: AmountText = Field(description="95th percentile of a step, at most.", examples=["2s"])
    error_rate: AmountText = Field(description="Share of failed steps, at most.", examples=["2%"])
    throughput: AmountText = Field(description="Journeys completed well, of those offered, at least.", examples=["95%"])
    availability: AmountText = Field(description="Steps answered and not by a 5xx, at least.", examples=["99%"])
    saturation: AmountText = Field(description="Journeys under way, as seconds of the offered rate.", examples=["10s"])
    recovery: AmountText = Field("15m", description="From the fault to all figures in band, at most.", examples=["15m"])


class DrillForm(FileForm):
    """A drill."""

    id: Id = Field(description="Its name.", examples=["full-chain"])
    title: LocalizedWords = Field(description="In a line.", examples=["The whole chain at twice its peak"])
    owner: Id = Field(description="The role that owns it.", examples=["service-quality-manager"])
    tell: list[Id] = Field([], description="Roles that get the report.", examples=[["technology-lead"]])
    targets: list[str] = Field(
        min_length=1,
        max_length=50,
        description="host:port of everything that may be asked.",
        examples=[["127.0.0.1:7790"]],
    )
    peak: PeakForm = Field(description="The measured peak.", examples=[{"rate": 12}])
    levels: list[LoadLevelForm] = Field(min_length=1, max_length=20, description="Stages of load.", examples=["[...]"])
    baseline: Duration = Field(
        "10s", description="At the lowest stage, before and while nothing is wrong.", examples=["1m"]
    )
    journeys: list[JourneyForm] = Field(
        min_length=1, max_length=20, description="What customers do.", examples=["[...]"]
    )
    bands: BandsForm = Field(description="What must hold.", examples=["{latency: 2s, ...}"])
    guards: list[GuardForm] = Field([], description="What stops it.", examples=["[...]"])
    fault: FaultForm | None = Field(None, description="What is broken on purpose.", examples=["{...}"])
    call: CallForm = Field(
        CallForm(), description="Whom a rule that sees the fault calls.", examples=["{reach: owners}"]
    )
    caps: CapsForm = Field(CapsForm(), description="What is never exceeded.", examples=["{rate: 200}"])
    windows: list[WindowForm] = Field([], description="When it may run; none: always.", examples=["[...]"])
    blackout: list[BlackoutForm] = Field([], description="When it may not.", examples=["[...]"])
    echo: str = Field(
        "", max_length=500, description="An address that says the mark back.", examples=["http://127.0.0.1:7790/health"]
    )
    cleanup: dict[Id, RequestForm] = Field({}, description="How what was made is removed, by kind.", examples=["{...}"])
    gone: dict[Id, RequestForm] = Field({}, description="What proves that it is gone, by kind.", examples=["{...}"])
    carry: int = Field(
        200,
        ge=1,
        le=1_000,
        description="Percent of peak that must be in band; more looks for the knee.",
        examples=[200],
    )
    rules: list[str] = Field(
        [],
        max_length=20,
        description="Files of warning rules, beside this one, of which one must see the fault.",
        examples=[["drill-rule.yaml"]],
    )
    seed: int = Field(1, description="Of what is drawn.", examples=[1])
