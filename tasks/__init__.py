"""Prefect tasks: each effect under the name by which people see it in Prefect."""
