"""Fault proxy: harms what passes through it, on command and for a limited time."""
