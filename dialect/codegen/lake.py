"""Broadcast of public tables to a lake, and what is read of a lake once and kept in DuckDB.

Only people's rows lie in the lake. Public tables, lists and constants that are joined to them are computed in DuckDB
and go along with the SQL: a placeholder in braces, where a backend puts the rows (`proofs.md#lakes`).

Kept in DuckDB are the materialized rollups, and the persons who meet every state. Both hold persons as the lake gives
them, so that who objects is found among them as in the lake's own rows (`proofs.md#person-rollups`).
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


def roll_up_lake(plan: PrivatePlan, bounds: Bounding, target: Target, lake: Target) -> LakeRows:
    """Write the rows of a rollup for the lake where people's rows lie; raises NoForm, and Refusal for too much text."""
    check_written(plan, lake)
    source, read, rows = handed_over(plan.source, lake)
    text = write_rollup(replace(plan, source=source), bounds, read)
    return LakeRows(text, {name: rows_handed(public, text, target) for name, public in rows.items()})


def counted(text: str) -> str:
    """Write how many rows there are."""
    return f"SELECT count(*) AS n FROM ({text}) AS r"


def in_part(text: str, part: int, parts: int) -> str:
    """Write a part of rows with a column `person`: all rows of a person are in one, and each row is in one."""
    if parts == 1:
        return text
    number = WORDS[EngineName.SPARK].hashed.format("person")
    return f"SELECT * FROM ({text}) AS r WHERE pmod({number}, {parts}) = {part}"


def stored_rows(rollup: Rollup, rows: str, wide: Collection[str] = ()) -> str:
    """Write in DuckDB's SQL the rows of a rollup as they are kept: in the types of the question that declares it.

    `wide` are columns of whole numbers that 64 bits may not hold.
    """
    plan = rollup.plan
    typed = {column: field.type for column, field in plan.unit.items() if column != "person"}
    typed |= {f"h{i}": key.field.type for i, key in enumerate(plan.keys)}
    kinds = {column: "HUGEINT" if column in wide else kind for column, kind in typed.items()}
    as_typed = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in kinds.items())
    replaced = f" REPLACE ({as_typed})" if kinds else ""
    return f"SELECT *{replaced} FROM {rows} ORDER BY {', '.join(['person', *kinds])}"
