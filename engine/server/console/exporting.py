"""Rows of the ledger -> a file: CSV that no spreadsheet runs, JSON, Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from engine.api.csv_cells import write_cells
from engine.server.http.problems import Problem

NUMBERS = {"sequence": pa.int64(), "rho": pa.float64(), "delta": pa.float64()}
LISTS = ("windows", "questions")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Exported:
    """A file."""

    body: bytes
    ending: str
    media_type: str


def exported(rows: Rows, wanted: str) -> Exported:
    """Write rows in a format; raises Problem with E_PARAM."""
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
    """Write rows with types of their own, whatever rows there are."""
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
