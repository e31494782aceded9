"""Console pages for analysts: queries, answers, jobs, spending, top-up requests, shared answers.

ask        first the price, then the answer with its intervals drawn; history, and the catalog
answer     numbers with their intervals drawn, on a page whose size depends on no number
jobs       states, answers, and cancelling them
spending   budget left over time, drawn and in a table, and when it runs out
requests   one's own requests for higher caps
shared     one's own links, and the answer behind a link
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

import pyarrow as pa
from fastapi import Response
from fastapi.responses import RedirectResponse
from pydantic import TypeAdapter, ValidationError

from dialect.algebra import NoteCode
from engine.api.wire.answer import CARD
from engine.problems import Refused
from engine.server.auth.keys import new_id
from engine.server.console.drawing import LONGEST, LONGEST_BAR, WORDS, ErrorBar, burn_down, error_bars, noisy_text
from engine.server.console.sessions import HEADERS, Visit, fields_of, refusal
from engine.server.http.problems import Problem
from engine.server.http.requests import Question, ShareAsked, TopUpAsked
from engine.server.http.responses import answer_shape
from engine.server.http.sizes import NOTE, static_notes
from engine.server.http.texts import Name
from engine.server.routes import admin as administering
from engine.server.routes import analyst as asking
from engine.server.routes import sharing as sharing_asked
from engine.server.routes.jobs import Jobs


@dataclass(frozen=True)
class Cell:
    """One value of an answer, as a page shows it."""

    text: str
    behind: str  # its half-width, or both ends of its interval
    word: str  # reliability label
    number: bool
    bar: ErrorBar | None


NULLS = str(NoteCode.NULL_RATIO)
FOLDED = frozenset(  # codes of notes in a page's details
    {NoteCode.CLIPPED, NoteCode.WHOLE_PERSON, NoteCode.DERIVED_WINDOWS, NoteCode.QUANTILE, NoteCode.TARGET}
)
NUMBERS = frozenset({"INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE"})  # for alignment, also of NULL
LONGEST_CELL = Cell("9" * LONGEST, "9" * (2 * LONGEST + 4), max(WORDS.values(), key=len), True, LONGEST_BAR)


def answer_page(visit: Visit, template: str, rows: bytes, **shown: Any) -> Response:  # noqa: ANN401  what a page shows
    """Render an answer in a page padded to the longest possible form of it (`engine/server/proofs.md#answer-pages`)."""
    table = pa.ipc.open_stream(rows).read_all()
    answer = drawn(answer_shape(table, json.loads(table.schema.metadata[CARD])))
    longest = visit.page(template, **{**shown, "answer": widened(answer)})
    return visit.page(template, 200, len(longest.body), **{**shown, "answer": answer})


def widened(answer: dict[str, Any]) -> dict[str, Any]:
    """Replace every noisy number of an answer by its longest form, and add every note that noise may add.

    Proof: `engine/server/proofs.md#answer-pages`.
    """
    noisy = [column["name"] in answer["intervals"] for column in answer["columns"]]
    cells = [[_widest(each, of_noise) for each, of_noise in zip(row, noisy, strict=True)] for row in answer["cells"]]
    notes, codes = static_notes(answer).values()
    longest = ["-" * NOTE for _ in answer["intervals"]]
    widest = {**answer, "cells": cells, "notes": notes + longest, "note_codes": codes + [NULLS] * len(longest)}
    return {**widest, **folded_notes(widest)}


def _widest(cell: Cell, of_noise: bool) -> Cell:
    if of_noise:
        return LONGEST_CELL
    return replace(cell, text=LONGEST_CELL.text) if cell.number else cell


def drawn(answer: dict[str, Any]) -> dict[str, Any]:
    """Add to an answer the display cells of each value: text, interval, reliability, error bar."""
    columns = [
        _column([row[place] for row in answer["rows"]], column, answer)
        for place, column in enumerate(answer["columns"])
    ]
    return {**answer, "cells": list(zip(*columns, strict=True)), **folded_notes(answer)}


def folded_notes(shape: dict[str, Any]) -> dict[str, list[str]]:
    """Split the notes of an answer or explanation into those shown at once and those folded away."""
    notes = list(zip_longest(shape["notes"], shape.get("note_codes", ()), fillvalue=""))  # of old jobs without codes
    return {
        "short_notes": [note for note, code in notes if code not in FOLDED],
        "folded_notes": [note for note, code in notes if code in FOLDED],
    }


def _column(values: list[Any], column: dict[str, Any], answer: dict[str, Any]) -> list[Cell]:
    name, nothing = column["name"], [None] * len(values)
    pairs = answer["intervals"].get(name, nothing)
    words = answer["reliability"].get(name, nothing)
    bars = error_bars(values, pairs)
    number = name in answer["intervals"] or column["type"] in NUMBERS or any(map(_is_number, values))
    return [
        Cell(*noisy_text(value, pair), WORDS.get(word, ""), number, bar)
        for value, pair, word, bar in zip(values, pairs, words, bars, strict=True)
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


REQUEST_ID: TypeAdapter[str | None] = TypeAdapter(Name | None)


async def ask(visit: Visit) -> Response:
    """Page of the query form and the history."""
    return visit.page("ask", **await _around(visit), sql=visit.query("sql") or "", rho="")


async def asked(visit: Visit) -> Response:
    """Explain or run the submitted query. The form's own id charges it once, however often it is sent."""
    sql, rho = visit.form.get("sql", ""), visit.form.get("rho")
    typed = {"sql": sql, "rho": rho or ""}
    try:
        question = Question(sql=sql, rho=rho, target_error=None, confidence=None)
        if visit.form.get("do") != "ask":
            told = await asking.explain(question, visit.asker("POST", "/v1/explain"))
            explained = {**told, **folded_notes(told)}
            return visit.page("ask", **{**await _around(visit), **typed, "explained": explained})
        request_id = REQUEST_ID.validate_python(visit.form.get("request_id"))
        asker = visit.asker("POST", "/v1/queries")
        jobs: Jobs = visit.request.app.state.jobs
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
    """Page of the tables, columns and functions that a query may use."""
    tables = await asking.tables(visit.asker("GET", "/v1/tables"))
    functions = await asking.functions(visit.asker("GET", "/v1/functions"))
    return visit.page("catalog", tables=tables, functions=functions)


JOB_ROWS = 100  # newest jobs on the page


async def jobs(visit: Visit) -> Response:
    """Page of one's jobs, newest first."""
    found = await asking.listed(visit.asker("GET", "/v1/jobs"), visit.request)
    return visit.page("jobs", jobs=found[::-1][:JOB_ROWS])


async def job(visit: Visit) -> Response:
    """Page of a job: its progress, and its answer once there is one."""
    job_id = visit.request.path_params["job_id"]
    told = await asking.job(job_id, visit.asker("GET", "/v1/jobs/{job_id}"), visit.request)
    row = await visit.request.app.state.jobs.find(visit.asker("GET", "/v1/jobs/{job_id}/result").name, job_id)
    asked = json.loads(row["body"])
    shown = {"job": told, "sql": asked["sql"], "rho": asked.get("rho") or "", "answer": None}
    if told["state"] != "done":
        return visit.page("job", **shown)
    return answer_page(visit, "job", bytes(row["rows"]), **shown)


async def cancel(visit: Visit) -> Response:
    """Cancel a job."""
    asker = visit.asker("DELETE", "/v1/jobs/{job_id}")
    await asking.cancel(visit.request.path_params["job_id"], asker, visit.request)
    return RedirectResponse("/console/jobs", 303, HEADERS)


PACE_ROWS = 50  # newest payments in the table next to a chart


async def pace(visit: Visit) -> Response:
    """Page of a client's budget left over time, with a forecast."""
    budget_asker = visit.asker("GET", "/v1/budget")
    whose = budget_asker.client(visit.query("client"))
    if whose is None:
        known = await administering.clients(visit.asker("GET", "/v1/admin/clients"))
        return visit.page("pace", client=None, known=sorted({row["client"] for row in known}), drawn=[], ahead={})
    told = await asking.budget(budget_asker, whose)
    paid = await asking.history(visit.asker("GET", "/v1/history"), whose)
    return visit.page("pace", client=whose, known=[], drawn=pace_drawings(whose, told, paid), ahead=told["ahead"])


def pace_drawings(client: str, told: dict[str, Any], paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Burn-down chart of each dataset, of the window in which the client has least left. None without payments."""
    own = [row for row in told["accounts"] if row["client"] == client and not row["window"].startswith("*")]
    least: dict[str, dict[str, Any]] = {}
    for row in own:
        before = least.setdefault(row["dataset"], row)
        if row["remaining_rho"] < before["remaining_rho"]:
            least[row["dataset"]] = row
    found = (_burned(row, told["forecasts"], paid) for _, row in sorted(least.items()))
    return [each for each in found if each is not None]


def _burned(
    account: dict[str, Any], forecasts: list[dict[str, Any]], paid: list[dict[str, Any]]
) -> dict[str, Any] | None:
    window, cap = account["window"].partition(" to ")[0], account["cap_rho"]  # all windows of a run have equal accounts
    rows = _rows(account["dataset"], window, cap, paid)
    if not rows:
        return None
    moments = [datetime.fromisoformat(row["at"]) for row in rows]
    now = max(datetime.now(UTC), moments[-1])
    place = (account["dataset"], window, account["client"])
    lasts = next((each for each in forecasts if (each["dataset"], each["window"], each["client"]) == place), None)
    ends = None if lasts is None else now + timedelta(days=lasts["days"])
    left = [(moment.timestamp(), row["left"]) for moment, row in zip(moments, rows, strict=True)]
    line = burn_down(left, cap, now.timestamp(), None if ends is None else ends.timestamp())
    return {
        **account,
        "left": account["remaining_rho"],
        "cap": cap,
        "since": moments[0].date().isoformat(),
        "ends": None if ends is None else ends.date().isoformat(),
        "of_days": None if lasts is None else lasts["of_days"],
        "line": line.past,
        "ahead": line.ahead,
        "now": line.now,
        "rows": rows[::-1][:PACE_ROWS],
    }


def _rows(dataset: str, window: str, cap: float, paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List payments from one account, oldest first, with the budget left after each."""
    rows: list[dict[str, Any]] = []
    left = cap
    for each in sorted((row for row in paid if row["settled_at"]), key=lambda row: row["settled_at"]):
        if each["dataset"] == dataset and window in each["windows"]:
            left -= each["rho"]
            rows.append({"at": each["settled_at"], "rho": each["rho"], "left": max(0.0, left)})
    return rows


async def requests(visit: Visit) -> Response:
    """Page of one's top-up requests, newest first."""
    found = await administering.top_ups(visit.asker("GET", "/v1/admin/topups"))
    return visit.page("requests", asked=found[::-1])


async def ask_for_cap(visit: Visit) -> Response:
    """Submit a top-up request."""
    form = fields_of(visit)
    await administering.request_top_up(TopUpAsked.model_validate(form), visit.asker("POST", "/v1/admin/topups"))
    return RedirectResponse("/console/requests", 303, HEADERS)


PAGE = "/console/shared"


async def shared(visit: Visit) -> Response:
    """Page of one's links, newest first."""
    found = await sharing_asked.shares(visit.asker("GET", "/v1/shares"))
    return visit.page("shared", shares=found[::-1])


async def make(visit: Visit) -> Response:
    """Share the answer of a query."""
    asked = ShareAsked.model_validate({"sql": visit.form.get("sql", ""), "rho": visit.form.get("rho") or None})
    made = await sharing_asked.share(asked, visit.asker("POST", "/v1/shares"))
    return RedirectResponse(f"{PAGE}/{made['id']}", 303, HEADERS)


async def offered(visit: Visit) -> Response:
    """Page of a shared query and its price."""
    return visit.page("offer", offer=await _offer(visit), answer=None)


async def take(visit: Visit) -> Response:
    """Pay for shared numbers, unless paid before, and show them."""
    share_id = visit.request.path_params["share_id"]
    offer = await _offer(visit)
    rows = await sharing_asked.taken(share_id, visit.asker("POST", "/v1/shares/{share_id}/take"))
    return answer_page(visit, "offer", rows, offer=offer)


async def end(visit: Visit) -> Response:
    """End a share, after a confirmation."""
    share_id = visit.request.path_params["share_id"]
    mine = await sharing_asked.shares(visit.asker("GET", "/v1/shares"))
    if any(each["id"] == share_id for each in mine):  # others' shares are not found
        unsure = visit.sure("End this link? Who has paid for the numbers keeps them.", "End it")
        if unsure is not None:
            return unsure
    await sharing_asked.end(share_id, visit.asker("DELETE", "/v1/shares/{share_id}"))
    return RedirectResponse(PAGE, 303, HEADERS)


async def _offer(visit: Visit) -> dict[str, object]:
    asker = visit.asker("GET", "/v1/shares/{share_id}")
    told: dict[str, object] = await sharing_asked.offer(visit.request.path_params["share_id"], asker)
    return told
