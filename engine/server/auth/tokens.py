"""OpenID Connect tokens of an identity provider, accepted like keys. Signature algorithms are pinned, claims checked.

The provider's public keys are read from a JWKS file: no query waits for another host, and nobody who impersonates that
host can make keys. The file is read again when it changes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budgets import ParamError, check_client_name
from engine.server.auth.keys import Principal
from engine.server.http.problems import Problem
from engine.server.http.roles import Role
from engine.server.settings import Settings
from engine.server.telemetry import log

if TYPE_CHECKING:
    import jwt

LEEWAY_SECONDS = 10  # clock skew
REQUIRED = ("exp", "iat", "iss", "aud")


@dataclass
class Tokens:
    """One identity provider."""

    issuer: str
    audience: str
    keys_file: Path  # its JWKS
    algorithms: tuple[str, ...]  # no others are accepted, even if a token's header names them
    name_claim: str
    role_claim: str
    _keys: Mapping[str, jwt.PyJWK] = field(default_factory=dict, repr=False)  # the last valid ones
    _read_at: int | None = field(default=None, repr=False)  # modification time (ns) of the file they were read from
    _broken_at: int | None = field(default=None, repr=False)  # modification time (ns) of the last unreadable file

    @classmethod
    def of(cls, settings: Settings) -> Tokens | None:
        """Identity provider of the settings; None without one."""
        issuer, audience, keys_file = settings.oidc_issuer, settings.oidc_audience, settings.oidc_keys
        if issuer is None or audience is None or keys_file is None:
            return None
        pinned = tuple(settings.oidc_algorithms.split(","))
        return cls(issuer, audience, keys_file, pinned, settings.oidc_name_claim, settings.oidc_role_claim)

    def principal(self, token: str) -> Principal | None:
        """Return a token's caller; None for one that is expired or not signed by the provider for this server.

        Raises Problem with E_AUTH for a valid token whose subject can't be a client's name.
        """
        import jwt  # late: the extra [oidc] brings it

        try:
            key = self._current_keys()[str(jwt.get_unverified_header(token).get("kid"))]
            options: Any = {"require": [*REQUIRED, self.name_claim, self.role_claim]}
            claims = jwt.decode(
                token,
                key,  # its own algorithm must be a pinned one, too
                algorithms=list(self.algorithms),
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_SECONDS,
                options=options,
            )
            name, role = claims[self.name_claim], Role(claims[self.role_claim])
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            return None
        try:
            check_client_name(name)
        except ParamError as refused:
            why = f"The claim {self.name_claim} of this token names nobody here: {refused.why}"
            raise Problem("E_AUTH", why, refused.hint) from None
        return Principal(name, role, "")

    def _current_keys(self) -> Mapping[str, jwt.PyJWK]:
        """Return the provider's keys: none if the file is gone, the last valid ones while it can't be parsed."""
        modified_at = self._modified_at()
        if modified_at is None or modified_at == self._read_at:
            return {} if modified_at is None else self._keys
        try:
            self._keys, self._read_at = read_key_set(self.keys_file), modified_at
        except (OSError, ValueError) as failure:
            self._log_broken_file(modified_at, type(failure).__name__)
        return self._keys

    def _modified_at(self) -> int | None:
        try:
            return self.keys_file.stat().st_mtime_ns
        except OSError as failure:
            self._log_broken_file(0, type(failure).__name__)
            return None

    def _log_broken_file(self, broken_at: int, kind: str) -> None:
        """Log each broken version of the file once."""
        if broken_at != self._broken_at:
            self._broken_at = broken_at
            log.error("the provider's keys can't be read", kind=kind)


def read_key_set(file: Path) -> Mapping[str, jwt.PyJWK]:
    """Read a JWKS, as keys by id; unusable keys are skipped. Raises OSError, ValueError."""
    import jwt

    try:
        keys = list(json.loads(file.read_text(encoding="utf-8"))["keys"])
    except (KeyError, TypeError):
        raise ValueError("no key set") from None
    found: dict[str, jwt.PyJWK] = {}
    for key in keys:
        with contextlib.suppress(jwt.PyJWTError, AttributeError, TypeError):
            read = jwt.PyJWK(key)
            found[str(read.key_id)] = read
    return found
