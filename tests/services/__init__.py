"""Messaging services on loopback: each decodes a request as the real one does, and answers as documented."""
