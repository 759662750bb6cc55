"""Vault of customer contacts, stored sealed (Fernet: AES-128-CBC and HMAC-SHA256), never stored open."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from domain.customers.import_row import CustomerContact
from storage.settings import SettingsError

KEY_FILE = "customers.key"


class UnreadableContact(ValueError):
    """A sealed contact cannot be opened with this key."""


class ContactVault:
    """Seals and opens contacts. Its `repr` hides the key."""

    def __init__(self, key: bytes) -> None:
        """`key`: as `Fernet.generate_key` makes it.

        Raises:
            ValueError: it is no such key.
        """
        from cryptography.fernet import Fernet  # noqa: PLC0415 - six megabytes that most processes never need

        self._fernet = Fernet(key)
        # A key of its own for marks, so that one use tells nothing about the other (RFC 5869 does it in more steps).
        self._mark = hmac.new(key, b"tocsin customer mark", hashlib.sha256).digest()

    def __repr__(self) -> str:
        return "<Vault>"

    def seal(self, contact: CustomerContact) -> str:
        """Seal a contact; the same one never looks the same twice. Empty for none."""
        if not contact:
            return ""
        return self._fernet.encrypt(json.dumps([contact.mail, contact.phone]).encode()).decode()

    def open(self, sealed: str) -> CustomerContact:
        """Open a sealed contact.

        Raises:
            Unreadable: sealed with another key, or damaged.
        """
        from cryptography.fernet import InvalidToken  # noqa: PLC0415

        try:
            mail, phone = json.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError, TypeError):
            raise UnreadableContact(
                "the contact cannot be opened with this key: restore the key it was kept with"
            ) from None
        return CustomerContact(mail, phone)

    def mark(self, customer: str) -> str:
        """Return a customer's number as a keyed hash: recognisable, and not to be read back without the key."""
        return hmac.new(self._mark, customer.encode(), hashlib.sha256).hexdigest()


def open_vault(home: Path, key_env: str = "", environ: Mapping[str, str] = os.environ) -> ContactVault:
    """Open the vault of this installation.

    Its key is in the variable `key_env`, else in a file made on first use.

    Raises:
        SettingsError: the variable is empty, the file cannot be used, or what is there is no key. One line.
    """
    if key_env:
        given = environ.get(key_env, "").strip()
        if not given:
            raise SettingsError(f"{key_env} is empty: followup.yaml says that it holds the key of the contacts")
        return _vault(given, key_env)
    path = home / KEY_FILE
    try:
        if not path.exists():
            from cryptography.fernet import Fernet  # noqa: PLC0415

            _write_once(path, Fernet.generate_key())
        return _vault(path.read_text(encoding="ascii").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise SettingsError(f"cannot use the contacts' key {path}: {reason}; let this user read and write it") from None


def _vault(key: str, where: str) -> ContactVault:
    try:
        return ContactVault(key.encode())
    except ValueError:
        raise SettingsError(f"{where} holds no key for contacts: 32 bytes in URL-safe base64 are one") from None


def _write_once(path: Path, key: bytes) -> None:
    """Write the key file whole or not at all, readable by its owner only; another process's earlier key stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + b"\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
