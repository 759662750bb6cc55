"""Alembic's entry: run on the connection that `storage.schema` (or the alembic command) hands over."""

from __future__ import annotations

import os
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from storage.incidents import tables  # noqa: F401 - fills the metadata
from storage.types import DurationType, UtcDateTime


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Migrations say `UtcDateTime()` and not what a database makes of it."""
    if kind == "type" and isinstance(item, UtcDateTime | DurationType):
        autogen.imports.add("from storage.types import DurationType, UtcDateTime")
        return f"{type(item).__name__}()"
    return False


connection = context.config.attributes.get("connection")
if connection is None:  # `alembic revision --autogenerate`, by a developer
    connection = create_engine(os.environ["TOCSIN_DATABASE_URL"]).connect()
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_item=_render)
with context.begin_transaction():
    context.run_migrations()
