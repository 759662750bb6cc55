"""Alembic's entry for the service figures: run on the connection that `storage.schema` hands over."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import create_engine

from storage.samples.sample_tables import METADATA

connection = context.config.attributes.get("connection")
if connection is None:  # `alembic revision --autogenerate`, by a developer
    connection = create_engine(os.environ["TOCSIN_DATABASE_URL"]).connect()
context.configure(connection=connection, target_metadata=METADATA, version_table="figures_version")
with context.begin_transaction():
    context.run_migrations()
