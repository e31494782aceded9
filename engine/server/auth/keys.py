"""API keys: 256 random bits, shown once, stored as keyed hashes; they expire, can be rotated and revoked.

Apart from engine/mechanism/gaussian.py, the one place that needs unpredictable bits. They are no noise: no number of an
answer depends on a key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from budgets import ParamError, check_client_name, folded_name
from engine.data.files.durable import create_durably
from engine.server.http.roles import Role
from engine.server.storage import Row, ServerTables, later_text, now_text

BITS = 256
PREFIX = "pby_"  # lets secret scanners find keys that were committed
SHOWN_COLUMNS = ("id", "name", "role", "made_at", "made_by", "expires_at", "revoked_at")


@dataclass(frozen=True)
class Principal:
    """An authenticated caller: name and role."""

    name: str  # of a client, for analysts; the actor in the ledger's rows, for others
    role: Role
    key_id: str  # empty for a caller with an identity provider's token


@dataclass(frozen=True)
class Keys:
    """The API keys of a server."""

    tables: ServerTables
    pepper: bytes  # the server's secret: without it, a copy of the tables allows no guessing of keys

    def make(self, name: str, role: Role, *, by: str, days: float, maker: str = "") -> dict[str, Any]:
        """Create a key and return it, once; raises ParamError, also where the creator's own key `maker` has expired."""
        key, row = self._new_key(name, role, by, days)
        if not self.tables.add_key(row, maker):
            raise ParamError("The key with which this one was to be made has ended.", "a key that lives.")
        return {"key": key, **_shown_columns(row)}

    def principal(self, key: str) -> Principal | None:
        """Return the caller a key belongs to; None for an unknown, expired or revoked key."""
        if not key.startswith(PREFIX):
            return None
        digest = self._digest(key)
        row = self.tables.key(hash=digest)
        return _principal(row) if row is not None and hmac.compare_digest(bytes(row["hash"]), digest) else None

    def principal_by_id(self, key_id: str) -> Principal | None:
        """Return the caller of the key with this id; None for an unknown, expired or revoked key."""
        return _principal(self.tables.key(id=key_id))

    def rotate(self, key_id: str, *, by: str, days: float, overlap_hours: float, maker: str = "") -> dict[str, Any]:
        """Create a successor of a key; the old key stays valid for the overlap. Raises ParamError, as `make` does."""
        old = self.find(key_id)
        if not 0 <= overlap_hours <= 24 * 31:
            raise ParamError("Two keys overlap for 0 to 744 hours.", "overlap_hours = 24.")
        key, row = self._new_key(old["name"], Role(old["role"]), by, days, follows=key_id)
        if not self.tables.add_key(row, maker, later_text(hours=overlap_hours)):
            raise ParamError(f"The key {key_id}, or the one with which it was to be changed, has ended.", "a new key.")
        return {"key": key, **_shown_columns(row)}

    def lifetime_days(self, key_id: str) -> float:
        """Lifetime of a key in days, as it was made; raises ParamError."""
        row = self.find(key_id)
        made, expires = (datetime.fromisoformat(row[name]) for name in ("made_at", "expires_at"))
        return (expires - made).total_seconds() / 86_400

    def revoke(self, key_id: str) -> dict[str, Any]:
        """Revoke a key at once, with its successors; raises ParamError."""
        self.tables.revoke_key(key_id, now_text())
        return _shown_columns(self.find(key_id))

    def find(self, key_id: str) -> Row:
        """Find a key by its id; raises ParamError."""
        found = self.tables.key(id=key_id)
        if found is None:
            raise ParamError(f"There is no key {key_id!r}.", "an id from the list of keys.")
        return found

    def list_keys(self) -> list[dict[str, Any]]:
        """List keys with their names and lifetimes, without secrets."""
        return [_shown_columns(row) for row in self.tables.all_keys()]

    def bootstrap(self, name: str, *, days: float, again: bool = False) -> dict[str, Any]:
        """Create the first admin's key; raises ParamError where a valid admin key exists.

        `again` revokes the existing ones in the same step, under any server secret; `taken_back` lists their names.
        """
        key, row = self._new_key(name, Role.ADMIN, "bootstrap", days)
        taken_back = self.tables.add_first_key(row, again=again)
        if taken_back is None:
            why = "There is an admin already."
            cure = "ask that admin for a key, or for yours to be made anew"
            raise ParamError(why, f"{cure}; where all of theirs are lost or void, bootstrap --again takes them back.")
        return {"key": key, **_shown_columns(row), "taken_back": [old["name"] for old in taken_back]}

    def _new_key(
        self, name: str, role: Role, by: str, days: float, follows: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Draw a key, and return it with its row, which is not inserted yet; raises ParamError."""
        check_client_name(name)  # for every role: no caller may have one of the ledger's reserved names
        self._check_spelling(name)
        if not 0 < days <= 3650:
            raise ParamError("A key lives for more than 0 and at most 3650 days.", "days = 90.")
        key = f"{PREFIX}{secrets.token_urlsafe(BITS // 8)}"
        return key, {
            "id": secrets.token_hex(6),
            "hash": self._digest(key),
            "name": name,
            "role": str(role),
            "made_at": now_text(),
            "made_by": by,
            "expires_at": later_text(days=days),
            "revoked_at": None,
            "follows": follows,
        }

    def _check_spelling(self, name: str) -> None:
        """Refuse a name that differs from another key's in spelling only; raises ParamError. So does the ledger."""
        names = {row["name"] for row in self.tables.all_keys()}
        similar = sorted(each for each in names - {name} if folded_name(each) == folded_name(name))
        if similar:
            raise ParamError(f"The name {name!r} differs from {similar[0]!r} in its spelling alone.", f"{similar[0]}.")

    def _digest(self, key: str) -> bytes:
        return hmac.digest(self.pepper, key.encode(), hashlib.sha256)


def new_id() -> str:
    """Unguessable identifier."""
    return secrets.token_hex(16)


def new_session_secret() -> str:
    """Secret of a browser's session cookie."""
    return secrets.token_urlsafe(BITS // 8)


def read_pepper(file: Path) -> bytes:
    """Read the server's secret, created if missing; raises ParamError where others may read it."""
    try:
        if not file.exists():
            create_durably(file, secrets.token_bytes(BITS // 8))
        pepper = file.read_bytes()
    except OSError as failure:
        why = f"The server's secret {file} can't be made or read ({failure.strerror})."
        own_secret_command = f"head -c {BITS // 8} /dev/urandom > {file}; chmod 600 {file}"
        cure = f"a folder on a file system with hard links, or a secret of your own: {own_secret_command}"
        raise ParamError(why, cure) from None
    if file.stat().st_mode & 0o077:
        raise ParamError(f"The server's secret {file} is open to others.", f"chmod 600 {file}")
    if len(pepper) != BITS // 8:
        raise ParamError(f"The server's secret {file} is not {BITS // 8} bytes long.", "the file from a backup.")
    return pepper


def _shown_columns(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in SHOWN_COLUMNS} | {"lives": _is_valid(row)}


def _principal(row: Row | None) -> Principal | None:
    return None if row is None or not _is_valid(row) else Principal(row["name"], Role(row["role"]), row["id"])


def _is_valid(row: Row) -> bool:
    return row["revoked_at"] is None and bool(row["expires_at"] > now_text())
