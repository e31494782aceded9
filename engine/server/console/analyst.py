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

from fastapi import Response
from pydantic import TypeAdapter, ValidationError

from dialect.algebra import NoteCode
from engine.api.wire.answer import read_answer
from engine.errors import Refused
from engine.server.auth.keys import new_id
from engine.server.console.drawing import (
    LONGEST_BAR,
    MAX_INTERVAL_LENGTH,
    MAX_NUMBER_LENGTH,
    RELIABILITY_TEXTS,
    ErrorBar,
    burn_down,
    error_bars,
    noisy_text,
)
from engine.server.console.sessions import Visit, form_fields, refusal_page, see_other
from engine.server.http.requests import Name, QueryRequest
from engine.server.http.responses import answer_shape
from engine.server.http.sizes import MAX_NOTE_LENGTH, MAX_PROFILED_LENGTH, is_profiled, static_notes
from engine.server.routes import admin as admin_routes
from engine.server.routes import analyst as analyst_routes
from engine.server.routes import sharing as sharing_routes


@dataclass(frozen=True)
class Cell:
    """One value of an answer, as a page shows it."""

    text: str
    behind: str  # its half-width, or both ends of its interval
    word: str  # reliability label
    number: bool
    bar: ErrorBar | None


NULL_RATIO_CODE = str(NoteCode.NULL_RATIO)
FOLDED_CODES = frozenset(  # codes of notes in a page's details
    {NoteCode.CLIPPED, NoteCode.WHOLE_PERSON, NoteCode.DERIVED_WINDOWS, NoteCode.QUANTILE, NoteCode.TARGET}
)
NUMBER_TYPES = frozenset({"INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE"})  # for alignment, also of NULL
LONGEST_CELL = Cell(
    "9" * MAX_NUMBER_LENGTH,
    "9" * MAX_INTERVAL_LENGTH,
    max(RELIABILITY_TEXTS.values(), key=len),
    True,
    LONGEST_BAR,
)
LONGEST_PARTS = dict.fromkeys(("noise", "clipping"), 9.9e17)  # in full: a larger one is written with an exponent
PROFILE_PHRASE = "limited per person and corrected; intervals may miss a few very active people"


def answer_page(visit: Visit, template: str, rows: bytes, **shown: Any) -> Response:  # noqa: ANN401  what a page shows
    """Render an answer in a page padded to the longest possible form of it (`engine/server/proofs.md#answer-pages`)."""
    answer = with_cells(answer_shape(*read_answer(rows)))
    longest = visit.page(template, **{**shown, "answer": with_longest_numbers(answer)})
    return visit.page(template, 200, len(longest.body), **{**shown, "answer": answer})


def with_longest_numbers(answer: dict[str, Any]) -> dict[str, Any]:
    """Replace every noisy number of an answer by its longest form, and add every note that noise may add.

    Proof: `engine/server/proofs.md#answer-pages`.
    """
    noisy = [column["name"] in answer["intervals"] for column in answer["columns"]]
    cells = [
        [_longest_cell(each, of_noise) for each, of_noise in zip(row, noisy, strict=True)] for row in answer["cells"]
    ]
    notes, codes = static_notes(answer).values()
    longest = [f"{name}{'-' * MAX_NOTE_LENGTH}" for name in answer["intervals"]]
    longest += ["-" * MAX_NOTE_LENGTH] if answer.get("selection") else []
    profiled = list(answer["intervals"]) if is_profiled(answer) else []
    folded = [f"{name}{'-' * MAX_PROFILED_LENGTH}" for name in profiled]
    widest = {
        **answer,
        "interval_parts": dict.fromkeys(profiled, LONGEST_PARTS) or answer.get("interval_parts", {}),
        "cells": cells,
        "notes": notes + longest + folded,
        "note_codes": codes + [NULL_RATIO_CODE] * len(longest) + [str(NoteCode.CLIPPED)] * len(folded),
    }
    return {**widest, **split_notes(widest)}


def _longest_cell(cell: Cell, of_noise: bool) -> Cell:
    if of_noise:
        return LONGEST_CELL
    return replace(cell, text=LONGEST_CELL.text) if cell.number else cell


def with_cells(answer: dict[str, Any]) -> dict[str, Any]:
    """Add to an answer the display cells of each value: text, interval, reliability, error bar.

    A column has room for both ends of an interval if one of its intervals is lopsided (`both`), else for a half-width.
    """
    columns = [
        _column_cells([row[place] for row in answer["rows"]], column, answer)
        for place, column in enumerate(answer["columns"])
    ]
    rooms = ["both" if any(cell.behind.startswith("[") for cell in cells) else "half" for cells in columns]
    return {**answer, "cells": list(zip(*columns, strict=True)), "rooms": rooms, **split_notes(answer)}


def split_notes(shape: dict[str, Any]) -> dict[str, list[str]]:
    """Split the notes of an answer or explanation into those shown at once and those folded away.

    The long note on a profile is folded, and a phrase stands for it.
    """
    notes = list(zip_longest(shape["notes"], shape.get("note_codes", ()), fillvalue=""))  # of old jobs without codes
    return {
        "short_notes": [
            PROFILE_PHRASE if code == NoteCode.PROFILE else note for note, code in notes if code not in FOLDED_CODES
        ],
        "folded_notes": [note for note, code in notes if code in FOLDED_CODES or code == NoteCode.PROFILE],
    }


def _column_cells(values: list[Any], column: dict[str, Any], answer: dict[str, Any]) -> list[Cell]:
    name, nothing = column["name"], [None] * len(values)
    pairs = answer["intervals"].get(name, nothing)
    words = answer["reliability"].get(name, nothing)
    bars = error_bars(values, pairs)
    if column["type"] == "TIMESTAMP":
        values = _time_texts(values)
    number = name in answer["intervals"] or column["type"] in NUMBER_TYPES or any(map(_is_number, values))
    return [
        Cell(*noisy_text(value, pair), RELIABILITY_TEXTS.get(word, ""), number, bar)
        for value, pair, word, bar in zip(values, pairs, words, bars, strict=True)
    ]


def _time_texts(values: list[str | None]) -> list[str | None]:
    """Texts of times in JSON as people read them: without the T, and without the time of day if all are midnights."""
    is_of_days = all(value is None or value.endswith("T00:00:00") for value in values)
    return [value and (value.partition("T")[0] if is_of_days else value.replace("T", " ")) for value in values]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


REQUEST_ID: TypeAdapter[str | None] = TypeAdapter(Name | None)


async def ask(visit: Visit) -> Response:
    """Page of the query form and the history."""
    return visit.page("ask", **await _query_page_context(visit), sql=visit.query_parameter("sql") or "", rho="")


async def submit_query(visit: Visit) -> Response:
    """Explain or run the submitted query. The form's own id charges it once, however often it is sent."""
    sql, rho = visit.form.get("sql", ""), visit.form.get("rho")

    async def shown() -> dict[str, Any]:
        return {**await _query_page_context(visit), "sql": sql, "rho": rho or ""}

    try:
        question = QueryRequest(sql=sql, rho=rho, target_error=None, confidence=None)
        if visit.form.get("do") != "ask":
            explanation = await visit.call(analyst_routes.explain, asked=question)
            return visit.page("ask", **{**await shown(), "explained": {**explanation, **split_notes(explanation)}})
        request_id = REQUEST_ID.validate_python(visit.form.get("request_id"))
        caller, deadline = visit.authorize(analyst_routes.query), visit.service.settings.deadline_seconds
        outcome = await analyst_routes.answer_or_job(question, caller, visit.jobs, request_id, deadline)
    except (Refused, ValidationError) as error:
        return refusal_page(visit, error, "ask", **await shown())
    if isinstance(outcome, bytes):
        return answer_page(visit, "ask", outcome, **await shown())
    return visit.page("ask", 202, **{**await shown(), "job": visit.jobs.wire_shape(outcome)})


async def _query_page_context(visit: Visit) -> dict[str, Any]:
    history = await visit.call(analyst_routes.history)
    nothing = {"explained": None, "answer": None, "job": None, "problem": None}
    return {"request_id": f"console-{new_id()}", "history": questions_paid(history)[:50], **nothing}


async def catalog(visit: Visit) -> Response:
    """Page of the tables, columns and functions that a query may use."""
    tables = await visit.call(analyst_routes.tables)
    functions = await visit.call(analyst_routes.functions)
    return visit.page("catalog", tables=tables, functions=functions)


JOB_ROWS = 100  # newest jobs on the page


async def jobs(visit: Visit) -> Response:
    """Page of one's jobs, newest first."""
    found = await visit.call(analyst_routes.listed, jobs=visit.jobs)
    return visit.page("jobs", jobs=found[::-1][:JOB_ROWS])


async def job(visit: Visit) -> Response:
    """Page of a job: its progress, and its answer once there is one."""
    job_id = visit.path_parameter("job_id")
    job_shape = await visit.call(analyst_routes.job, job_id=job_id, jobs=visit.jobs)
    row = await visit.jobs.find(visit.authorize(analyst_routes.result).name, job_id)
    arguments = json.loads(row["body"])
    shown = {"job": job_shape, "sql": arguments["sql"], "rho": arguments.get("rho") or "", "answer": None}
    if job_shape["state"] != "done":
        return visit.page("job", **shown)
    rows = await visit.call(analyst_routes.result, job_id=job_id, jobs=visit.jobs, write=bytes)
    return answer_page(visit, "job", rows, **shown)


async def cancel(visit: Visit) -> Response:
    """Cancel a job."""
    await visit.call(analyst_routes.cancel, job_id=visit.path_parameter("job_id"), jobs=visit.jobs)
    return see_other("/console/jobs")


PAYMENT_ROWS = 50  # newest payments in the table next to a chart


async def spending(visit: Visit) -> Response:
    """Page of a client's budget left over time, with a forecast."""
    client = visit.authorize(analyst_routes.budget).visible_client(visit.query_parameter("client"))
    if client is None:
        known = await visit.call(admin_routes.clients)
        return visit.page("pace", client=None, known=sorted({row["client"] for row in known}), drawn=[], ahead={})
    budget = await visit.call(analyst_routes.budget, client=client)
    paid = await visit.call(analyst_routes.history, client=client)
    return visit.page(
        "pace", client=client, known=[], drawn=burn_down_charts(client, budget, paid), ahead=budget["ahead"]
    )


def burn_down_charts(client: str, budget: dict[str, Any], paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Burn-down chart of each dataset, of the window in which the client has least left. None without payments."""
    own_accounts = [row for row in budget["accounts"] if row["client"] == client and not row["window"].startswith("*")]
    least: dict[str, dict[str, Any]] = {}
    for row in own_accounts:
        before = least.setdefault(row["dataset"], row)
        if row["remaining_rho"] < before["remaining_rho"]:
            least[row["dataset"]] = row
    found = (_burn_down_chart(row, budget["forecasts"], paid) for _, row in sorted(least.items()))
    return [each for each in found if each is not None]


def _burn_down_chart(
    account: dict[str, Any], forecasts: list[dict[str, Any]], paid: list[dict[str, Any]]
) -> dict[str, Any] | None:
    window, cap = account["window"].partition(" to ")[0], account["cap_rho"]  # all windows of a run have equal accounts
    rows = _payment_rows(account["dataset"], window, cap, paid)
    if not rows:
        return None
    moments = [datetime.fromisoformat(row["at"]) for row in rows]
    now = max(datetime.now(UTC), moments[-1])
    place = (account["dataset"], window, account["client"])
    forecast = next((each for each in forecasts if (each["dataset"], each["window"], each["client"]) == place), None)
    ends = None if forecast is None else now + timedelta(days=forecast["days"])
    left = [(moment.timestamp(), row["left"]) for moment, row in zip(moments, rows, strict=True)]
    line = burn_down(left, cap, now.timestamp(), None if ends is None else ends.timestamp())
    return {
        **account,
        "left": account["remaining_rho"],
        "cap": cap,
        "since": moments[0].date().isoformat(),
        "ends": None if ends is None else ends.date().isoformat(),
        "of_days": None if forecast is None else forecast["of_days"],
        "line": line.past,
        "ahead": line.ahead,
        "now": line.now,
        "rows": rows[::-1][:PAYMENT_ROWS],
    }


def questions_paid(releases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Questions of a history, newest first: the releases of one question, a profile and its vectors, are one row."""
    found: list[dict[str, Any]] = []
    for each in releases:
        if found and each["sql"] and each["sql"] == found[-1]["sql"]:
            found[-1]["rho"] += each["rho"]
        else:
            found.append(dict(each))
    return found[::-1]


def _payment_rows(dataset: str, window: str, cap: float, paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
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
    found = await visit.call(admin_routes.top_ups)
    return visit.page("requests", asked=found[::-1])


async def ask_for_cap(visit: Visit) -> Response:
    """Submit a top-up request."""
    await visit.submit(admin_routes.request_top_up, form_fields(visit))
    return see_other("/console/requests")


SHARED_PAGE = "/console/shared"


async def shared(visit: Visit) -> Response:
    """Page of one's links, newest first."""
    found = await visit.call(sharing_routes.shares)
    return visit.page("shared", shares=found[::-1])


async def make_share(visit: Visit) -> Response:
    """Share the answer of a query."""
    fields = {"sql": visit.form.get("sql", ""), "rho": visit.form.get("rho") or None}
    made = await visit.submit(sharing_routes.share, fields)
    return see_other(f"{SHARED_PAGE}/{made['id']}")


async def shared_offer(visit: Visit) -> Response:
    """Page of a shared query and its price."""
    return visit.page("offer", offer=await _offer(visit), answer=None)


async def take_shared(visit: Visit) -> Response:
    """Pay for shared numbers, unless paid before, and show them."""
    offer = await _offer(visit)
    rows = await sharing_routes.take_rows(visit.path_parameter("share_id"), visit.authorize(sharing_routes.take))
    return answer_page(visit, "offer", rows, offer=offer)


async def end_share(visit: Visit) -> Response:
    """End a share, after a confirmation."""
    share_id, own_shares = visit.path_parameter("share_id"), await visit.call(sharing_routes.shares)
    if any(each["id"] == share_id for each in own_shares):  # others' shares are not found
        confirmation = visit.confirmation("End this link? Who has paid for the numbers keeps them.", "End it")
        if confirmation is not None:
            return confirmation
    await visit.call(sharing_routes.end, share_id=share_id)
    return see_other(SHARED_PAGE)


async def _offer(visit: Visit) -> dict[str, object]:
    return await visit.call(sharing_routes.offer, share_id=visit.path_parameter("share_id"))
