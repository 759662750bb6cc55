"""Command forms: one table from request models to domain commands, for the API and the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.commands import (
    Acknowledge,
    Approve,
    Begin,
    Cancel,
    Close,
    Done,
    Draft,
    IncidentCommand,
    Mitigate,
    Note,
    Reassign,
    Reject,
    Reopen,
    Retry,
    SetImpact,
    StepCommand,
)
from web.api.request_models import (
    ApproveForm,
    BeginForm,
    CommandForm,
    DoneForm,
    DraftForm,
    NoteForm,
    ReasonForm,
    ReassignForm,
    RejectForm,
    RetryForm,
    SetImpactForm,
    StepCommandForm,
)

AnyCommand = StepCommand | IncidentCommand | Begin


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """Specification of a command over HTTP.

    Attributes:
        form: what it takes.
        make: the command, from the incident's reference, the form and who asks.
        about: what it does, as the API's description says it.
    """

    form: type[CommandForm]
    make: Callable[[str, Any, str], AnyCommand]
    about: str


def _given(command: type[Any], *names: str) -> Callable[[str, Any, str], Any]:
    """A command whose fields are the form's, by the same names."""

    def make(ref: str, form: Any, by: str) -> Any:
        return command(id=form.id, incident=ref, by=by, **{name: getattr(form, name) for name in names})

    return make


def _impact(ref: str, form: SetImpactForm, by: str) -> SetImpact:
    return SetImpact(id=form.id, incident=ref, by=by, impact=form.impact.impact())


COMMANDS: dict[str, CommandSpec] = {
    "acknowledge": CommandSpec(
        StepCommandForm, _given(Acknowledge, "step"), "Take a step: nobody else is called for it any more."
    ),
    "done": CommandSpec(
        DoneForm,
        _given(Done, "step", "evidence", "channel", "choice"),
        "A step is done. For a publish step: posted by hand, `evidence` is the link.",
    ),
    "draft": CommandSpec(
        DraftForm,
        _given(Draft, "step", "texts", "amount"),
        "Hand in a text, by language or official channel. Needs your own token; an edit voids an approval.",
    ),
    "approve": CommandSpec(
        ApproveForm,
        _given(Approve, "step", "digest"),
        "Approve exactly the text whose digest this is. Needs a token of your own.",
    ),
    "reject": CommandSpec(
        RejectForm,
        _given(Reject, "step", "reason"),
        "Send a text back to its author, with a reason. Needs a token of your own.",
    ),
    "retry": CommandSpec(
        RetryForm,
        _given(Retry, "step", "channel"),
        "Order a publication again on a channel where it is in doubt. Look there first.",
    ),
    "reassign": CommandSpec(
        ReassignForm, _given(Reassign, "step", "to"), "Give a step to another person of the roster."
    ),
    "begin": CommandSpec(
        BeginForm, _given(Begin, "stage", "reason"), "Begin a stage that is on demand: a correction, a withdrawal."
    ),
    "note": CommandSpec(
        NoteForm, _given(Note, "text", "corrects"), "Keep something on the timeline, or correct an entry of it."
    ),
    "impact": CommandSpec(SetImpactForm, _impact, "Say what it costs whom, as known now."),
    "mitigate": CommandSpec(
        ReasonForm, _given(Mitigate, "reason"), "Service is back, or harm is stopped; the incident goes on."
    ),
    "close": CommandSpec(ReasonForm, _given(Close, "reason"), "It is over. With steps still open it needs a reason."),
    "reopen": CommandSpec(
        ReasonForm, _given(Reopen, "reason"), "It is not over: the original clocks resume. Needs a reason."
    ),
    "cancel": CommandSpec(ReasonForm, _given(Cancel, "reason"), "It was declared in error. Needs a reason."),
}
