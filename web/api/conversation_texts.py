"""API of conversation texts: counted for sensitive words and mood, not kept unless configured."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from engine.samples.conversation_texts import UnreadableTexts, parse_texts
from engine.samples.parser import make_series_name
from storage.samples import conversations
from storage.samples.sample_store import canonical_labels
from web.api.sample_service import SampleService
from web.api.samples import SampleServiceDep
from web.schemas import documented_responses

router = APIRouter(tags=["figures"])


@router.post(
    "/api/texts", status_code=202, responses=documented_responses("texts", "Committed", status=202, command=True)
)
async def push(request: Request, service: SampleServiceDep) -> JSONResponse:
    """Read conversation texts, `[{"text", "time", "labels"}]`: figures of sensitive words and of the negative share.

    The words are those of `words.yaml`. No text is kept or logged, unless `keep_texts` is set there.
    """
    body = await request.body()
    try:
        document = await service.run_in_store_thread(lambda: _read(service, body))
    except UnreadableTexts as unreadable:
        return JSONResponse({"error": str(unreadable)}, 422)
    if document["refused"] and not document["taken"]:
        first = document["errors"][0]
        return JSONResponse({"error": f"none was taken; text {first['index']}: {first['reason']}", **document}, 422)
    return JSONResponse(document, 202)


def _read(service: SampleService, body: bytes) -> dict[str, Any]:
    now, watch = service.clock(), service.current_word_watch()
    readout = parse_texts(body, watch, now, make_series_name)
    outcome = service.intake.take_checked(readout.batch, now)
    if watch.words.keep_texts:
        kept = [(one.at, canonical_labels(one.labels), one.text) for one in readout.conversations]
        conversations.save_texts(service.figures, kept, now)
    return {
        "taken": len(readout.conversations),
        "refused": len(readout.faults),
        "errors": [{"index": place, "reason": reason} for place, reason in readout.faults[:100]],
        "sensitive": readout.sensitive,
        "negative": readout.negative,
        "samples": outcome.taken,
        "kept": watch.words.keep_texts,
    }
