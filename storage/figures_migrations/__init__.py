"""Alembic's migrations of the tables of the service figures."""
