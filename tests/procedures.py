"""Small procedures and worlds for tests of decisions: steps, playbooks, texts, what was said."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from domain.commands import Approve, Draft
from domain.facts import FactKind
from domain.notifications import NotificationPurpose
from domain.playbook import Playbook, Stage, Step, StepKind
from domain.text import Text
from tests.world import START, World

ANA, BEN, CAI, DAN, EVA, FU, LAST = "ana", "ben", "cai", "dan", "eva", "fu", "last"


def m(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


def step(name: str = "trace", kind: StepKind = StepKind.ACT, **fields: Any) -> Step:
    """A step of the technology lead (cai, backup dan) unless told otherwise."""
    return Step(id=name, kind=kind, title=Text(name), **{"owner": "technology-lead", **fields})


def playbook(*steps: Step, ends: timedelta = m(60), **fields: Any) -> Playbook:
    stage = {name: fields.pop(name) for name in ("repeat", "starts", "clock", "on_demand") if name in fields}
    stages = (Stage("s", Text("s"), steps, ends, **stage), *fields.pop("more", ()))
    return Playbook(id="p", title=Text("p"), stages=stages, **fields)


def statement(**publish: Any) -> tuple[Step, ...]:
    """Drafted by ben, approved by ana, published: the way of every public text."""
    return (
        step("draft", StepKind.DRAFT, owner="pr-lead", due=m(20)),
        step("approve", StepKind.APPROVE, owner="incident-commander", of="draft", needs=("draft",), due=m(40)),
        step("publish", StepKind.PUBLISH, owner="pr-lead", of="draft", needs=("approve",), **publish),
    )


ESCALATION = playbook(step(ack_within=m(5), due=m(60)))


def give(world: World, command: type, by: str = "", name: str = "", **fields: Any) -> None:
    """A command that must be legal."""
    fields |= {"step": name} if name else {}
    assert world.do(command(id=str(uuid.uuid4()), incident="INC-1", by=by, **fields)), (command, fields)


def said(notices: Iterable[Any]) -> list[tuple[str, NotificationPurpose]]:
    return [(notice.person, notice.purpose) for notice in notices]


def calls(world: World) -> list[tuple[int, str, NotificationPurpose]]:
    """(minute since the start, person, purpose) of everything so far."""
    return [(int((at - START).total_seconds() // 60), n.person, n.purpose) for at, n in world.notices]


def kinds(world: World, name: str = "") -> list[FactKind]:
    return [fact.kind for fact in world.facts if not name or fact.step == name]


def approved(world: World, text: str = "We are sorry.", **draft: Any) -> None:
    """Through draft and approval."""
    give(world, Draft, BEN, "s/draft", texts={"en": text}, **draft)
    world.decide()
    give(world, Approve, ANA, "s/approve", digest=world.snapshot.steps["s/draft"].digest)
