"""Console pages of the ledger: filter, search, verify and export its rows.

Exports are CSV without spreadsheet formulas, JSON or Parquet.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from fastapi import Response
from pyarrow import parquet

from engine.accounts.audit_log import KIND_DESCRIPTIONS
from engine.api.csv_cells import write_cells
from engine.server.console.sessions import HEADERS, Visit, whole_number
from engine.server.http.problems import Problem
from engine.server.http.requests import AnchorBody
from engine.server.routes import admin as admin_routes

NUMBER_TYPES = {"sequence": pa.int64(), "rho": pa.float64(), "delta": pa.float64()}
LIST_COLUMNS = ("windows", "questions")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Exported:
    """A file to download."""

    body: bytes
    ending: str
    media_type: str


def export_rows(rows: Rows, wanted: str) -> Exported:
    """Export rows in a format; raises Problem with E_PARAM for an unknown one."""
    name = wanted.lower()
    written = {known.lower(): how for known, how in FORMATS.items()}.get(name)
    if written is None:
        raise Problem("E_PARAM", "There is no such format.", f"as={' or '.join(FORMATS).lower()}")
    write, media_type = written
    return Exported(write(rows), name, media_type)


def _csv(rows: Rows) -> bytes:
    out = io.StringIO()
    names = list(rows[0]) if rows else []
    write_cells(out, names, ([row[name] for name in names] for row in rows))
    return out.getvalue().encode()


def _json(rows: Rows) -> bytes:
    return json.dumps(rows, ensure_ascii=False).encode()


def _parquet(rows: Rows) -> bytes:
    """Write rows as Parquet with fixed column types, which do not depend on the rows."""
    names = list(rows[0]) if rows else ["sequence"]
    table = pa.table({name: pa.array([row[name] for row in rows], _arrow_type(name)) for name in names})
    out = io.BytesIO()
    parquet.write_table(table, out)
    return out.getvalue()


def _arrow_type(name: str) -> pa.DataType:
    return pa.list_(pa.string()) if name in LIST_COLUMNS else NUMBER_TYPES.get(name, pa.string())


FORMATS: Mapping[str, tuple[Callable[[Rows], bytes], str]] = {
    "CSV": (_csv, "text/csv; charset=utf-8"),
    "JSON": (_json, "application/json"),
    "Parquet": (_parquet, "application/vnd.apache.parquet"),
}


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
    written = export_rows(await _filtered_rows(visit), visit.query_parameter("as") or "JSON")
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="ledger.{written.ending}"'}
    return Response(written.body, 200, headers, written.media_type)


async def verify(visit: Visit) -> Response:
    """Page with the result of verifying the ledger."""
    return await _verification_page(visit, await visit.call(admin_routes.verify), visit.form.get("anchor", ""))


async def verify_with_anchor(visit: Visit) -> Response:
    """Page with the result of verifying the ledger against a stored anchor."""
    stored_anchor = visit.form.get("anchor", "").strip()
    verification = await visit.call(admin_routes.verify_with_anchor, asked=AnchorBody(anchor=stored_anchor))
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
