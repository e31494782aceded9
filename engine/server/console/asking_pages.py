"""The pages of who asks: the price first, then the answer with its intervals drawn; history, and the catalog."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from fastapi import Response
from pydantic import ValidationError

from engine.desk import Refused
from engine.server import asking
from engine.server.answers import answer_shape
from engine.server.bodies import Question
from engine.server.console.drawing import error_bars
from engine.server.console.visits import Visit, refusal
from engine.server.keys import new_id
from engine.server.problems import Problem
from engine.server.sizes import NOTE, follows_noise
from engine.wire import CARD

WIDEST = -1.7976931348623157e308  # no number is written longer, nor an end of its interval


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
        asker = visit.asker("POST", "/v1/queries")
        jobs = visit.request.app.state.jobs
        deadline = visit.house.settings.deadline_seconds
        given = await asking.answer_or_job(question, asker, jobs, visit.form.get("request_id"), deadline)
    except (Refused, Problem, ValidationError) as error:
        return refusal(visit, error, "ask", **{**await _around(visit), **typed})
    if not isinstance(given, bytes):
        return visit.page("ask", 202, **{**await _around(visit), **typed, "job": jobs.told(given)})
    return await _answered(visit, given, typed)


async def _answered(visit: Visit, rows: bytes, typed: dict[str, str]) -> Response:
    table = pa.ipc.open_stream(rows).read_all()
    answer = answer_shape(table, json.loads(table.schema.metadata[CARD]))
    shown = {**await _around(visit), **typed}
    longest = visit.page("ask", **{**shown, "answer": drawn(widened(answer))})
    return visit.page("ask", 200, len(longest.body), **{**shown, "answer": drawn(answer)})


def widened(answer: dict[str, Any]) -> dict[str, Any]:
    """Write every number of an answer at its longest, with every note that noise may add (`proofs.md#answer-pages`)."""
    intervals = answer["intervals"]
    names = [column["name"] for column in answer["columns"]]

    def longest(value: object, name: str) -> object:
        counted = isinstance(value, int | float) and not isinstance(value, bool)
        return WIDEST if counted or name in intervals else value

    rows = [[longest(value, name) for value, name in zip(row, names, strict=True)] for row in answer["rows"]]
    ends = {name: [[WIDEST, WIDEST]] * len(rows) for name in intervals}
    notes = [note for note in answer["notes"] if not follows_noise(note)] + ["-" * NOTE for _ in intervals]
    return {**answer, "rows": rows, "intervals": ends, "notes": notes}


def drawn(answer: dict[str, Any]) -> dict[str, Any]:
    """Put beside each number of an answer its interval, and where that stands in a drawing."""
    columns = []
    for place, column in enumerate(answer["columns"]):
        values = [row[place] for row in answer["rows"]]
        pairs = answer["intervals"].get(column["name"])
        bars = [None] * len(values) if pairs is None else error_bars(values, pairs)
        columns.append(list(zip(values, pairs or [None] * len(values), bars, strict=True)))
    return {**answer, "cells": list(zip(*columns, strict=True))}


async def _around(visit: Visit) -> dict[str, Any]:
    history = await asking.history(visit.asker("GET", "/v1/history"), None)
    nothing = {"explained": None, "answer": None, "job": None, "problem": None}
    return {"request_id": f"console-{new_id()}", "history": list(reversed(history))[:50], **nothing}


async def catalog(visit: Visit) -> Response:
    """Show the tables, columns and functions that a question may use."""
    tables = await asking.tables(visit.asker("GET", "/v1/tables"))
    functions = await asking.functions(visit.asker("GET", "/v1/functions"))
    return visit.page("catalog", tables=tables, functions=functions)
