"""Completes FastAPI's OpenAPI document: problem responses, key authentication, roles of each endpoint."""

from __future__ import annotations

from typing import Any

from engine.server.http.problems import MEDIA_TYPE
from engine.server.http.responses import ProblemBody
from engine.server.http.roles import OPEN, RULES, Role, Scope

REFUSAL_TEXTS = {
    "400": "The question, or what stands beside it, is refused.",
    "401": "No key, or one that has ended.",
    "402": "The budget is short.",
    "403": "This key's role does not reach here, or its client is frozen.",
    "404": "It is not there, or another's.",
    "406": "It comes in no such form.",
    "409": "Not in this state.",
    "413": "Too long.",
    "415": "Not in this form.",
    "422": "A request id of another question; or E_EXEC: charged, and it could not be answered.",
    "429": "Too often, or too much at once.",
    "500": "A defect.",
    "503": "Not now; the same again is charged once.",
}


def complete_document(document: dict[str, Any]) -> dict[str, Any]:
    """Complete an OpenAPI document in place, and return it."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for left_over in ("HTTPValidationError", "ValidationError"):
        schemas.pop(left_over, None)
    schemas["Problem"] = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key of this server."}
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete_operation(method.upper(), path, operation)
    return document


def _complete_operation(method: str, path: str, operation: dict[str, Any]) -> None:
    schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"].pop("422", None)
    rule = RULES.get((method, path.replace(":path", "")))
    if rule is None and (method, path) in OPEN:
        codes: tuple[str, ...] = ("429", "500", "503")
    else:
        codes = tuple(REFUSAL_TEXTS)
        operation["security"] = [{"key": []}]
    for code in codes:
        operation["responses"][code] = {"description": REFUSAL_TEXTS[code], "content": schema}
    if rule is not None:
        roles = [f"{role} ({rule.scope_of(role)})" for role in Role if rule.scope_of(role) is not Scope.NONE]
        operation["description"] = f"{operation.get('description', '')}\n\nRoles: {', '.join(roles)}."
