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


class Scope(StrEnum):
    """Scope of a permission: nothing, one's own objects, or anybody's."""

    NONE = "none"
    OWN = "own"
    ANY = "any"


@dataclass(frozen=True)
class Rule:
    """Permissions of each role at one endpoint."""

    analyst: Scope = Scope.NONE
    steward: Scope = Scope.NONE
    admin: Scope = Scope.NONE
    auditor: Scope = Scope.NONE

    def scope_of(self, role: Role) -> Scope:
        """Permission of a role at this endpoint."""
        return getattr(self, role.value)


NONE, OWN, ANY = Scope.NONE, Scope.OWN, Scope.ANY
QUERYING = Rule(analyst=OWN)
SHARED_LINK = Rule(analyst=ANY)  # the id is unguessable; the caller pays for the numbers
DRY_RUNS = Rule(analyst=OWN, steward=OWN)
EVERY_ROLE = Rule(ANY, ANY, ANY, ANY)
OWN_OF_EVERY_ROLE = Rule(OWN, OWN, OWN, OWN)
ADMINISTRATION = Rule(admin=ANY)
LEDGER_READING = Rule(admin=ANY, auditor=ANY)
BUDGET_READING = Rule(analyst=OWN, admin=ANY, auditor=ANY)
OBJECTION_READING = Rule(steward=ANY, admin=ANY, auditor=ANY)
OBJECTION_RECORDING = Rule(steward=ANY, admin=ANY)

RULES: Mapping[tuple[str, str], Rule] = {
    ("POST", "/v1/queries"): QUERYING,
    ("GET", "/v1/jobs"): QUERYING,
    ("GET", "/v1/jobs/{job_id}"): QUERYING,
    ("GET", "/v1/jobs/{job_id}/result"): QUERYING,
    ("DELETE", "/v1/jobs/{job_id}"): QUERYING,
    ("GET", "/v1/shares"): QUERYING,
    ("POST", "/v1/shares"): QUERYING,
    ("GET", "/v1/shares/{share_id}"): SHARED_LINK,
    ("POST", "/v1/shares/{share_id}/take"): SHARED_LINK,
    ("DELETE", "/v1/shares/{share_id}"): QUERYING,
    ("POST", "/v1/explain"): DRY_RUNS,
    ("POST", "/v1/rehearse"): DRY_RUNS,
    ("GET", "/v1/standing"): QUERYING,
    ("GET", "/v1/standing/{name}"): QUERYING,
    ("GET", "/v1/budget"): BUDGET_READING,
    ("GET", "/v1/history"): BUDGET_READING,
    ("GET", "/v1/tables"): EVERY_ROLE,
    ("GET", "/v1/tables/{name}"): EVERY_ROLE,
    ("GET", "/v1/tables/{name}/outlines"): EVERY_ROLE,
    ("GET", "/v1/functions"): EVERY_ROLE,
    ("GET", "/v1/me"): OWN_OF_EVERY_ROLE,
    ("GET", "/v1/admin/clients"): LEDGER_READING,
    ("POST", "/v1/admin/clients"): ADMINISTRATION,
    ("DELETE", "/v1/admin/clients/{client}"): ADMINISTRATION,
    ("POST", "/v1/admin/caps"): ADMINISTRATION,
    ("GET", "/v1/admin/freezes"): LEDGER_READING,
    ("POST", "/v1/admin/freezes"): ADMINISTRATION,
    ("DELETE", "/v1/admin/freezes"): ADMINISTRATION,
    ("GET", "/v1/admin/keys"): LEDGER_READING,
    ("POST", "/v1/admin/keys"): ADMINISTRATION,
    ("POST", "/v1/admin/keys/{key_id}/rotate"): Rule(OWN, OWN, ANY, OWN),
    ("DELETE", "/v1/admin/keys/{key_id}"): Rule(OWN, OWN, ANY, OWN),
    ("GET", "/v1/admin/topups"): BUDGET_READING,
    ("POST", "/v1/admin/topups"): QUERYING,
    ("POST", "/v1/admin/topups/{request}/approve"): ADMINISTRATION,
    ("POST", "/v1/admin/topups/{request}/decline"): ADMINISTRATION,
    ("GET", "/v1/admin/ledger"): LEDGER_READING,
    ("GET", "/v1/admin/ledger/audit"): LEDGER_READING,
    ("GET", "/v1/admin/ledger/anchor"): LEDGER_READING,
    ("GET", "/v1/admin/ledger/verify"): LEDGER_READING,
    ("POST", "/v1/admin/ledger/verify"): LEDGER_READING,
    ("GET", "/v1/admin/ledger/report"): LEDGER_READING,
    ("GET", "/v1/admin/health"): LEDGER_READING,
    ("GET", "/v1/admin/alerts"): LEDGER_READING,
    ("GET", "/v1/admin/releases"): LEDGER_READING,
    ("GET", "/v1/admin/objections"): OBJECTION_READING,
    ("GET", "/v1/admin/objections/figures"): OBJECTION_READING,
    ("POST", "/v1/admin/objections/figures"): ADMINISTRATION,  # it spends everybody's budget
    ("POST", "/v1/admin/objections"): OBJECTION_RECORDING,
    ("POST", "/v1/admin/objections/bulk"): OBJECTION_RECORDING,
    ("GET", "/metrics"): LEDGER_READING,
}
OPEN = frozenset({("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.json")})
