"""Lakes: public tables broadcast to Spark, and lake results that DuckDB stores.

Only people's rows lie in the lake. Public tables, key sets and constants that are joined to them are computed in
DuckDB and sent along with the SQL; placeholders in braces mark where a backend inserts them (`proofs.md#lakes`).

DuckDB stores materialized rollups and the eligible persons. Both hold persons as the lake reads them, so that
objections match them as they match the lake's rows (`proofs.md#person-rollups`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from dialect.algebra.expressions import Field
from dialect.algebra.relations import PerPerson, Public, Relation, ReleaseScan
from dialect.algebra.release_plan import Bounding, PrivatePlan
from dialect.algebra.target import LakeRows, Rollup, Target
from dialect.analysis.sql_size import check_weight
from dialect.catalog.model import EngineName, SqlType
from dialect.codegen.engine_syntax import WORDS, words
from dialect.codegen.materialized_rollups import write_rollup
from dialect.codegen.relations.relation import release_name, write_rows
from dialect.functions.emitter import NoForm
from dialect.functions.scalar.time import MICROSECONDS_OF_SPAN

LISTED = "listed"  # placeholder of the public key set, to which groups are limited
GATHERED = "gathered"  # DuckDB table of a lake's result
FIRST = -2  # index of the first broadcast table; indices from 0 on are releases, -1 the released keys
# conversions to a lake's column types: 64-bit integers; times of day and intervals in microseconds
_AS_HANDED = {
    SqlType.BIGINT: "TRY_CAST({0} AS BIGINT)",
    SqlType.TIME: "CAST(epoch_ns({0}) // 1000 AS BIGINT)",
    SqlType.INTERVAL: f"CAST({MICROSECONDS_OF_SPAN} AS BIGINT)",
}


def place(handed: str) -> str:
    """Write the placeholder of broadcast rows in a lake's SQL."""
    return f"{{{handed}}}"


def check_written(plan: PrivatePlan, lake: Target) -> None:
    """Refuse what a lake cannot run: UnsupportedByEngine for key types, Refusal for SQL that is too long."""
    for key in plan.keys:
        if key.field.type in (SqlType.TIME, SqlType.INTERVAL):
            raise NoForm(f"a key of type {key.field.type} has no form there")
    check_weight(plan.source, engine=words(lake).emitter)


def handed_over(source: PerPerson, lake: Target) -> tuple[PerPerson, Target, Mapping[str, Public]]:
    """Replace each maximal public subtree by a broadcast table; also return the subtrees by placeholder name."""
    found: list[Public] = []
    changed = _changed(source, found)
    assert isinstance(changed, PerPerson)  # noqa: S101  only its operator has changed
    addresses = {release_name(FIRST - i): place(f"rows{i}") for i in range(len(found))}
    rows = {f"rows{i}": public for i, public in enumerate(found)}
    return changed, replace(lake, addresses={**lake.addresses, **addresses}), rows


def _changed(relation: Relation, found: list[Public]) -> Relation:
    if isinstance(relation, Public):
        same = (i for i, other in enumerate(found) if other is relation)  # shared, as a CTE that is read twice
        at = next(same, len(found))
        found += [relation] if at == len(found) else []
        return Public(ReleaseScan(FIRST - at, relation.fields), relation.fields)
    below = {key: part for key, part in vars(relation.operator).items() if isinstance(part, Relation)}
    changed: dict[str, Any] = {key: _changed(part, found) for key, part in below.items()}
    operator = replace(relation.operator, **changed)
    return replace(relation, operator=operator)


def rows_handed(rows: Public, text: str, target: Target) -> str:
    """Write DuckDB SQL of broadcast rows: the columns that the lake's SQL reads, in the lake's types."""
    read = [f for f in rows.fields if re.search(rf"\b{f.id}\b", text)]
    columns = ", ".join(_handed(field) for field in read) or "1 AS nothing"
    return f"SELECT {columns} FROM ({write_rows(rows, read, target)}) AS h"


def _handed(field: Field) -> str:
    return f"{_AS_HANDED.get(field.type, '{0}').replace('{0}', field.id)} AS {field.id}"


def roll_up_lake(plan: PrivatePlan, bounds: Bounding, target: Target, lake: Target) -> LakeRows:
    """Write a rollup's rows for a lake; raises UnsupportedByEngine, and Refusal for SQL that is too long."""
    check_written(plan, lake)
    source, read, rows = handed_over(plan.source, lake)
    text = write_rollup(replace(plan, source=source), bounds, read)
    return LakeRows(text, {name: rows_handed(public, text, target) for name, public in rows.items()})


def counted(text: str) -> str:
    """Write the number of rows of a query."""
    return f"SELECT count(*) AS n FROM ({text}) AS r"


def in_part(text: str, part: int, parts: int) -> str:
    """Write one of several partitions of rows with a column `person`; all rows of a person are in one of them."""
    if parts == 1:
        return text
    number = WORDS[EngineName.SPARK].hashed.format("person")
    return f"SELECT * FROM ({text}) AS r WHERE pmod({number}, {parts}) = {part}"


def stored_rows(rollup: Rollup, rows: str, wide: Collection[str] = ()) -> str:
    """Write DuckDB SQL of a rollup's rows in their stored types and order; `wide_columns` may exceed 64 bits.

    `wide` are columns of whole numbers that 64 bits may not hold.
    """
    plan = rollup.plan
    typed = {column: field.type for column, field in plan.unit.items() if column != "person"}
    typed |= {f"h{i}": key.field.type for i, key in enumerate(plan.keys)}
    kinds = {column: "HUGEINT" if column in wide else kind for column, kind in typed.items()}
    as_typed = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in kinds.items())
    replaced = f" REPLACE ({as_typed})" if kinds else ""
    return f"SELECT *{replaced} FROM {rows} ORDER BY {', '.join(['person', *kinds])}"
