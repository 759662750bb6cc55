"""The verdict on a drill: PASS, FAIL or INVALID, with every reason in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.drill.measurement import (
    DrillSecond,
    Knee,
    figures_out_of_band,
    find_bottleneck,
    find_knee,
    find_worst_step,
    steady_seconds,
)
from domain.drill.plan import DrillFigure, DrillPlan
from domain.text import N_, Reason


class DrillOutcome(StrEnum):
    """The outcome of a drill."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    INVALID = "INVALID"  # it says nothing: the generator was the bottleneck, or what was measured is lost


@dataclass(frozen=True, slots=True)
class JudgedStage:
    """A stage with its judgement: percent of peak, whether it was overloaded, its seconds."""

    name: str
    percent: int
    rate: float
    seconds: Sequence[DrillSecond]
    overloaded: bool


@dataclass(frozen=True, slots=True)
class FaultRecovery:
    """The times of the fault, seconds since 1970; None: never. `horizon`: the seconds waited for recovery."""

    injected: float
    detected: float | None
    reverted: float | None
    recovered: float | None
    horizon: float
    acknowledged: float | None = None

    @property
    def rto(self) -> float | None:
        """The recovery time: from the fault to all figures in band, seconds. None: longer than the horizon."""
        return self.recovered - self.injected if self.recovered is not None else None

    def parts(self) -> dict[str, float | None]:
        """Split the RTO: seconds to detect, to acknowledge, to mitigate, to settle.

        Nobody called or nobody answered: no second part. An acknowledgement after it was put right is told, and is
        no part of the recovery: from the detection to the repair is then all mitigation.
        """
        seen, taken, mended = self.detected, self.acknowledged, self.reverted
        begun = max(seen or self.injected, self.injected)
        if taken is not None and mended is not None and taken <= mended:
            begun = max(begun, taken)
        return {
            "detect": seen - self.injected if seen is not None else None,
            "acknowledge": taken - (seen or self.injected) if taken is not None else None,
            "mitigate": mended - begun if mended is not None else None,
            "recover": self.recovered - mended if self.recovered is not None and mended is not None else None,
        }


@dataclass(frozen=True, slots=True)
class DrillVerdict:
    """A drill's outcome and its reasons; a PASS has no reasons."""

    outcome: DrillOutcome
    reasons: tuple[Reason, ...]
    knee: Knee | None
    recovery: FaultRecovery | None


def judge_drill(
    plan: DrillPlan,
    stages: Sequence[JudgedStage],
    recovery: FaultRecovery | None,
    *,
    stopped: str = "",
    invalid: str = "",
    left_behind: int = 0,
) -> DrillVerdict:
    """Judge a drill from its stages and its recovery."""
    found = find_knee([(stage.percent, stage.seconds) for stage in stages])
    carried = [stage for stage in stages if not stage.overloaded]
    invalid = invalid or find_bottleneck([second for stage in carried for second in stage.seconds])
    if invalid:
        return DrillVerdict(
            DrillOutcome.INVALID, (Reason(N_("nothing can be said: {why}"), {"why": invalid}),), found, recovery
        )
    reasons = [*_stopped(stopped), *_levels(plan, stages), *_recovery(plan, recovery)]
    if plan.fault is not None and recovery is None and not stopped:
        reasons.append(Reason(N_("the fault was never met"), {}))
    if left_behind:
        reasons.append(
            Reason(N_("{count} things that the drill made are not proved to be gone"), {"count": left_behind})
        )
    return DrillVerdict(DrillOutcome.FAIL if reasons else DrillOutcome.PASS, tuple(reasons), found, recovery)


def _stopped(why: str) -> list[Reason]:
    return [Reason(N_("it was stopped: {why}"), {"why": why})] if why else []


def _levels(plan: DrillPlan, stages: Sequence[JudgedStage]) -> list[Reason]:
    reasons, reached = [], 0
    for stage in stages:
        if stage.percent > plan.carry:
            continue
        reached = max(reached, stage.percent)
        bad = figures_out_of_band(steady_seconds(stage.seconds), plan.bands)
        if bad or stage.overloaded:
            reasons.append(_weak(plan, stage, bad))
            break
    if not reasons and reached < plan.carry:
        values = {"reached": reached, "wanted": plan.carry}
        reasons.append(Reason(N_("it came to {reached} % of peak; {wanted} % must be carried"), values))
    return reasons


def _weak(plan: DrillPlan, stage: JudgedStage, bad: dict[DrillFigure, float]) -> Reason:
    worst = find_worst_step(steady_seconds(stage.seconds))
    step, failed, latency = worst or ("-", 0.0, 0.0)
    shown = ", ".join(
        f"{figure} {format_drill_figure(figure, value)} ({format_drill_figure(figure, plan.bands[figure])})"
        for figure, value in bad.items()
    )
    values: dict[str, str | int] = {
        "percent": stage.percent, "rate": f"{stage.rate:g}", "figures": shown or "throughput", "step": step,
        "failed": f"{failed:.1%}", "latency": f"{latency * 1000:.0f} ms",
    }  # fmt: skip
    if failed > 0.001:  # noqa: PLR2004 - a failure in a thousand is no step's fault
        return Reason(
            N_("from {percent} % of peak ({rate}/s) out of band: {figures}; step {step} fails {failed}"), values
        )
    return Reason(N_("from {percent} % of peak ({rate}/s) out of band: {figures}; step {step} takes {latency}"), values)


def _recovery(plan: DrillPlan, recovery: FaultRecovery | None) -> list[Reason]:
    if recovery is None:
        return []
    reasons, limit = [], plan.bands[DrillFigure.RECOVERY]
    if recovery.detected is None:
        reasons.append(Reason(N_("no rule saw the fault"), {}))
    if recovery.rto is None:
        horizon = f"{recovery.horizon:g}"
        reasons.append(Reason(N_("not recovered: > {horizon} s after the fault was put right"), {"horizon": horizon}))
    elif recovery.rto > limit:
        values = {"rto": f"{recovery.rto:.0f}", "limit": f"{limit:g}"}
        reasons.append(Reason(N_("recovery took {rto} s; at most {limit} s"), values))
    return reasons


def format_drill_figure(figure: DrillFigure, value: float) -> str:
    """Format a figure with its unit."""
    if figure is DrillFigure.LATENCY:
        return f"{value:.0f} ms"
    if figure in (DrillFigure.SATURATION, DrillFigure.RECOVERY):
        return f"{value:.1f} s"
    return f"{value * 100:.1f} %"
