"""Catalog of flows by name: a playbook names its flow by the file."""

from __future__ import annotations

from typing import Any

from prefect import Flow

from flows.calm_public_opinion import calm_public_opinion
from flows.follow_up_customers import follow_up_customers
from flows.handle_warning import handle_warning
from flows.hold_review import hold_review
from flows.keep_promises import keep_promises
from flows.respond_publicly import respond_publicly
from flows.restore_service import restore_service

FLOWS: dict[str, Flow[Any, Any]] = {
    flow.fn.__name__: flow
    for flow in (
        respond_publicly,
        restore_service,
        calm_public_opinion,
        handle_warning,
        follow_up_customers,
        keep_promises,
        hold_review,
    )
}


def get_flow(name: str) -> Flow[Any, Any]:
    """Flow of that name; an unknown name gives the default flow, so its playbook is driven all the same."""
    return FLOWS.get(name, respond_publicly)
