"""Authorization: for every endpoint, the roles that may use it, and on whose objects.

Tests read this table and try every cell of it; an endpoint that is not in it is not served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Role of a key."""

    ANALYST = "analyst"
    STEWARD = "steward"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Reach(StrEnum):
    """Scope of a permission: nothing, one's own objects, or anybody's."""

    NONE = "none"
    OWN = "own"
    ANY = "any"


@dataclass(frozen=True)
class Rule:
    """Permissions of each role at one endpoint."""

    analyst: Reach = Reach.NONE
    steward: Reach = Reach.NONE
    admin: Reach = Reach.NONE
    auditor: Reach = Reach.NONE

    def reach(self, role: Role) -> Reach:
        """Permission of a role at this endpoint."""
        found: Reach = getattr(self, role.value)
        return found


NONE, OWN, ANY = Reach.NONE, Reach.OWN, Reach.ANY
ASKING = Rule(analyst=OWN)
SHOWN = Rule(analyst=ANY)  # the id is unguessable; the caller pays for the numbers
TRYING = Rule(analyst=OWN, steward=OWN)
PUBLIC = Rule(ANY, ANY, ANY, ANY)
SELF = Rule(OWN, OWN, OWN, OWN)
RULING = Rule(admin=ANY)
BOOKS = Rule(admin=ANY, auditor=ANY)
OWN_BOOKS = Rule(analyst=OWN, admin=ANY, auditor=ANY)
PEOPLE = Rule(steward=ANY, admin=ANY)

RULES: Mapping[tuple[str, str], Rule] = {
    ("POST", "/v1/queries"): ASKING,
    ("GET", "/v1/jobs"): ASKING,
    ("GET", "/v1/jobs/{job_id}"): ASKING,
    ("GET", "/v1/jobs/{job_id}/result"): ASKING,
    ("DELETE", "/v1/jobs/{job_id}"): ASKING,
    ("GET", "/v1/shares"): ASKING,
    ("POST", "/v1/shares"): ASKING,
    ("GET", "/v1/shares/{share_id}"): SHOWN,
    ("POST", "/v1/shares/{share_id}/take"): SHOWN,
    ("DELETE", "/v1/shares/{share_id}"): ASKING,
    ("POST", "/v1/explain"): TRYING,
    ("POST", "/v1/rehearse"): TRYING,
    ("POST", "/v1/plan"): ASKING,
    ("GET", "/v1/standing"): ASKING,
    ("GET", "/v1/standing/{name}"): ASKING,
    ("GET", "/v1/budget"): OWN_BOOKS,
    ("GET", "/v1/history"): OWN_BOOKS,
    ("GET", "/v1/tables"): PUBLIC,
    ("GET", "/v1/tables/{name}"): PUBLIC,
    ("GET", "/v1/tables/{name}/outlines"): PUBLIC,
    ("GET", "/v1/functions"): PUBLIC,
    ("GET", "/v1/me"): SELF,
    ("GET", "/v1/admin/clients"): BOOKS,
    ("POST", "/v1/admin/clients"): RULING,
    ("DELETE", "/v1/admin/clients/{client}"): RULING,
    ("POST", "/v1/admin/caps"): RULING,
    ("GET", "/v1/admin/freezes"): BOOKS,
    ("POST", "/v1/admin/freezes"): RULING,
    ("DELETE", "/v1/admin/freezes"): RULING,
    ("GET", "/v1/admin/keys"): BOOKS,
    ("POST", "/v1/admin/keys"): RULING,
    ("POST", "/v1/admin/keys/{key_id}/rotate"): Rule(OWN, OWN, ANY, OWN),
    ("DELETE", "/v1/admin/keys/{key_id}"): Rule(OWN, OWN, ANY, OWN),
    ("GET", "/v1/admin/topups"): OWN_BOOKS,
    ("POST", "/v1/admin/topups"): ASKING,
    ("POST", "/v1/admin/topups/{request}/approve"): RULING,
    ("POST", "/v1/admin/topups/{request}/decline"): RULING,
    ("GET", "/v1/admin/ledger"): BOOKS,
    ("GET", "/v1/admin/ledger/audit"): BOOKS,
    ("GET", "/v1/admin/ledger/anchor"): BOOKS,
    ("GET", "/v1/admin/ledger/verify"): BOOKS,
    ("POST", "/v1/admin/ledger/verify"): BOOKS,
    ("GET", "/v1/admin/ledger/report"): BOOKS,
    ("GET", "/v1/admin/health"): BOOKS,
    ("GET", "/v1/admin/alerts"): BOOKS,
    ("GET", "/v1/admin/releases"): BOOKS,
    ("GET", "/v1/admin/objections"): Rule(steward=ANY, admin=ANY, auditor=ANY),
    ("GET", "/v1/admin/objections/figures"): Rule(steward=ANY, admin=ANY, auditor=ANY),
    ("POST", "/v1/admin/objections/figures"): PEOPLE,
    ("POST", "/v1/admin/objections"): PEOPLE,
    ("POST", "/v1/admin/objections/bulk"): PEOPLE,
    ("GET", "/metrics"): BOOKS,
}
OPEN = frozenset({("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.json")})

# The console's pages. What a page shows or does goes through the endpoints above, by their rules.
PAGES: Mapping[tuple[str, str], Rule] = {
    ("GET", "/console"): SELF,
    ("POST", "/console/logout"): SELF,
    ("GET", "/console/ask"): ASKING,
    ("POST", "/console/ask"): ASKING,
    ("GET", "/console/jobs"): ASKING,
    ("GET", "/console/jobs/{job_id}"): ASKING,
    ("POST", "/console/jobs/{job_id}/cancel"): ASKING,
    ("GET", "/console/requests"): ASKING,
    ("POST", "/console/requests"): ASKING,
    ("GET", "/console/shared"): ASKING,
    ("POST", "/console/shared/make"): ASKING,
    ("GET", "/console/shared/{share_id}"): SHOWN,
    ("POST", "/console/shared/{share_id}/take"): SHOWN,
    ("POST", "/console/shared/{share_id}/end"): ASKING,
    ("GET", "/console/catalog"): PUBLIC,
    ("GET", "/console/pace"): OWN_BOOKS,
    ("GET", "/console/clients"): BOOKS,
    ("POST", "/console/clients/{action}"): RULING,
    ("GET", "/console/keys"): BOOKS,
    ("POST", "/console/keys/{action}"): RULING,
    ("GET", "/console/ledger"): BOOKS,
    ("GET", "/console/ledger/export"): BOOKS,
    ("GET", "/console/ledger/verify"): BOOKS,
    ("POST", "/console/ledger/verify"): BOOKS,
    ("GET", "/console/releases"): BOOKS,
    ("GET", "/console/health"): BOOKS,
    ("GET", "/console/objections"): Rule(steward=ANY, admin=ANY, auditor=ANY),
    ("POST", "/console/objections/{action}"): PEOPLE,
    ("GET", "/console/{nowhere}"): SELF,  # the 404 page
}
OPEN_PAGES = frozenset(
    {("GET", "/"), ("GET", "/console/login"), ("POST", "/console/login"), ("GET", "/console/console.css")}
)
