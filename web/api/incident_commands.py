"""API of commands on an incident, each idempotent by its id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from web.api.command_forms import COMMANDS, CommandSpec
from web.http.request_context import RequestContextDep
from web.schemas import documented_responses

router = APIRouter(
    prefix="/api/incidents/{ref}", tags=["commands"], responses=documented_responses("changed", command=True)
)


def _endpoint(name: str, making: CommandSpec) -> Callable[..., Awaitable[JSONResponse]]:
    async def endpoint(ref: str, form, context) -> JSONResponse:  # type: ignore[no-untyped-def]  # noqa: ANN001
        said = getattr(form, "speaker", "")
        answer: JSONResponse = await context.carry_out(lambda by: making.make(ref, form, by), said)
        return answer

    endpoint.__name__ = name
    endpoint.__doc__ = making.about
    endpoint.__annotations__ = {"ref": str, "form": making.form, "context": RequestContextDep, "return": JSONResponse}
    return endpoint


for _name, _making in COMMANDS.items():
    router.add_api_route(f"/{_name}", _endpoint(_name, _making), methods=["POST"])
