"""Authentication, authorization and rate limit of a request: a bearer key or token, and the table of roles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from engine.errors import Refused
from engine.server.auth.keys import Principal
from engine.server.http.problems import Problem
from engine.server.http.roles import RULES, Role, Scope
from engine.server.service import Service
from engine.server.telemetry import log
from engine.server.worker.frames import Json, Result

AUTHORIZATION_HINT = "Authorization: Bearer KEY"


@dataclass(frozen=True)
class AuthorizedRequest:
    """An authorized request: the caller, and the scope of the permission."""

    service: Service
    principal: Principal
    scope: Scope

    @property
    def name(self) -> str:
        """Name of the caller: of a client, or of the acting person."""
        return self.principal.name

    async def call(self, verb: str, **arguments: Json) -> Result:
        """Call a verb of the worker, a few per client at once; raises Refused, Problem."""
        async with self.service.admission.admitted(self.name):
            return await self.service.call(verb, **arguments)

    def check_length(self, sql: str) -> None:
        """Check that a query is not too long; raises Problem with E_SIZE."""
        most = self.service.settings.max_sql_chars
        if len(sql) > most:
            raise Problem("E_SIZE", f"A question has at most {most:,} characters.", "a shorter one")

    @asynccontextmanager
    async def as_not_found(self, listing: str, field: str, value: object) -> AsyncIterator[None]:
        """Turn a refusal into E_NOT_FOUND if the list of the verb `listing` has no row with this value."""
        try:
            yield
        except Refused as refused:
            if isinstance(refused, Problem) or any(row[field] == value for row in await self.call(listing)):
                raise
            raise Problem(
                "E_NOT_FOUND", f"There is no {field} of this name.", "a name from the list of these"
            ) from None

    def visible_client(self, requested: str | None) -> str | None:
        """Client whose accounts to show: the requested one, or the caller; raises Problem with E_FORBIDDEN."""
        if self.scope is Scope.ANY:
            return requested
        if requested not in (None, self.name):
            raise Problem("E_FORBIDDEN", "A key of this role sees its own accounts alone.", f"client={self.name}")
        return self.name


def authorize_request(request: Request) -> AuthorizedRequest:
    """Authenticate and authorize a request; raises Problem with E_AUTH, E_FORBIDDEN or E_RATE."""
    service: Service = request.app.state.service
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    principal = authenticate(service, key.strip() if scheme.lower() == "bearer" else "", address_of(request))
    request.state.principal = principal
    service.limits.count_request(f"{principal.role}/{principal.name}")
    route = request.scope["route"].path.replace(":path", "")
    return authorize(service, principal, request.method, route)


def authorize(service: Service, principal: Principal, method: str, route: str) -> AuthorizedRequest:
    """Authorize a caller at an endpoint; raises Problem with E_FORBIDDEN."""
    rule = RULES[method, route]
    scope = rule.scope_of(principal.role)
    if scope is Scope.NONE:
        why = f"A key of role {principal.role} does not reach {method} {route}."
        others = " or ".join(role for role in Role if rule.scope_of(role) is not Scope.NONE)
        raise Problem("E_FORBIDDEN", why, f"a key of role {others}; this one is {principal.name}'s")
    return AuthorizedRequest(service, principal, scope)


def address_of(request: Request) -> str:
    """Address that a request came from."""
    return request.client.host if request.client else ""


def authenticate(service: Service, key: str, address: str) -> Principal:
    """Authenticate a key or token; raises Problem with E_AUTH, E_RATE."""
    if not key:
        raise Problem("E_AUTH", "This needs a key.", AUTHORIZATION_HINT)
    principal = service.keys.principal(key)
    if principal is None and service.tokens is not None:
        principal = service.tokens.principal(key)
    if principal is None:
        count_invalid_key(service, address, "a key in a header")
        raise Problem(
            "E_AUTH", "This key is not known, or has ended.", f"{AUTHORIZATION_HINT}, with a key that an admin made"
        )
    return principal


def count_invalid_key(service: Service, address: str, where: str) -> None:
    """Log and count an invalid key by the address it came from; raises Problem with E_RATE after too many.

    Behind a proxy the address is the one that the proxy states (`proxy_addresses`). Nothing of the key is logged.
    """
    service.limits.count_failure(address)
    log.warning("login failed", address=address, where=where)


Caller = Annotated[AuthorizedRequest, Depends(authorize_request)]
