"""Authentication, authorization and rate limit of a request: a bearer key or token, and the table of roles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from engine.problems import Refused
from engine.server.auth.keys import Principal
from engine.server.http.problems import Problem
from engine.server.http.roles import RULES, Reach, Role
from engine.server.service import House
from engine.server.telemetry import log
from engine.server.worker.frames import Json

HEADER = "Authorization: Bearer KEY"


@dataclass(frozen=True)
class Admitted:
    """An authorized request: the caller, and the scope of the permission."""

    house: House
    principal: Principal
    reach: Reach

    @property
    def name(self) -> str:
        """Name of the caller: of a client, or of the acting person."""
        return self.principal.name

    async def do(self, verb: str, **arguments: Json) -> Json:
        """Call a verb of the worker, a few per client at once; raises Refused, Problem."""
        async with self.house.gate.passing(self.name):
            return await self.house.do(verb, **arguments)

    async def rows(self, verb: str, arguments: Mapping[str, Any]) -> bytes:
        """Call a verb that returns rows and charges nothing, as `do`; raises Refused, Problem."""
        async with self.house.gate.passing(self.name):
            return await self.house.rows(verb, arguments)

    @asynccontextmanager
    async def naming(self, listing: str, field: str, value: object) -> AsyncIterator[None]:
        """Turn a refusal into E_NOT_FOUND if the list of the verb `listing` has no row with this value."""
        try:
            yield
        except Refused:
            if any(row[field] == value for row in await self.do(listing)):
                raise
            raise Problem(
                "E_NOT_FOUND", f"There is no {field} of this name.", "a name from the list of these"
            ) from None

    def client(self, wanted: str | None) -> str | None:
        """Client whose accounts to show: the requested one, or the caller; raises Problem with E_FORBIDDEN."""
        if self.reach is Reach.ANY:
            return wanted
        if wanted not in (None, self.name):
            raise Problem("E_FORBIDDEN", "A key of this role sees its own accounts alone.", f"client={self.name}")
        return self.name


def admitted(request: Request) -> Admitted:
    """Authenticate and authorize a request; raises Problem with E_AUTH, E_FORBIDDEN or E_RATE."""
    house: House = request.app.state.house
    principal = _principal(house, request)
    request.state.principal = principal
    house.limits.count_request(f"{principal.role}/{principal.name}")
    route = request.scope["route"].path.replace(":path", "")
    return reaching(house, principal, request.method, route)


def reaching(house: House, principal: Principal, method: str, route: str) -> Admitted:
    """Authorize a caller at an endpoint; raises Problem with E_FORBIDDEN."""
    rule = RULES[method, route]
    reach = rule.reach(principal.role)
    if reach is Reach.NONE:
        why = f"A key of role {principal.role} does not reach {method} {route}."
        others = " or ".join(role for role in Role if rule.reach(role) is not Reach.NONE)
        raise Problem("E_FORBIDDEN", why, f"a key of role {others}; this one is {principal.name}'s")
    return Admitted(house, principal, reach)


def _principal(house: House, request: Request) -> Principal:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return whose(
        house, key.strip() if scheme.lower() == "bearer" else "", request.client.host if request.client else ""
    )


def whose(house: House, key: str, address: str) -> Principal:
    """Authenticate a key or token; raises Problem with E_AUTH, E_RATE."""
    if not key:
        raise Problem("E_AUTH", "This needs a key.", HEADER)
    found = house.keys.principal(key)
    if found is None and house.tokens is not None:
        found = house.tokens.principal(key)
    if found is None:
        refuse_key(house, address, "a key in a header")
        raise Problem("E_AUTH", "This key is not known, or has ended.", f"{HEADER}, with a key that an admin made")
    return found


def refuse_key(house: House, address: str, where: str) -> None:
    """Log and count an invalid key by the address it came from; raises Problem with E_RATE after too many.

    Behind a proxy the address is the one that the proxy states (`proxy_addresses`). Nothing of the key is logged.
    """
    house.limits.count_failure(address)
    log.warning("login failed", address=address, where=where)


Asker = Annotated[Admitted, Depends(admitted)]
