"""Saving and return on investment, by MISSION section 5; computed only from stated inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ValueInputs:
    """An operation's inputs for a month, in the roster's currency; None: not stated.

    Attributes:
        cases: cases that needed no agent. Not stated: the month's contacts times its self-service share, as
            measured.
        customers_kept: customers who stayed because of what was done.
        investment: what it all cost in the month.
    """

    labour_cost_per_hour: float | None = None
    hours_saved_per_case: float | None = None
    cases: float | None = None
    lifetime_value: float | None = None
    customers_kept: float | None = None
    investment: float | None = None


@dataclass(frozen=True, slots=True)
class ReturnOnInvestment:
    """Saving and return; None where an input is missing.

    Attributes:
        labour: labour cost saved.
        lifetime: lifetime value gained.
        saving: both together. One alone is no saving: the other is not known to be nothing.
        returned: return on investment, 0.25 for 25 %.
    """

    labour: float | None
    lifetime: float | None
    saving: float | None
    returned: float | None
    cases: float | None
    cases_measured: bool


def compute_return(inputs: ValueInputs, contacts: float | None, self_service: float | None) -> ReturnOnInvestment:
    """Saving = labour cost saved + lifetime value gained; return = (saving - investment) / investment."""
    measured = inputs.cases is None and contacts is not None and self_service is not None
    cases = (contacts or 0.0) * (self_service or 0.0) if measured else inputs.cases
    labour = _product(cases, inputs.hours_saved_per_case, inputs.labour_cost_per_hour)
    lifetime = _product(inputs.customers_kept, inputs.lifetime_value)
    saving = labour + lifetime if labour is not None and lifetime is not None else None
    invested = inputs.investment
    returned = (saving - invested) / invested if saving is not None and invested else None
    return ReturnOnInvestment(labour, lifetime, saving, returned, cases, measured)


def _product(*factors: float | None) -> float | None:
    found = 1.0
    for factor in factors:
        if factor is None:
            return None
        found *= factor
    return found
