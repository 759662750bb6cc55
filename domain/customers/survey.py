"""The survey: what an answer may be, whom it has called back, and what all answers come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.text import N_, unshowable

LOWEST, HIGHEST = 1, 5
SATISFIED = 4  # 4 and 5 of 5
NPS_HIGHEST = 10
PROMOTER, PASSIVE = 9, 7  # 9 and 10 promote, 7 and 8 are passive, the rest detract (Reichheld, HBR 12/2003)
LONGEST_SUGGESTION = 2_000


class Because(StrEnum):
    """Why a person calls a customer."""

    NO_CHANNEL = "no-channel"  # there is no way to send them anything
    UNREACHED = "unreached"  # what was sent did not get through
    HIGH_VALUE = "high-value"
    UNHAPPY = "unhappy"
    NOT_SOLVED = "not-solved"
    AGAIN = "complained-again"


REOPENS = frozenset({Because.NOT_SOLVED, Because.AGAIN})  # the matter is open again, for its owner
# The weightier reason stays when another one comes.
WEIGHT: Mapping[str, int] = {
    reason: weight
    for weight, reason in enumerate(
        ("", Because.NO_CHANNEL, Because.UNREACHED, Because.HIGH_VALUE, Because.UNHAPPY, Because.NOT_SOLVED,
         Because.AGAIN)
    )
}  # fmt: skip


class BadAnswer(ValueError):
    """An answer that cannot be taken; a template of the catalogues that says what would be right."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a customer said."""

    csat: int
    solved: bool
    nps: int | None = None
    suggestion: str = ""

    @property
    def satisfied(self) -> bool:
        """4 or 5 of 5."""
        return self.csat >= SATISFIED


def read_answer(fields: Mapping[str, str]) -> Answer:
    """The answer of a form.

    Raises:
        BadAnswer: something is missing, or no number of its scale.
    """
    csat = _number(fields.get("csat", ""), LOWEST, HIGHEST)
    if csat is None:
        raise BadAnswer(N_("Please choose how satisfied you are, from 1 to 5."))
    solved = fields.get("solved", "")
    if solved not in ("yes", "no"):
        raise BadAnswer(N_("Please say whether it is solved: yes or no."))
    said = fields.get("nps", "").strip()
    nps = _number(said, 0, NPS_HIGHEST)
    if said and nps is None:
        raise BadAnswer(N_("Please choose a number from 0 to 10, or leave it out."))
    suggestion = fields.get("suggestion", "").replace("\r\n", "\n").strip()
    if len(suggestion) > LONGEST_SUGGESTION:
        raise BadAnswer(N_("Your suggestion is longer than 2,000 characters: please shorten it."))
    if unshowable(suggestion):
        suggestion = "".join(c for c in suggestion if not unshowable(c))
    return Answer(csat, solved == "yes", nps, suggestion)


def _number(text: str, lowest: int, highest: int) -> int | None:
    found = text.strip()
    if not (found.isascii() and found.isdigit() and len(found) <= 2):  # noqa: PLR2004 - no scale has three digits
        return None
    return int(found) if lowest <= int(found) <= highest else None


def calls_back(answer: Answer, unhappy_at_most: int) -> Because | None:
    """Why a person calls whoever answered so; None: nobody needs to."""
    if not answer.solved:
        return Because.NOT_SOLVED
    return Because.UNHAPPY if answer.csat <= unhappy_at_most else None


def weightier(one: str, other: str) -> str:
    """Of two reasons to call, the one that stays."""
    return other if WEIGHT[other] > WEIGHT[one] else one


@dataclass(frozen=True, slots=True)
class Result:
    """What all of it came to. Shares are 0 to 1, and None where nobody said anything."""

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


def nps_points(score: int) -> int:
    """One answer as a figure whose mean is the net promoter score: 100, 0 or -100."""
    if score >= PROMOTER:
        return 100
    return 0 if score >= PASSIVE else -100
