"""The pages of who asks: the price first, then the answer with its intervals drawn; history, and the catalog."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic import TypeAdapter, ValidationError

from engine.accounts.problems import Refused
from engine.server.auth.keys import new_id
from engine.server.console.answer_pages import answer_page
from engine.server.console.visits import Visit, refusal
from engine.server.http.problems import Problem
from engine.server.http.requests import Question
from engine.server.http.texts import Name
from engine.server.routes import analyst as asking

REQUEST_ID: TypeAdapter[str | None] = TypeAdapter(Name | None)


async def ask(visit: Visit) -> Response:
    """Show the form, and what was asked before."""
    return visit.page("ask", **await _around(visit), sql=visit.query("sql") or "", rho="")


async def asked(visit: Visit) -> Response:
    """Explain a question, or ask it; the form's own id pays once, however often it is sent."""
    sql, rho = visit.form.get("sql", ""), visit.form.get("rho")
    typed = {"sql": sql, "rho": rho or ""}
    try:
        question = Question(sql=sql, rho=rho, target_error=None, confidence=None)
        if visit.form.get("do") != "ask":
            told = await asking.explain(question, visit.asker("POST", "/v1/explain"))
            return visit.page("ask", **{**await _around(visit), **typed, "explained": told})
        request_id = REQUEST_ID.validate_python(visit.form.get("request_id"))
        asker = visit.asker("POST", "/v1/queries")
        jobs = visit.request.app.state.jobs
        deadline = visit.house.settings.deadline_seconds
        given = await asking.answer_or_job(question, asker, jobs, request_id, deadline)
    except (Refused, Problem, ValidationError) as error:
        return refusal(visit, error, "ask", **{**await _around(visit), **typed})
    if not isinstance(given, bytes):
        return visit.page("ask", 202, **{**await _around(visit), **typed, "job": jobs.told(given)})
    return answer_page(visit, "ask", given, **{**await _around(visit), **typed})


async def _around(visit: Visit) -> dict[str, Any]:
    history = await asking.history(visit.asker("GET", "/v1/history"), None)
    nothing = {"explained": None, "answer": None, "job": None, "problem": None}
    return {"request_id": f"console-{new_id()}", "history": list(reversed(history))[:50], **nothing}


async def catalog(visit: Visit) -> Response:
    """Show the tables, columns and functions that a question may use."""
    tables = await asking.tables(visit.asker("GET", "/v1/tables"))
    functions = await asking.functions(visit.asker("GET", "/v1/functions"))
    return visit.page("catalog", tables=tables, functions=functions)
