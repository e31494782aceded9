"""Tokens of an identity provider (OpenID Connect) instead of keys: signatures by pinned algorithms, claims checked.

The provider's public keys are read from a file, its JWKS: no question waits for another host, and whoever can answer
for that host can't make keys. A file that is changed is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budgets import ParamError, check_asker
from engine.server.keys import Principal
from engine.server.roles import Role
from engine.server.settings import Settings

if TYPE_CHECKING:
    import jwt

LEEWAY_SECONDS = 10  # between two clocks
REQUIRED = ("exp", "iat", "iss", "aud")


@dataclass
class Tokens:
    """One identity provider."""

    issuer: str
    audience: str
    keys_file: Path  # its JWKS
    algorithms: tuple[str, ...]  # nothing else is accepted, whatever a token says of itself
    name_claim: str
    role_claim: str
    _read: tuple[int, Mapping[str, jwt.PyJWK]] = field(default=(-1, {}), repr=False)  # when it was changed, what it had

    @classmethod
    def of(cls, settings: Settings) -> Tokens | None:
        """Read which provider a server takes tokens of, if any."""
        issuer, audience, keys_file = settings.oidc_issuer, settings.oidc_audience, settings.oidc_keys
        if issuer is None or audience is None or keys_file is None:
            return None
        pinned = tuple(settings.oidc_algorithms.split(","))
        return cls(issuer, audience, keys_file, pinned, settings.oidc_name_claim, settings.oidc_role_claim)

    def principal(self, token: str) -> Principal | None:
        """Say whose token this is; None for one that is not signed by the provider for this server, or has ended."""
        import jwt  # late: the extra [oidc] brings it

        try:
            key = self._keys()[str(jwt.get_unverified_header(token).get("kid"))]
            options: Any = {"require": [*REQUIRED, self.name_claim, self.role_claim]}
            claims = jwt.decode(
                token,
                key,  # its own algorithm has to be a pinned one
                algorithms=list(self.algorithms),
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_SECONDS,
                options=options,
            )
            name = claims[self.name_claim]
            check_asker(name)
            return Principal(name, Role(claims[self.role_claim]), "")
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, ParamError):
            return None

    def _keys(self) -> Mapping[str, jwt.PyJWK]:
        import jwt

        changed = self.keys_file.stat().st_mtime_ns
        if changed != self._read[0]:
            found = jwt.PyJWKSet.from_json(self.keys_file.read_text(encoding="utf-8"))
            self._read = (changed, {str(key.key_id): key for key in found.keys})
        return self._read[1]
