"""The customer survey: valid answers, the answers that need a callback, and the totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.text import N_, find_unprintable

LOWEST, HIGHEST = 1, 5
SATISFIED = 4  # 4 and 5 of 5
NPS_HIGHEST = 10
PROMOTER, PASSIVE = 9, 7  # 9 and 10 promote, 7 and 8 are passive, the rest detract (Reichheld, HBR 12/2003)
LONGEST_SUGGESTION = 2_000


class CallbackReason(StrEnum):
    """Why a person calls a customer back."""

    NO_CHANNEL = "no-channel"  # there is no way to send them anything
    UNREACHED = "unreached"  # what was sent did not get through
    HIGH_VALUE = "high-value"
    UNHAPPY = "unhappy"
    NOT_SOLVED = "not-solved"
    AGAIN = "complained-again"


REOPENING_REASONS = frozenset(
    {CallbackReason.NOT_SOLVED, CallbackReason.AGAIN}
)  # the matter is open again, for its owner
# The weightier reason stays when another one comes.
REASON_WEIGHTS: Mapping[str, int] = {
    reason: weight
    for weight, reason in enumerate(
        (
            "",
            CallbackReason.NO_CHANNEL,
            CallbackReason.UNREACHED,
            CallbackReason.HIGH_VALUE,
            CallbackReason.UNHAPPY,
            CallbackReason.NOT_SOLVED,
            CallbackReason.AGAIN,
        )
    )
}


class BadSurveyAnswer(ValueError):
    """An answer is refused; a template of the catalogues that says what would be right."""


@dataclass(frozen=True, slots=True)
class SurveyAnswer:
    """A customer's answers to the survey."""

    csat: int
    solved: bool
    nps: int | None = None
    suggestion: str = ""

    @property
    def satisfied(self) -> bool:
        """Whether the rating is 4 or 5 of 5."""
        return self.csat >= SATISFIED


def parse_answer(fields: Mapping[str, str]) -> SurveyAnswer:
    """Parse the fields of a survey form.

    Raises:
        BadAnswer: something is missing, or no number of its scale.
    """
    csat = _number(fields.get("csat", ""), LOWEST, HIGHEST)
    if csat is None:
        raise BadSurveyAnswer(N_("Please choose how satisfied you are, from 1 to 5."))
    solved = fields.get("solved", "")
    if solved not in ("yes", "no"):
        raise BadSurveyAnswer(N_("Please say whether it is solved: yes or no."))
    said = fields.get("nps", "").strip()
    nps = _number(said, 0, NPS_HIGHEST)
    if said and nps is None:
        raise BadSurveyAnswer(N_("Please choose a number from 0 to 10, or leave it out."))
    suggestion = fields.get("suggestion", "").replace("\r\n", "\n").strip()
    if len(suggestion) > LONGEST_SUGGESTION:
        raise BadSurveyAnswer(N_("Your suggestion is longer than 2,000 characters: please shorten it."))
    if find_unprintable(suggestion):
        suggestion = "".join(c for c in suggestion if not find_unprintable(c))
    return SurveyAnswer(csat, solved == "yes", nps, suggestion)


def _number(text: str, lowest: int, highest: int) -> int | None:
    found = text.strip()
    if not (found.isascii() and found.isdigit() and len(found) <= 2):  # noqa: PLR2004 - no scale has three digits
        return None
    return int(found) if lowest <= int(found) <= highest else None


def callback_reason(answer: SurveyAnswer, unhappy_at_most: int) -> CallbackReason | None:
    """Return why a person calls a customer who gave this answer; None: no call is needed."""
    if not answer.solved:
        return CallbackReason.NOT_SOLVED
    return CallbackReason.UNHAPPY if answer.csat <= unhappy_at_most else None


def weightier_reason(one: str, other: str) -> str:
    """Return the weightier of two reasons to call."""
    return other if REASON_WEIGHTS[other] > REASON_WEIGHTS[one] else one


@dataclass(frozen=True, slots=True)
class SurveyResult:
    """Totals of a survey. Shares are 0 to 1, and None where nobody answered."""

    customers: int = 0
    asked: int = 0
    never_asked: int = 0
    no_channel: int = 0
    unreached: int = 0
    in_doubt: int = 0
    reminded: int = 0
    answered: int = 0
    satisfied: int = 0
    rated: int = 0  # how many gave a number from 0 to 10
    promoters: int = 0
    detractors: int = 0
    solved: int = 0
    suggestions: int = 0
    to_call: int = 0
    called: int = 0
    reopened: int = 0
    second_complaints: int = 0

    @property
    def response_share(self) -> float | None:
        """Of those asked, how many answered."""
        return self.answered / self.asked if self.asked else None

    @property
    def csat(self) -> float | None:
        """Satisfaction: the share of 4 and 5 of 5."""
        return self.satisfied / self.answered if self.answered else None

    @property
    def nps(self) -> float | None:
        """Net promoter score, -100 to 100: share of promoters less share of detractors (Reichheld, HBR 12/2003)."""
        return 100 * (self.promoters - self.detractors) / self.rated if self.rated else None

    @property
    def second_share(self) -> float | None:
        """Second complaints: of all affected customers, how many complained again."""
        return self.second_complaints / self.customers if self.customers else None


def score_nps(score: int) -> int:
    """Score one answer so that the mean is the net promoter score: 100, 0 or -100."""
    if score >= PROMOTER:
        return 100
    return 0 if score >= PASSIVE else -100
