"""JSON schemas of every response, one file each: documentation and tests use them."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


@lru_cache
def schema(name: str) -> dict[str, Any]:
    """Schema of the responses of that name."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def documented_responses(
    name: str, description: str = "Done", *, status: int = 200, command: bool = False
) -> dict[int | str, Any]:
    """OpenAPI `responses` of an operation."""
    found: dict[int | str, Any] = {status: {"description": description, "content": _content(name)}}
    said = {401: "Nobody whom we know", 404: "No such thing", 422: "A field is not as it should be"}
    if command:
        said |= {
            409: "Not legal now, and why",
            413: "Larger than 1 MiB",
            503: "The database cannot be written",
        }
    for code, words in said.items():
        found[code] = {"description": words, "content": _content("error")}
    return found


def _content(name: str) -> dict[str, Any]:
    document = {key: value for key, value in schema(name).items() if key not in ("$schema", "$id", "examples")}
    examples = schema(name).get("examples", [])
    return {"application/json": {"schema": document, **({"example": examples[0]} if examples else {})}}
