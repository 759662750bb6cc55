"""Wording of a notice in its reader's language: what happened, what to do, by when, who else is called."""

from __future__ import annotations

import string
from typing import Any

from pendulum import DateTime

from domain.incident import PublicationState, Snapshot, StepState, StepStatus
from domain.notifications import PAGE_PURPOSES, Notification, NotificationPurpose
from domain.playbook import PERSON_STEPS, Step, StepKind
from domain.roster import Person
from domain.text import N_, Reason
from locales import format_when, translator

_HEADLINES = {
    NotificationPurpose.ASSIGN: N_("Yours now: {step}"),
    NotificationPurpose.BACKUP: N_("You are the backup: {step}"),
    NotificationPurpose.COMMANDER: N_("Nobody answers: {step}"),
    NotificationPurpose.LAST_RESORT: N_("Last resort: {step}"),
    NotificationPurpose.REMIND: N_("Still open: {step}"),
    NotificationPurpose.OVERDUE: N_("Deadline passed: {step}"),
    NotificationPurpose.INFORM: N_("For your information: {step}"),
    NotificationPurpose.BRIEF: N_("Where we stand: {step}"),
    NotificationPurpose.UPDATE_OVERDUE: N_("Say something in public"),
    NotificationPurpose.DOUBT: N_("Is it public? {step}"),
    NotificationPurpose.REASSIGN: N_("Handed to you: {step}"),
    NotificationPurpose.WORSENED: N_("It got worse"),
    NotificationPurpose.RECOVERED: N_("It is over"),
}
_DO = {
    StepKind.ACT: N_("Do it, then mark it done."),
    StepKind.MEET: N_("Arrange it, then mark it done with time and link."),
    StepKind.DRAFT: N_("Write the text and hand it in."),
    StepKind.APPROVE: N_("Read the text and approve exactly that text, or send it back with a reason."),
    StepKind.PUBLISH: N_("Post the approved text by hand if need be, and give the link."),
}


def notice_payload(snapshot: Snapshot, notice: Notification, now: DateTime) -> dict[str, Any]:
    """Payload of a notice as stored: title and body in the reader's language, and what its link is for."""
    person = snapshot.roster.people.get(notice.person) or Person(notice.person, notice.person, ())
    _ = translator(person.language)
    incident = snapshot.incident
    state = snapshot.steps.get(notice.step)
    plan = snapshot.plan(state) if state else None
    name = plan.title.in_(person.language) if plan else ""
    title = f"{incident.ref} {_(_HEADLINES[notice.purpose]).format(step=name)}"
    lines = [incident.title]
    if notice.purpose is NotificationPurpose.BRIEF:
        lines += executive_brief_lines(snapshot, person, now)
    elif state is not None and plan is not None:
        lines += _step_lines(snapshot, notice, state, plan, person, now)
    else:
        lines += [localize_reason(notice.because, person.language)]
        if notice.purpose is NotificationPurpose.UPDATE_OVERDUE:
            lines += [_("Publish an update, or say why not.")]
    payload: dict[str, Any] = {
        "title": title,
        "body": "\n".join(line for line in lines if line),
        "language": person.language,
    }
    if notice.purpose in PAGE_PURPOSES or notice.purpose is NotificationPurpose.REMIND:
        payload["link"] = {"response": snapshot.response.id, "step": notice.step, "person": notice.person}
    return payload


def localize_reason(reason: Reason, language: str) -> str:
    """Reason in the reader's language."""
    return translator(language)(reason.template).format(**reason.values)


def _step_lines(
    snapshot: Snapshot, notice: Notification, state: StepState, plan: Step, person: Person, now: DateTime
) -> list[str]:
    _ = translator(person.language)
    lines = [localize_reason(notice.because, person.language)]
    if plan.instruction:
        lines.append(_fill(plan.instruction.in_(person.language), snapshot))
    if notice.purpose is NotificationPurpose.INFORM:
        return [*lines, *_script(snapshot, plan, person)]
    if plan.kind in PERSON_STEPS or plan.kind is StepKind.PUBLISH:
        lines.append(_("What to do: {what}").format(what=_(_DO[plan.kind])))
    due = format_when(state.due_at, person.timezone, person.language, now)
    lines.append(_("Due: {when}").format(when=due))
    others = [snapshot.roster.name(p) for p in dict.fromkeys((*state.called, state.backup)) if p and p != person.id]
    if others:
        lines.append(_("Also on it: {names}").format(names=", ".join(others)))
    return lines


def _script(snapshot: Snapshot, plan: Step, person: Person) -> list[str]:
    """Front-line agents are told what to say, word for word."""
    script = snapshot.response.playbook.holding_script.in_(person.language)
    if plan.template:
        script = plan.template.in_(person.language)
    return [_fill(script, snapshot)] if script and "front-line" in (plan.owner, *plan.tell) else []


def executive_brief_lines(snapshot: Snapshot, person: Person, now: DateTime) -> list[str]:
    """Executive's paragraph: impact, last statement, next steps, decisions that wait."""
    _ = translator(person.language)
    incident, impact = snapshot.incident, snapshot.incident.impact
    lines = [
        _("Impact: {customers} customers, {orders} orders, {money} {currency}.").format(
            customers=impact.customers,
            orders=impact.orders,
            money=impact.money,
            currency=snapshot.roster.currency,
        )
    ]
    said = _("Nothing public yet.")
    if incident.last_public_at:
        when = format_when(incident.last_public_at, person.timezone, person.language, now)
        said = _("Last public word: {when}.").format(when=when)
    waiting = sorted((s for s in snapshot.steps.values() if s.active), key=lambda s: (s.due_at, s.id))
    titles = {s.id: snapshot.plan(s).title.in_(person.language) for s in waiting}
    following = "; ".join(
        f"{titles[s.id]} ({snapshot.roster.name(s.holder or s.owner) or '-'}, "
        f"{format_when(s.due_at, person.timezone, person.language, now)})"
        for s in waiting[:3]
    )
    decisions = [
        titles[s.id]
        for s in waiting
        if s.status is not StepStatus.WAITING and snapshot.plan(s).kind is StepKind.APPROVE
    ]
    doubts = [
        c for s in waiting for c, p in s.postings.items() if p in (PublicationState.UNKNOWN, PublicationState.FAILED)
    ]
    lines.append(said)
    if following:
        lines.append(_("Next: {steps}.").format(steps=following))
    if decisions or doubts:
        lines.append(_("Decisions that wait: {what}.").format(what="; ".join([*decisions, *doubts])))
    else:
        lines.append(_("No decision waits for you."))
    return lines


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _fill(text: str, snapshot: Snapshot) -> str:
    """`{title}`, `{ref}` and `{service}` in a playbook's text; anything else in braces stays as it was written."""
    known = _Known(title=snapshot.incident.title, ref=snapshot.incident.ref, service=snapshot.incident.service)
    try:
        return string.Formatter().vformat(text, (), known)
    except (ValueError, IndexError, AttributeError, KeyError):  # a lone brace: the words matter more
        return text
