"""Adapters, one file per kind of service; `registry` maps schemes to them."""
