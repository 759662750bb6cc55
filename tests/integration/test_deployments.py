"""Every entry of prefect.yaml is loaded for real: a wrong parameter fails here, not at three in the morning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
DEPLOYMENTS: list[dict[str, Any]] = DOCUMENT["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: str(one["name"]))
def test_a_deployment_loads_its_flow_and_fits_its_signature(
    deployment: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    flow: Any = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    assert flow.isasync, "a sync flow in-process costs four times as much"
    flow.validate_parameters(deployment.get("parameters") or {})
    assert deployment["work_pool"]["name"] == "tocsin"
    assert all(schedule.get("timezone") for schedule in deployment["schedules"]), "a schedule without a zone moves"


def test_every_flow_that_a_playbook_names_exists() -> None:
    from engine.installation import CATALOG
    from flows.catalog import FLOWS
    from playbooks.playbook_loader import load_playbook

    for path in sorted(CATALOG.glob("*.yaml")):
        assert load_playbook(path).flow in FLOWS, path.name
