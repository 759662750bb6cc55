"""Prefect flows: only the order of tasks. One file a procedure, named verb_noun."""
