"""Hashes of secrets that we made ourselves: cookies, tokens, links. They are shown once and kept hashed."""

from __future__ import annotations

import hashlib


def hash_secret(secret: str) -> str:
    """Hash a secret that we made ourselves: its 192 random bits and more need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
