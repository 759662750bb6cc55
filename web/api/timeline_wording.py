"""Wording of timeline facts, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from domain.facts import FactKind
from domain.roster import Roster
from domain.text import N_
from locales import Translator, format_span, translator
from locales.state_words import STATES
from storage.incidents.timeline import TimelineEntry

K = FactKind

_SAYS = {
    K.DECLARED: N_("Declared: {title}"),
    K.ATTACHED: N_("Playbook {playbook} attached"),
    K.MITIGATED: N_("Mitigated: service is back or harm is stopped"),
    K.CLOSED: N_("Closed"),
    K.REOPENED: N_("Reopened"),
    K.CANCELLED: N_("Cancelled"),
    K.COMPLETED: N_("Completed: nothing is left to do"),
    K.NOTED: N_("Note: {text}"),
    K.CORRECTED: N_("Correction of entry {corrects}: {text}"),
    K.MERGED: N_("{merged} was the same and was merged into this: {title}"),
    K.PROMISED: N_("Promised: {action} {title}"),
    K.IMPACT: N_("Impact: {customers} customers, {orders} orders, {money} in money, brand {brand} of 3"),
    K.JOINED: N_("A related warning joins: {rule}, {tier}, {value}"),
    K.WORSENED: N_("Worse: {rule} is {tier} now, {value}"),
    K.EASED: N_("Less bad: {rule} is {tier} now, {value}"),
    K.RECOVERED: N_("Good again: {rule}, {value}"),
    K.FOLLOW_UP_BEGUN: N_("Follow-up of customers begun: {customers} affected, {no_channel} without a channel"),
    K.FOLLOW_UP_STOPPED: N_("Follow-up stopped, the incident was reopened: {asked} of {customers} had been asked"),
    K.FOLLOW_UP_GIVEN_UP: N_("No follow-up, contacts erased: the incident was cancelled, or is open for too long"),
    K.FOLLOW_UP_RESULT: N_(
        "Follow-up collected: {asked} of {customers} asked, {answered} answered, satisfied {csat}, NPS {nps}, "
        "not solved {unsolved}, second complaints {second} (aim below {aim})"
    ),
    K.STAGE_BEGUN: N_("Stage {stage} laid out, round {round}"),
    K.UPDATE_OVERDUE: N_("Nothing public for too long: {people} reminded"),
    K.FINISHED: N_("Every step of this playbook is over"),
    K.WITHOUT_PREFECT: N_("This turn went without Prefect, {late_seconds} s after it was due"),
    K.OPENED: N_("Step open, {owner} called"),
    K.ACKNOWLEDGED: N_("Acknowledged"),
    K.ESCALATED: N_("No answer from {silent}: {to} called"),
    K.REMINDED: N_("Reminded"),
    K.MISSED: N_("Deadline missed"),
    K.DONE: N_("Done"),
    K.SKIPPED: N_("Skipped: its condition does not hold for this incident"),
    K.ABANDONED: N_("Abandoned"),
    K.SUPERSEDED: N_("Superseded by the next round"),
    K.RESUMED: N_("Resumed"),
    K.REASSIGNED: N_("Handed to {to}"),
    K.DRAFTED: N_("Text handed in, version {version}"),
    K.APPROVED: N_("Text approved, version {version}"),
    K.REJECTED: N_("Text sent back: {reason}"),
    K.VOIDED: N_("Approval void: {reason}"),
    K.ORDERED: N_("Publication on {channel} ordered"),
    K.PUBLISHED: N_("Published on {channel}"),
    K.IN_DOUBT: N_("Not certain whether it stands on {channel}"),
    K.PUBLISH_FAILED: N_("Could not be published on {channel}: {reason}"),
    K.RETRIED: N_("Publication on {channel} ordered again"),
    K.ALARMED: N_("Someone was called: the publication is in doubt"),
    K.NOTICE_DEAD: N_("{person} could not be reached on {channel}: {detail}"),
    K.NOTICE_UNKNOWN: N_("Not certain whether {person} was reached on {channel}: {detail}"),
}
_PEOPLE = ("owner", "silent", "to", "person")


def describe_fact(entry: TimelineEntry, roster: Roster) -> dict[str, str]:
    """Sentence for a fact, in both languages."""
    return {"en": _says(entry, roster, "en"), "zh": _says(entry, roster, "zh_CN")}


def _says(entry: TimelineEntry, roster: Roster, language: str) -> str:
    _ = translator(language)
    data = entry.data
    template = _SAYS.get(entry.kind)  # type: ignore[call-overload]  # a FactKind is the string it names
    words = [_(template).format_map(_values(data, roster, _)) if template else entry.kind]
    if isinstance(data.get("warning"), Mapping):
        words.append(_("by {rule}, {tier}, {value}").format_map(_values(data["warning"], roster, _)))
    if data.get("drill"):
        words.append(_("DRILL"))
    if isinstance(data.get("late_seconds"), int) and data["late_seconds"] > 0 and entry.kind == K.DONE:
        span = format_span(timedelta(seconds=data["late_seconds"]), language)
        words.append(_("late by {span}").format(span=span))
    words += [str(data[name]) for name in ("evidence", "receipt") if data.get(name)]
    if entry.kind in _REASONED and data.get("reason"):
        words.append(str(data["reason"]))
    if isinstance(data.get("told"), list) and entry.kind != K.UPDATE_OVERDUE:
        words.append(", ".join(roster.name(name) for name in data["told"]))
    return " · ".join(word for word in words if word)


_REASONED = frozenset({K.MITIGATED, K.CLOSED, K.REOPENED, K.CANCELLED, K.STAGE_BEGUN})


class _Values(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "-"


def _values(data: Mapping[str, Any], roster: Roster, _: Translator) -> _Values:
    values = _Values(data)
    tier = STATES.get(data.get("tier", ""))
    if tier:
        values["tier"] = _(tier)
    if isinstance(data.get("value"), float):
        values["value"] = f"{data['value']:.4g}"
    values.update(data.get("impact") or {})
    for name in _PEOPLE:
        if name in data:
            values[name] = roster.name(data[name]) or "-"
    values["people"] = ", ".join(roster.name(name) for name in data.get("told") or []) or "-"
    return values
