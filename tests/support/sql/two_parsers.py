"""Parser agreement: generated SQL, parsed and rewritten by sqlglot, is the same tree to DuckDB (attack 98).

Only equivalent spellings are normalized: type names, INTERVAL, IS NOT NULL, ORDER BY's defaults.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import duckdb
import sqlglot

_INTERVAL = re.compile(r"INTERVAL '(-?\d+)' (\w+)")
_SPELLINGS = {"TEXT": "VARCHAR", "INT128": "HUGEINT", "SUBSTR": "substring", "substr": "substring"}
_TYPES = re.compile(rf"\b({'|'.join(_SPELLINGS)})\b")
_WHAT = ("class", "type", "function_name")  # compared first: the node type
_DEFAULTS = {("null_order", "ORDER_DEFAULT"): "NULLS LAST", ("type", "ORDER_DEFAULT"): "ASCENDING"}


def difference(sql: str) -> str | None:
    """Describe where the two parsers differ; None if they agree."""
    again = sqlglot.parse_one(sql, read="duckdb").sql("duckdb", copy=False, comments=False)
    return _first(_tree(sql), _tree(again), "")


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _tree(sql: str) -> Any:
    levelled = _TYPES.sub(lambda found: _SPELLINGS[found[1]], sql)
    levelled = _INTERVAL.sub(lambda found: f"INTERVAL '{found[1]} {found[2].lower()}'", levelled)
    row = _connection().execute("SELECT json_serialize_sql(?)", [levelled]).fetchone()
    assert row is not None
    tree = json.loads(row[0])
    assert not tree["error"], f"DuckDB can't read {sql}"
    return _levelled(tree)


def _levelled(node: Any) -> Any:
    if isinstance(node, list):
        return [_levelled(part) for part in node]
    if not isinstance(node, dict):
        return node
    made = {k: _DEFAULTS.get((k, str(v)), _levelled(v)) for k, v in node.items() if not k.startswith("query_location")}
    if made.get("type") == "OPERATOR_NOT" and made["children"][0].get("type") == "OPERATOR_IS_NULL":
        return {**made["children"][0], "type": "OPERATOR_IS_NOT_NULL"}
    if made.get("function_name") in {"date_trunc", "date_diff"}:  # units in any case
        return json.loads(json.dumps(made).lower())
    if made.get("function_name") in {"bool_and", "bool_or"}:  # sqlglot casts their arguments
        inner = made["arguments"][0]["expression"]
        made["arguments"][0]["expression"] = inner["child"] if inner["class"] == "CAST" else inner
    return made


def _first(one: Any, other: Any, path: str) -> str | None:
    """Find the first difference of two trees."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys(), key=lambda k: (k not in _WHAT, k))
        pairs = [(one.get(k), other.get(k), f"{path}.{k}") for k in keys]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(a, b, f"{path}[{place}]") for place, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else f"{path}: {one!r} / {other!r}"[:500]
    return next((found for a, b, where in pairs if (found := _first(a, b, where)) is not None), None)
