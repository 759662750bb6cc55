"""Check of schedules: every deployment of prefect.yaml will fire, and did, as Prefect itself answers."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import yaml
from pendulum import DateTime

from engine.check.finding import CheckFindings, failed, passed
from engine.installation import Installation
from engine.process.children import external_prefect, prefect_file

_PATIENCE = 8.0
MISSED_AFTER = timedelta(minutes=20)  # a run that has been due for longer, and neither ran nor runs, was missed


def prefect_api_url(installation: Installation, environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of Prefect's API."""
    return (external_prefect(environ) or f"http://127.0.0.1:{installation.settings.prefect_port}/api").rstrip("/")


def list_deployments() -> list[str]:
    """List the deployments that the program brings along, by name."""
    data = yaml.safe_load(prefect_file().read_text(encoding="utf-8"))
    return [str(one["name"]) for one in data["deployments"]]


def check_schedules(api: str, now: DateTime) -> CheckFindings:
    """Check each deployment: there, not paused, with a schedule that is on, its last due run not missed."""
    try:
        there = {str(one["name"]): one for one in _ask(f"{api}/deployments/filter", {"limit": 200})}
    except (OSError, ValueError, urllib.error.URLError):
        yield failed("prefect", "does not answer: schedules do not fire", "Prefect 无响应，定时任务不会触发")
        return
    yield passed("prefect", "answers", "可达")
    for name in list_deployments():
        yield from _deployment(api, name, there.get(name), now)


def _deployment(api: str, name: str, found: Mapping[str, Any] | None, now: DateTime) -> CheckFindings:
    what = f"schedule {name}"
    if found is None:
        yield failed(what, "not in Prefect: `prefect deploy --all`, or start `tocsin up`", "Prefect 中没有该部署")
        return
    on = [one for one in found.get("schedules", []) if one.get("active")]
    if found.get("paused") or not on:
        yield failed(what, "paused: it will not fire; resume it in Prefect", "已暂停，不会触发")
        return
    missed = _missed(api, str(found["id"]), now)
    if missed:
        yield failed(
            what, f"a run due at {missed[:16]} never began: is a worker running?", f"{missed[:16]} 的运行未启动"
        )
    else:
        yield passed(what, "on, and its last run was not missed", "已启用，最近一次未错过")


def _missed(api: str, deployment: str, now: DateTime) -> str:
    """When the newest run was due that nobody took; empty if none."""
    rows = _ask(f"{api}/flow_runs/filter", {
        "limit": 1, "sort": "EXPECTED_START_TIME_DESC", "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {
            "state": {"type": {"any_": ["SCHEDULED", "PENDING"]}},
            "expected_start_time": {"before_": (now - MISSED_AFTER).isoformat()},
        },
    })  # fmt: skip
    due = str(rows[0].get("expected_start_time") or "") if rows else ""
    return due if due and datetime.fromisoformat(due) > now - timedelta(days=2) else ""


def _ask(url: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(  # noqa: S310 - Prefect's address, from our settings
        url, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_PATIENCE) as answer:
        found: list[dict[str, Any]] = json.loads(answer.read())
    return found
