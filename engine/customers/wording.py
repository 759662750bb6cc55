"""What the follow-up says: to customers by the texts of followup.yaml, to the timeline in figures."""

from __future__ import annotations

from domain.customers.plan import Plan
from domain.customers.survey import Result
from domain.text import N_
from locales import translator

_WHY = {
    "callbacks": N_("customers are to be called by a person"),
    "reopened": N_("a customer says that it is not solved, or complained again"),
}


def figures(result: Result, plan: Plan) -> dict[str, int | str]:
    """What the timeline says of a follow-up: figures, and never whom they are about."""
    return {
        "customers": result.customers, "no_channel": result.no_channel, "asked": result.asked,
        "answered": result.answered, "csat": share(result.csat),
        "nps": "-" if result.nps is None else f"{result.nps:.0f}", "unsolved": result.answered - result.solved,
        "second": share(result.second_share), "aim": share(plan.second_aim),
    }  # fmt: skip


def why(stage: str) -> str:
    """Why a stage is begun, in both languages."""
    return " · ".join(translator(language)(_WHY[stage]) for language in ("en", "zh_CN"))


def share(value: float | None) -> str:
    """A share as people read it; a dash where there is none."""
    return "-" if value is None else f"{value * 100:.1f} %"


def message(plan: Plan, purpose: str, language: str, ref: str, link: str) -> tuple[str, str]:
    """Title and body of a survey or its reminder, in the customer's language."""
    title, body = ("title", "body") if purpose == "ask" else ("reminder_title", "reminder_body")

    def filled(name: str) -> str:
        return plan.texts[name].in_(language).replace("{ref}", ref).replace("{link}", link)

    return filled(title), filled(body)
