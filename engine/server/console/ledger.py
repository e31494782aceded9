"""Console pages of the ledger: filter, search, verify and export its rows.

Exports are CSV without spreadsheet formulas, JSON or Parquet.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from fastapi import Response
from starlette.concurrency import run_in_threadpool

from engine.accounts.audit_log import KIND_DESCRIPTIONS
from engine.api.auditor import export_bytes
from engine.server.console.sessions import HEADERS, Visit, whole_number
from engine.server.http.problems import Problem
from engine.server.routes import admin as admin_routes

NUMBER_TYPES = {"sequence": pa.int64(), "rho": pa.float64(), "delta": pa.float64()}
LIST_COLUMNS = ("windows", "questions")
FORMATS = {  # media types
    "CSV": "text/csv; charset=utf-8",
    "JSON": "application/json",
    "Parquet": "application/vnd.apache.parquet",
}


def export_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as Arrow, with column types that do not depend on the rows."""
    names = list(rows[0]) if rows else ["sequence"]
    return pa.table({name: pa.array([row[name] for row in rows], _arrow_type(name)) for name in names})


def _arrow_type(name: str) -> pa.DataType:
    return pa.list_(pa.string()) if name in LIST_COLUMNS else NUMBER_TYPES.get(name, pa.string())


PAGE_ROWS = 50  # rows per page
ENDPOINT_FILTERS = ("client", "kind", "since", "until")  # filters of the endpoint; the others are applied here
LOCAL_FILTERS = ("dataset", "search")
SEARCHED_COLUMNS = ("by", "client", "dataset", "kind", "reason", "request_id", "sql")


async def ledger(visit: Visit) -> Response:
    """Page of the ledger's filtered rows, newest first."""
    found = (await _filtered_rows(visit))[::-1]
    last = max(1, -(-len(found) // PAGE_ROWS))
    number = min(max(1, whole_number(visit.query_parameter("page") or "1")), last)
    rows = found[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    given = {name: value for name, value in _filters(visit, *ENDPOINT_FILTERS, *LOCAL_FILTERS).items() if value}
    shown: dict[str, Any] = {"rows": rows, "wanted": given, "words": KIND_DESCRIPTIONS, "number": number, "last": last}
    return visit.page("ledger", **shown, count=len(found), formats=list(FORMATS))


async def export(visit: Visit) -> Response:
    """Download the filtered rows."""
    wanted = (visit.query_parameter("as") or "JSON").lower()
    media_type = {name.lower(): media_type for name, media_type in FORMATS.items()}.get(wanted)
    if media_type is None:
        raise Problem("E_PARAM", "There is no such format.", f"as={' or '.join(FORMATS).lower()}")
    written = await run_in_threadpool(export_bytes, export_table(await _filtered_rows(visit)), wanted)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="ledger.{wanted}"'}
    return Response(written, 200, headers, media_type)


async def verify(visit: Visit) -> Response:
    """Page with the result of verifying the ledger."""
    return await _verification_page(visit, await visit.call(admin_routes.verify), visit.form.get("anchor", ""))


async def verify_with_anchor(visit: Visit) -> Response:
    """Page with the result of verifying the ledger against a stored anchor."""
    stored_anchor = visit.form.get("anchor", "").strip()
    verification = await visit.submit(admin_routes.verify_with_anchor, {"anchor": stored_anchor})
    return await _verification_page(visit, verification, stored_anchor)


async def _verification_page(visit: Visit, verification: dict[str, Any], stored_anchor: str) -> Response:
    anchor = await visit.call(admin_routes.anchor)
    return visit.page("verify", told=verification, anchor=anchor["anchor"], held=stored_anchor)


async def _filtered_rows(visit: Visit) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await visit.call(admin_routes.audit, **_filters(visit, *ENDPOINT_FILTERS))
    dataset, words = (_filters(visit, *LOCAL_FILTERS)[name] for name in LOCAL_FILTERS)
    return [row for row in rows if dataset in (None, row["dataset"]) and _matches(row, words)]


def _matches(row: dict[str, Any], words: str | None) -> bool:
    """Are all words of a search contained in a row? Case is ignored."""
    if words is None:
        return True
    text = " ".join(
        [*(str(row.get(name) or "") for name in SEARCHED_COLUMNS), *row["questions"], *row["windows"]]
    ).lower()
    return all(word in text for word in words.lower().split())


def _filters(visit: Visit, *names: str) -> dict[str, str | None]:
    return {name: visit.query_parameter(name) for name in names}
