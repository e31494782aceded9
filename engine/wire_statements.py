"""Statements beside SELECT -> Arrow, in the same shape as an answer: nothing in it was read from private data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from dialect import functions
from engine.wire import CARD

TABLES = ("name", "kind", "dataset", "person", "size_class")
COLUMNS = ("name", "type", "nullable", "declared")
ACCOUNTS = (
    *("dataset", "window", "client", "cap_rho", "spent_rho", "remaining_rho", "remaining_delta"),
    *("epsilon", "delta", "cap_epsilon"),
)
RELEASES = ("release_id", "dataset", "question", "rho", "delta", "settled_at")
EXPLAINED = ("part", "name", "value", "told")
_PLAIN = {"name", "type", "nullable"}


def listed(rows: Iterable[Mapping[str, Any]], names: tuple[str, ...], remaining: Mapping[str, Any]) -> pa.Table:
    """Give rows as a table with the card of an answer that cost nothing."""
    kept = list(rows)
    table = pa.table({name: _column([row.get(name) for row in kept]) for name in names})
    price = {"rho": 0.0, "delta": 0.0, "epsilon_at_delta": {"epsilon": 0.0, "delta": 0.0}}
    card: dict[str, Any] = {
        "intervals": {}, "confidence": None, "price": price, "remaining": remaining, "release_id": None,
        "replayed": False, "notes": [],
    }  # fmt: skip
    return table.replace_schema_metadata({CARD: json.dumps(card, allow_nan=False).encode()})


def _column(values: list[Any]) -> pa.Array:
    """Give values of one type; where there are none, as text."""
    return pa.array(values) if any(value is not None for value in values) else pa.array(values, pa.string())


def columns_of(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give one row per column of a table, with what is declared of it."""
    return [
        {**column, "declared": json.dumps({k: v for k, v in column.items() if k not in _PLAIN}, default=str)}
        for column in table["columns"]
    ]


def function_names() -> list[dict[str, Any]]:
    """List the functions that a question may use."""
    return [{"name": name} for name in functions()]


def explanation(explained: Mapping[str, Any], windows: Iterable[str]) -> list[dict[str, Any]]:
    """Give an explanation as rows: price, error per column, keys, bounds, thresholds, windows, notes."""
    errors = explained["expected_error"]
    rows: list[tuple[str, str | None, Any, str | None]] = [
        ("price", name, explained["price"][name], None) for name in ("rho", "delta")
    ]
    rows += [("column", c["name"], errors.get(c["name"]), c["type"]) for c in explained["columns"]]
    rows += [("key", k["name"], k["count"], f"{k['kind']}: {k['why']}") for k in explained["keys"]]
    rows += [("bound", b["vector"], b["norm"], b["why"]) for b in explained["bounds"]]
    rows += [("threshold", "persons", t["threshold"], None) for t in explained["thresholds"]]
    rows += [("window", window, None, None) for window in windows]
    rows += [("note", None, None, note) for note in explained["notes"]]
    numbers = ((part, name, None if value is None else float(value), told) for part, name, value, told in rows)
    return [dict(zip(EXPLAINED, row, strict=True)) for row in numbers]
