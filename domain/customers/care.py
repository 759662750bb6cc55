"""Care for affected customers: three questions, the care that the answers give, the customers' order.

Source: the mission's 72-hour follow-up: a history of poor service in the last 30 days? a core interest
harmed (order over 500 yuan)? already compensated? The answer is a combination: compensation, upgraded
service, a named person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from domain.customers.import_row import AffectedCustomer


class Care(StrEnum):
    """A kind of care given to a customer."""

    COMPENSATION = "compensation"
    UPGRADED = "upgraded-service"
    NAMED = "named-person"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds from which a question is answered yes. Money in hundredths."""

    poor_service: int = 1  # so many times within the last 30 days
    order_over: int = 50_000


@dataclass(frozen=True, slots=True)
class CareAnswers:
    """Answers to the three questions for one customer."""

    poor_history: bool
    harmed: bool
    compensated: bool


@dataclass(frozen=True, slots=True)
class CareCombination:
    """A line of the table: the care given where these answers hold. None: either answer."""

    give: tuple[Care, ...]
    poor_history: bool | None = None
    harmed: bool | None = None
    compensated: bool | None = None

    def matches(self, answers: CareAnswers) -> bool:
        """Whether the line applies to a customer with these answers."""
        return all(
            wanted is None or wanted is found
            for wanted, found in (
                (self.poor_history, answers.poor_history),
                (self.harmed, answers.harmed),
                (self.compensated, answers.compensated),
            )
        )


def answer_questions(customer: AffectedCustomer, thresholds: Thresholds) -> CareAnswers:
    """Answer the three questions from a customer's data."""
    return CareAnswers(
        poor_history=customer.poor_service >= thresholds.poor_service,
        harmed=customer.order_value > thresholds.order_over,
        compensated=customer.compensation > 0,
    )


def choose_care(found: CareAnswers, table: tuple[CareCombination, ...]) -> tuple[Care, ...]:
    """Return the care of the first line that matches.

    Raises:
        LookupError: no line is about such a customer; `gaps` finds that beforehand.
    """
    for line in table:
        if line.matches(found):
            return line.give
    raise LookupError("no line of the table is about such a customer")


def uncovered_answers(table: tuple[CareCombination, ...]) -> list[CareAnswers]:
    """List the combinations of answers that no line of the table covers."""
    every = (CareAnswers(*three) for three in product((False, True), repeat=3))
    return [found for found in every if not any(line.matches(found) for line in table)]


def customer_rank(customer: AffectedCustomer, found: CareAnswers) -> int:
    """Rank a customer by harm, then the brand, then cost: smaller comes first.

    Harm is a core interest, then a history of poor service; the brand is a complaint in public; cost the
    order's value.
    """
    harm = 2 * found.harmed + found.poor_history
    return -((harm * 2 + customer.public) * 10**13 + min(customer.order_value, 10**13 - 1))
