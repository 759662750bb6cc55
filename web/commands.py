"""The API of commands on an incident: each one line of the domain, each idempotent by its id."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from domain.commands import (
    Acknowledge,
    Approve,
    Begin,
    Cancel,
    Close,
    Done,
    Draft,
    Mitigate,
    Note,
    Reassign,
    Reject,
    Reopen,
    Retry,
    SetImpact,
)
from web.desk import AtDesk
from web.forms import (
    ApproveForm,
    BeginForm,
    DoneForm,
    DraftForm,
    NoteForm,
    ReasonForm,
    ReassignForm,
    RejectForm,
    RetryForm,
    SetImpactForm,
    StepForm,
)
from web.schemas import answers

router = APIRouter(prefix="/api/incidents/{ref}", tags=["commands"], responses=answers("changed", command=True))


@router.post("/acknowledge")
async def acknowledge(ref: str, form: StepForm, desk: AtDesk) -> JSONResponse:
    """Take a step: nobody else is called for it any more."""
    return await desk.carry_out(lambda by: Acknowledge(id=form.id, incident=ref, by=by, step=form.step), form.speaker)


@router.post("/done")
async def done(ref: str, form: DoneForm, desk: AtDesk) -> JSONResponse:
    """A step is done. For a publish step: posted by hand, `evidence` is the link."""
    return await desk.carry_out(
        lambda by: Done(
            id=form.id,
            incident=ref,
            by=by,
            step=form.step,
            evidence=form.evidence,
            channel=form.channel,
            choice=form.choice,
        ),
        form.speaker,
    )


@router.post("/draft")
async def draft(ref: str, form: DraftForm, desk: AtDesk) -> JSONResponse:
    """Hand in a text, by language or official channel. Needs your own token; an edit voids an approval."""
    return await desk.carry_out(
        lambda by: Draft(id=form.id, incident=ref, by=by, step=form.step, texts=form.texts, amount=form.amount)
    )


@router.post("/approve")
async def approve(ref: str, form: ApproveForm, desk: AtDesk) -> JSONResponse:
    """Approve exactly the text whose digest this is. Needs a token of your own."""
    return await desk.carry_out(lambda by: Approve(id=form.id, incident=ref, by=by, step=form.step, digest=form.digest))


@router.post("/reject")
async def reject(ref: str, form: RejectForm, desk: AtDesk) -> JSONResponse:
    """Send a text back to its author, with a reason. Needs a token of your own."""
    return await desk.carry_out(lambda by: Reject(id=form.id, incident=ref, by=by, step=form.step, reason=form.reason))


@router.post("/retry")
async def retry(ref: str, form: RetryForm, desk: AtDesk) -> JSONResponse:
    """Order a publication again on a channel where it is in doubt. Look there first."""
    return await desk.carry_out(lambda by: Retry(id=form.id, incident=ref, by=by, step=form.step, channel=form.channel))


@router.post("/reassign")
async def reassign(ref: str, form: ReassignForm, desk: AtDesk) -> JSONResponse:
    """Give a step to another person of the roster."""
    return await desk.carry_out(
        lambda by: Reassign(id=form.id, incident=ref, by=by, step=form.step, to=form.to), form.speaker
    )


@router.post("/begin")
async def begin(ref: str, form: BeginForm, desk: AtDesk) -> JSONResponse:
    """Begin a stage that is on demand: a correction, a withdrawal."""
    return await desk.carry_out(lambda by: Begin(id=form.id, incident=ref, by=by, stage=form.stage, reason=form.reason))


@router.post("/note")
async def note(ref: str, form: NoteForm, desk: AtDesk) -> JSONResponse:
    """Keep something on the timeline."""
    return await desk.carry_out(lambda by: Note(id=form.id, incident=ref, by=by, text=form.text), form.speaker)


@router.post("/impact")
async def impact(ref: str, form: SetImpactForm, desk: AtDesk) -> JSONResponse:
    """Say what it costs whom, as known now."""
    return await desk.carry_out(lambda by: SetImpact(id=form.id, incident=ref, by=by, impact=form.impact.impact()))


@router.post("/mitigate")
async def mitigate(ref: str, form: ReasonForm, desk: AtDesk) -> JSONResponse:
    """Service is back, or harm is stopped; the incident goes on."""
    return await desk.carry_out(lambda by: Mitigate(id=form.id, incident=ref, by=by, reason=form.reason))


@router.post("/close")
async def close(ref: str, form: ReasonForm, desk: AtDesk) -> JSONResponse:
    """It is over. With steps still open it needs a reason."""
    return await desk.carry_out(lambda by: Close(id=form.id, incident=ref, by=by, reason=form.reason))


@router.post("/reopen")
async def reopen(ref: str, form: ReasonForm, desk: AtDesk) -> JSONResponse:
    """It is not over: the original clocks resume. Needs a reason."""
    return await desk.carry_out(lambda by: Reopen(id=form.id, incident=ref, by=by, reason=form.reason))


@router.post("/cancel")
async def cancel(ref: str, form: ReasonForm, desk: AtDesk) -> JSONResponse:
    """It was declared in error. Needs a reason."""
    return await desk.carry_out(lambda by: Cancel(id=form.id, incident=ref, by=by, reason=form.reason))
