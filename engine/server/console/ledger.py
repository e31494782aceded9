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

from engine.accounts.audit_log import WORDS
from engine.api.csv_cells import write_cells
from engine.server.console.sessions import HEADERS, Visit, whole_number
from engine.server.http.problems import Problem
from engine.server.http.requests import AnchorAsked
from engine.server.routes import admin as administering

NUMBERS = {"sequence": pa.int64(), "rho": pa.float64(), "delta": pa.float64()}
LISTS = ("windows", "questions")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Exported:
    """A file to download."""

    body: bytes
    ending: str
    media_type: str


def exported(rows: Rows, wanted: str) -> Exported:
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
    table = pa.table({name: pa.array([row[name] for row in rows], _type(name)) for name in names})
    out = io.BytesIO()
    parquet.write_table(table, out)
    return out.getvalue()


def _type(name: str) -> pa.DataType:
    return pa.list_(pa.string()) if name in LISTS else NUMBERS.get(name, pa.string())


FORMATS: Mapping[str, tuple[Callable[[Rows], bytes], str]] = {
    "CSV": (_csv, "text/csv; charset=utf-8"),
    "JSON": (_json, "application/json"),
    "Parquet": (_parquet, "application/vnd.apache.parquet"),
}


ROWS = 50  # rows per page
ASKED = ("client", "kind", "since", "until")  # filters of the endpoint; the others are applied here
LOOKED_FOR = ("dataset", "search")
SEARCHED = ("by", "client", "dataset", "kind", "reason", "request_id", "sql")


async def ledger(visit: Visit) -> Response:
    """Page of the ledger's filtered rows, newest first."""
    found = (await _found(visit))[::-1]
    last = max(1, -(-len(found) // ROWS))
    number = min(max(1, whole_number(visit.query("page") or "1")), last)
    rows = found[(number - 1) * ROWS : number * ROWS]
    given = {name: value for name, value in _filters(visit, *ASKED, *LOOKED_FOR).items() if value}
    shown: dict[str, Any] = {"rows": rows, "wanted": given, "words": WORDS, "number": number, "last": last}
    return visit.page("ledger", **shown, count=len(found), formats=list(FORMATS))


async def export(visit: Visit) -> Response:
    """Download the filtered rows."""
    written = exported(await _found(visit), visit.query("as") or "JSON")
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="ledger.{written.ending}"'}
    return Response(written.body, 200, headers, written.media_type)


async def verify(visit: Visit) -> Response:
    """Page with the result of verifying the ledger."""
    told = await administering.verify(visit.asker("GET", "/v1/admin/ledger/verify"))
    return await _verified(visit, told, visit.form.get("anchor", ""))


async def verify_with_anchor(visit: Visit) -> Response:
    """Page with the result of verifying the ledger against a stored anchor."""
    held = visit.form.get("anchor", "").strip()
    asker = visit.asker("POST", "/v1/admin/ledger/verify")
    return await _verified(visit, await administering.verify_with_anchor(AnchorAsked(anchor=held), asker), held)


async def _verified(visit: Visit, told: dict[str, Any], held: str = "") -> Response:
    anchor = await administering.anchor(visit.asker("GET", "/v1/admin/ledger/anchor"))
    return visit.page("verify", told=told, anchor=anchor["anchor"], held=held)


async def _found(visit: Visit) -> list[dict[str, Any]]:
    asked = _filters(visit, *ASKED)
    rows: list[dict[str, Any]] = await administering.audit(visit.asker("GET", "/v1/admin/ledger/audit"), **asked)
    dataset, words = (_filters(visit, *LOOKED_FOR)[name] for name in LOOKED_FOR)
    return [row for row in rows if dataset in (None, row["dataset"]) and _holds(row, words)]


def _holds(row: dict[str, Any], words: str | None) -> bool:
    """Are all words of a search contained in a row? Case is ignored."""
    if words is None:
        return True
    text = " ".join([*(str(row.get(name) or "") for name in SEARCHED), *row["questions"], *row["windows"]]).lower()
    return all(word in text for word in words.lower().split())


def _filters(visit: Visit, *names: str) -> dict[str, str | None]:
    return {name: visit.query(name) for name in names}
