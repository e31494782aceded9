"""The page of keys: whose there are; one that is made is shown once."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from engine.server.console.visits import HEADERS, Visit
from engine.server.http.problems import Problem
from engine.server.http.requests import KeyAsked, RotateAsked
from engine.server.http.roles import Role
from engine.server.routes import admin as administering


async def keys(visit: Visit, made: dict[str, Any] | None = None) -> Response:
    """List keys; one that was made just now is shown, this once."""
    found = await administering.keys(visit.asker("GET", "/v1/admin/keys"))
    rules = visit.may("POST", "/v1/admin/keys")
    return visit.page("keys", keys=found, made=made, rules=rules, roles=list(Role))


async def change_key(visit: Visit) -> Response:
    """Make, follow or take back a key."""
    action, form = visit.request.path_params["action"], visit.form
    if action == "make":
        asked = KeyAsked.model_validate({"name": form.get("name", ""), "role": form.get("role", "")})
        asker = visit.asker("POST", "/v1/admin/keys")
        return await keys(visit, await administering.make_key(asked, asker))
    if action == "rotate":
        asker = visit.asker("POST", "/v1/admin/keys/{key_id}/rotate")
        return await keys(visit, await administering.rotate(form.get("id", ""), RotateAsked.model_validate({}), asker))
    if action == "revoke":
        key_id, asker = form.get("id", ""), visit.asker("DELETE", "/v1/admin/keys/{key_id}")
        key = await run_in_threadpool(visit.house.keys.find, key_id)
        question = f"Revoke the {key['role']} key {key_id} of {key['name']}, with those that were made in its place?"
        if (unsure := visit.sure(question, "Revoke")) is not None:
            return unsure
        await administering.revoke(key_id, asker)
        return RedirectResponse("/console/keys", 303, HEADERS)
    raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")
