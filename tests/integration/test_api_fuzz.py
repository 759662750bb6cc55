"""The API's own description turned against it: what is sent as it says, or nearly so, never ends in a 5xx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode

from tests.served import Served, served

# A report takes seconds each; whatever its body is checked by the same forms as the others.
_SLOW = ("/api/reports", "/api/incidents/{ref}/retrospective")
_CALM = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("home"), free_port()) as running:
        running.declare("Checkout is down")
        yield running


def attack(web: Served, examples: int) -> dict[str, int]:
    """Each operation so often; how many answers there were by the first digit of their status."""
    document = web.client.get("/api/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    found: dict[str, int] = {}
    wrong: list[str] = []

    def ask(case: Any) -> None:
        answer = case.call(base_url=web.url, timeout=20)
        found[str(answer.status_code)[0]] = found.get(str(answer.status_code)[0], 0) + 1
        # 503 of readiness is an answer: nobody takes turns here.
        if answer.status_code >= 500 and case.operation.path != "/readyz":
            wrong.append(
                f"{case.method} {case.formatted_path} {case.body!r:.200}: {answer.status_code} {answer.text:.200}"
            )

    for result in schema.get_all_operations():
        found_one: Any = result
        operation = found_one.ok()
        if operation.path in _SLOW:
            continue
        test = settings(
            max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=_CALM,
            phases=[Phase.generate],
        )  # fmt: skip
        test(given(case=operation.as_strategy())(ask))()
    assert wrong == [], "\n".join(wrong)
    return found


def test_what_is_sent_is_answered(web: Served) -> None:
    found = attack(web, 4)
    assert found["4"] > 20
    assert found["2"] > 20, "as it says, it is also taken"


@pytest.mark.slow
def test_what_is_sent_is_answered_however_long_somebody_tries(web: Served) -> None:
    attack(web, 120)
