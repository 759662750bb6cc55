"""Prefect flows: the order of things and nothing else. One file a procedure, verb_noun."""
