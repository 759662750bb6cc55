"""Wording of the follow-up: messages by the texts of followup.yaml, and figures for the timeline."""

from __future__ import annotations

from domain.customers.plan import FollowUpPlan
from domain.customers.survey import SurveyResult
from domain.text import N_
from locales import translator

_WHY = {
    "callbacks": N_("customers are to be called by a person"),
    "reopened": N_("a customer says that it is not solved, or complained again"),
}


def timeline_figures(result: SurveyResult, plan: FollowUpPlan) -> dict[str, int | str]:
    """Return a follow-up's figures for the timeline, without naming anybody."""
    return {
        "customers": result.customers, "no_channel": result.no_channel, "asked": result.asked,
        "answered": result.answered, "csat": format_share(result.csat),
        "nps": "-" if result.nps is None else f"{result.nps:.0f}", "unsolved": result.answered - result.solved,
        "second": format_share(result.second_share), "aim": format_share(plan.second_aim),
    }  # fmt: skip


def stage_reason(stage: str) -> str:
    """Return why a stage is begun, in both languages."""
    return " · ".join(translator(language)(_WHY[stage]) for language in ("en", "zh_CN"))


def format_share(value: float | None) -> str:
    """A share as people read it; a dash where there is none."""
    return "-" if value is None else f"{value * 100:.1f} %"


def make_survey_message(plan: FollowUpPlan, purpose: str, language: str, ref: str, link: str) -> tuple[str, str]:
    """Title and body of a survey or its reminder, in the customer's language."""
    title, body = ("title", "body") if purpose == "ask" else ("reminder_title", "reminder_body")

    def filled(name: str) -> str:
        return plan.texts[name].in_(language).replace("{ref}", ref).replace("{link}", link)

    return filled(title), filled(body)
