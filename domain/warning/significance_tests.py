"""Significance tests: exact one-sided tests on counts. Pure arithmetic.

All three sum one tail of a distribution whose terms shrink from their first on, so few are needed. The
first term comes from `math.lgamma`; its relative error stays below 1e-8 up to `MOST_EVENTS` events.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log

# With more events than these any difference worth a rule is far beyond chance; scaling down keeps the sums short
# and can only make the test stricter.
MOST_EVENTS = 1_000_000
_NEGLIGIBLE = 1e-17
_ROUNDING = 1e-12  # of `trials * share`: exactly at the mean is not beyond it, whichever side is asked


def binomial_at_least(successes: int, trials: int, share: float) -> float:
    """P(X >= successes) for X ~ Binomial(trials, share).

    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934): P = sum over i >= k of C(n, i) p^i (1 - p)^(n - i).
    Below the mean the answer is 1.0, without the sum: nothing there is ever significant.
    """
    if successes <= trials * share * (1 + _ROUNDING) or share >= 1:
        return 1.0
    if share <= 0 or successes > trials:
        return 0.0
    first = exp(_choose(trials, successes) + successes * log(share) + (trials - successes) * log(1 - share))
    odds = share / (1 - share)
    return _tail(first, successes, trials, lambda i: odds * (trials - i) / (i + 1))


def binomial_at_most(successes: int, trials: int, share: float) -> float:
    """P(X <= successes) for X ~ Binomial(trials, share): the other side of `at_least`."""
    return binomial_at_least(trials - successes, trials, 1 - share)


def poisson_excess(events: int, others: int, share: float) -> float:
    """Probability of so many `events` of all `events + others`, where a `share` of them was expected.

    The conditional test of two Poisson counts: given their sum n = a + b, a ~ Binomial(n, expected share), the
    share being that of the window's exposure in both. Przyborowski and Wilenski, "Homogeneity of results in
    testing samples from Poisson series", Biometrika 31 (1940). 3 against 2 with equal windows: P(X >= 3 | 5,
    1/2) = 0.5.
    """
    events, others = _scaled(events, others)
    return binomial_at_least(events, events + others, share)


def fisher_higher_share(successes: int, trials: int, other_successes: int, other_trials: int) -> float:
    """Probability of so many successes if both samples had one common share (Fisher's exact test, one-sided).

    Given all successes K = k + l of all trials N = n + m, k is hypergeometric: P = sum over i >= k of C(n, i)
    C(m, K - i) / C(N, K). Fisher, "Statistical Methods for Research Workers" (1934), section 21.02; Agresti,
    "Categorical Data Analysis" (2013), section 3.5.1.
    """
    trials, other_trials, successes, other_successes = _scaled(trials, other_trials, successes, other_successes)
    total, wins = trials + other_trials, successes + other_successes
    if not total or successes * total <= trials * wins:
        return 1.0
    first = exp(_choose(trials, successes) + _choose(other_trials, wins - successes) - _choose(total, wins))
    return _tail(
        first,
        successes,
        min(trials, wins),
        lambda i: (trials - i) * (wins - i) / ((i + 1) * (other_trials - wins + i + 1)),
    )


def _tail(first: float, start: int, end: int, ratio: Callable[[int], float]) -> float:
    """The sum of the terms from `start` to `end`, each `ratio(i)` times the one before."""
    total = term = first
    for i in range(start, end):
        term *= ratio(i)
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return min(total, 1.0)


def _choose(n: int, k: int) -> float:
    """The logarithm of C(n, k)."""
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _scaled(first: int, second: int, *more: int) -> tuple[int, ...]:
    total = first + second
    if total <= MOST_EVENTS:
        return (first, second, *more)
    return tuple(count * MOST_EVENTS // total for count in (first, second, *more))
