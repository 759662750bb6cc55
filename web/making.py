"""From what was sent to a command of the domain: one table, for the API and for the buttons of the pages."""

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
from web.forms import (
    ApproveForm,
    BeginForm,
    DoneForm,
    DraftForm,
    Form,
    NoteForm,
    ReasonForm,
    ReassignForm,
    RejectForm,
    RetryForm,
    SetImpactForm,
    StepForm,
)

AnyCommand = StepCommand | IncidentCommand | Begin


@dataclass(frozen=True, slots=True)
class Making:
    """How a command is asked for.

    Attributes:
        form: what it takes.
        make: the command, from the incident's reference, the form and who asks.
        about: what it does, as the API's description says it.
    """

    form: type[Form]
    make: Callable[[str, Any, str], AnyCommand]
    about: str


def _given(command: type[Any], *names: str) -> Callable[[str, Any, str], Any]:
    """A command whose fields are the form's, by the same names."""

    def make(ref: str, form: Any, by: str) -> Any:
        return command(id=form.id, incident=ref, by=by, **{name: getattr(form, name) for name in names})

    return make


def _impact(ref: str, form: SetImpactForm, by: str) -> SetImpact:
    return SetImpact(id=form.id, incident=ref, by=by, impact=form.impact.impact())


COMMANDS: dict[str, Making] = {
    "acknowledge": Making(
        StepForm, _given(Acknowledge, "step"), "Take a step: nobody else is called for it any more."
    ),
    "done": Making(
        DoneForm, _given(Done, "step", "evidence", "channel", "choice"),
        "A step is done. For a publish step: posted by hand, `evidence` is the link.",
    ),
    "draft": Making(
        DraftForm, _given(Draft, "step", "texts", "amount"),
        "Hand in a text, by language or official channel. Needs your own token; an edit voids an approval.",
    ),
    "approve": Making(
        ApproveForm, _given(Approve, "step", "digest"),
        "Approve exactly the text whose digest this is. Needs a token of your own.",
    ),
    "reject": Making(
        RejectForm, _given(Reject, "step", "reason"),
        "Send a text back to its author, with a reason. Needs a token of your own.",
    ),
    "retry": Making(
        RetryForm, _given(Retry, "step", "channel"),
        "Order a publication again on a channel where it is in doubt. Look there first.",
    ),
    "reassign": Making(ReassignForm, _given(Reassign, "step", "to"), "Give a step to another person of the roster."),
    "begin": Making(
        BeginForm, _given(Begin, "stage", "reason"), "Begin a stage that is on demand: a correction, a withdrawal."
    ),
    "note": Making(
        NoteForm, _given(Note, "text", "corrects"), "Keep something on the timeline, or correct an entry of it."
    ),
    "impact": Making(SetImpactForm, _impact, "Say what it costs whom, as known now."),
    "mitigate": Making(
        ReasonForm, _given(Mitigate, "reason"), "Service is back, or harm is stopped; the incident goes on."
    ),
    "close": Making(ReasonForm, _given(Close, "reason"), "It is over. With steps still open it needs a reason."),
    "reopen": Making(
        ReasonForm, _given(Reopen, "reason"), "It is not over: the original clocks resume. Needs a reason."
    ),
    "cancel": Making(ReasonForm, _given(Cancel, "reason"), "It was declared in error. Needs a reason."),
}  # fmt: skip
