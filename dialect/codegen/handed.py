"""Public rows below people's -> tables that a lake is handed: what is public is computed in DuckDB alone.

Only people's rows lie in the lake. Whatever is joined to them from public tables, lists and constants is made where
public tables are, and goes along with the SQL: a place in braces, where a backend puts the rows (`proofs.md#lakes`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dialect.algebra.expressions import Field
from dialect.algebra.private_plan import PrivatePlan
from dialect.algebra.relations import PerPerson, Public, Relation, ReleaseScan
from dialect.algebra.target import Target
from dialect.analysis.sql_size import check_weight
from dialect.catalog.catalog import SqlType
from dialect.codegen.engines import words
from dialect.codegen.relations.relation import release_name, write_rows
from dialect.functions.scalar.functions_time import MICROSECONDS_OF_SPAN
from dialect.functions.write_expr import NoForm

LISTED = "listed"  # the keys of a public list, which groups must be in
GATHERED = "gathered"  # what a lake gave, in DuckDB
FIRST = -2  # the index of the first handed table; those from 0 on are releases, and -1 released keys
# what a lake's column of a type is: integers of 64 bits, times of day and spans in microseconds
_AS_HANDED = {
    SqlType.BIGINT: "TRY_CAST({0} AS BIGINT)",
    SqlType.TIME: "CAST(epoch_ns({0}) // 1000 AS BIGINT)",
    SqlType.INTERVAL: f"CAST({MICROSECONDS_OF_SPAN} AS BIGINT)",
}


def place(handed: str) -> str:
    """Write the place of handed rows in the SQL of a lake."""
    return f"{{{handed}}}"


def check_written(plan: PrivatePlan, lake: Target) -> None:
    """Refuse keys that come back as another type, raises NoForm; and text that would be too long, raises Refusal."""
    for key in plan.keys:
        if key.field.type in (SqlType.TIME, SqlType.INTERVAL):
            raise NoForm(f"a key of type {key.field.type} has no form there")
    check_weight(plan.source, engine=words(lake).emitter)


def handed_over(source: PerPerson, lake: Target) -> tuple[PerPerson, Target, Mapping[str, Public]]:
    """Put a table in the place of every public relation, the widest ones; gives what is in each, by its name."""
    found: list[Public] = []
    changed = _changed(source, found)
    assert isinstance(changed, PerPerson)  # noqa: S101  its operator alone is another
    addresses = {release_name(FIRST - i): place(f"rows{i}") for i in range(len(found))}
    rows = {f"rows{i}": public for i, public in enumerate(found)}
    return changed, replace(lake, addresses={**lake.addresses, **addresses}), rows


def _changed(relation: Relation, found: list[Public]) -> Relation:
    if isinstance(relation, Public):
        same = (i for i, other in enumerate(found) if other is relation)  # a CTE that is read twice
        at = next(same, len(found))
        found += [relation] if at == len(found) else []
        return Public(ReleaseScan(FIRST - at, relation.fields), relation.fields)
    below = {key: part for key, part in vars(relation.operator).items() if isinstance(part, Relation)}
    changed: dict[str, Any] = {key: _changed(part, found) for key, part in below.items()}
    operator = replace(relation.operator, **changed)
    return replace(relation, operator=operator)


def rows_handed(rows: Public, text: str, target: Target) -> str:
    """Write in DuckDB's SQL what is handed: the columns that a lake's text reads, as the lake's types."""
    read = [f for f in rows.fields if re.search(rf"\b{f.id}\b", text)]
    columns = ", ".join(_handed(field) for field in read) or "1 AS nothing"
    return f"SELECT {columns} FROM ({write_rows(rows, read, target)}) AS h"


def _handed(field: Field) -> str:
    return f"{_AS_HANDED.get(field.type, '{0}').replace('{0}', field.id)} AS {field.id}"
