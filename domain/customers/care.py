"""The three questions before anyone speaks to a customer, what they add up to, and who comes first.

Source: the mission's 72-hour follow-up: a history of poor service in the last 30 days? a core interest harmed (order
over 500 yuan)? already compensated? The answer is a combination: compensation, upgraded service, a named person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from domain.customers.record import Customer


class Care(StrEnum):
    """What a customer is given."""

    COMPENSATION = "compensation"
    UPGRADED = "upgraded-service"
    NAMED = "named-person"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a question is answered yes. Money in hundredths."""

    poor_service: int = 1  # so many times within the last 30 days
    order_over: int = 50_000


@dataclass(frozen=True, slots=True)
class Answers:
    """The three questions, answered for one customer."""

    poor_history: bool
    harmed: bool
    compensated: bool


@dataclass(frozen=True, slots=True)
class Combination:
    """A line of the table: what is given where these answers hold. None: either answer."""

    give: tuple[Care, ...]
    poor_history: bool | None = None
    harmed: bool | None = None
    compensated: bool | None = None

    def fits(self, answers: Answers) -> bool:
        """Whether the line is about such a customer."""
        return all(
            wanted is None or wanted is found
            for wanted, found in (
                (self.poor_history, answers.poor_history),
                (self.harmed, answers.harmed),
                (self.compensated, answers.compensated),
            )
        )


def answers(customer: Customer, thresholds: Thresholds) -> Answers:
    """The three questions, answered from the data."""
    return Answers(
        poor_history=customer.poor_service >= thresholds.poor_service,
        harmed=customer.order_value > thresholds.order_over,
        compensated=customer.compensation > 0,
    )


def care_for(found: Answers, table: tuple[Combination, ...]) -> tuple[Care, ...]:
    """What the first line that fits gives.

    Raises:
        LookupError: no line is about such a customer; `gaps` finds that beforehand.
    """
    for line in table:
        if line.fits(found):
            return line.give
    raise LookupError("no line of the table is about such a customer")


def gaps(table: tuple[Combination, ...]) -> list[Answers]:
    """The customers of whom no line of the table speaks."""
    every = (Answers(*three) for three in product((False, True), repeat=3))
    return [found for found in every if not any(line.fits(found) for line in table)]


def rank(customer: Customer, found: Answers) -> int:
    """Harm to users, then the brand, then cost: smaller comes first.

    Harm is a core interest, then a history of poor service; the brand is a complaint in public; cost the order's value.
    """
    harm = 2 * found.harmed + found.poor_history
    return -((harm * 2 + customer.public) * 10**13 + min(customer.order_value, 10**13 - 1))


def as_document(found: Answers) -> Mapping[str, bool]:
    """The answers by name."""
    return {"poor_history": found.poor_history, "harmed": found.harmed, "compensated": found.compensated}
