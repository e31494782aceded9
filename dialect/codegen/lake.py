"""Lakes: public tables broadcast to Spark, and lake results that DuckDB stores.

Only people's rows lie in the lake. Public tables, key sets and constants that are joined to them are computed in
DuckDB and sent along with the SQL; placeholders in braces mark where a backend inserts them (`proofs.md#lakes`).

DuckDB stores materialized rollups and the eligible persons. Both hold persons as the lake reads them, so that
objections match them as they match the lake's rows (`proofs.md#person-rollups`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from dialect.algebra.codegen_types import LakeSql, Rollup, Target
from dialect.algebra.expressions import Field
from dialect.algebra.relations import PerPerson, Public, Relation, ReleaseScan, release_table_name
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan
from dialect.algebra.traversal import transform_down
from dialect.analysis.work_bounds import check_sql_size
from dialect.catalog.model import EngineName, SqlType
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from dialect.codegen.materialized_rollups import write_rollup
from dialect.codegen.relations.relation import write_rows
from dialect.functions.emitter import NO_COLUMN, UnsupportedByEngine
from dialect.functions.scalar.time import MICROSECONDS_OF_INTERVAL

KEY_SET = "key_set"  # placeholder of the public key set, to which groups are limited
LAKE_RESULT = "lake_result"  # DuckDB table of a lake's result
FIRST_BROADCAST_INDEX = -2  # index of the first broadcast table; indices from 0 on are releases, -1 the released keys
# conversions to a lake's column types: 64-bit integers; times of day and intervals in microseconds
_BROADCAST_CASTS = {
    SqlType.BIGINT: "TRY_CAST({0} AS BIGINT)",
    SqlType.TIME: "CAST(epoch_ns({0}) // 1000 AS BIGINT)",
    SqlType.INTERVAL: f"CAST({MICROSECONDS_OF_INTERVAL} AS BIGINT)",
}


def placeholder(name: str) -> str:
    """Write the placeholder of broadcast rows in a lake's SQL."""
    return f"{{{name}}}"


def check_lake_support(plan: PrivatePlan, lake: Target) -> None:
    """Refuse what a lake cannot run: UnsupportedByEngine for key types, Refusal for SQL that is too long."""
    for key in plan.keys:
        if key.field.type in (SqlType.TIME, SqlType.INTERVAL):
            raise UnsupportedByEngine(f"a key of type {key.field.type} has no form there")
    check_sql_size(plan.source, engine=ENGINE_DIALECTS[lake.engine].emitter)


def extract_broadcasts(source: PerPerson, lake: Target) -> tuple[PerPerson, Target, tuple[Public, ...]]:
    """Replace each maximal public subtree by a broadcast table; also return the subtrees, in the order of the tables.

    The second value is the lake with the addresses of these tables: the placeholders {rows0}, {rows1}, .... It collects
    the columns of them that SQL written for it reads.
    """
    broadcasts: list[Public] = []  # in the order in which they are read

    def send(relation: Relation) -> Relation:
        """Replace a public subtree by a scan of its broadcast; a shared one, as of a CTE read twice, is sent once."""
        if not isinstance(relation, Public):
            return relation
        index = next((i for i, other in enumerate(broadcasts) if other is relation), len(broadcasts))
        broadcasts.extend([relation] if index == len(broadcasts) else [])
        return Public(ReleaseScan(FIRST_BROADCAST_INDEX - index, relation.fields), relation.fields)

    private: Relation = source
    changed = transform_down(private, send)
    assert isinstance(changed, PerPerson)  # noqa: S101  only its operator has changed
    tables = [_broadcast_table(i) for i in range(len(broadcasts))]
    addresses = {table: placeholder(f"rows{i}") for i, table in enumerate(tables)}
    extended = replace(
        lake, addresses={**lake.addresses, **addresses}, broadcast_columns={table: set() for table in tables}
    )
    return changed, extended, tuple(broadcasts)


def _broadcast_table(position: int) -> str:
    """Name the table of one broadcast in a target's addresses."""
    return release_table_name(FIRST_BROADCAST_INDEX - position)


def broadcast_sql(broadcasts: Sequence[Public], lake: Target, target: Target) -> dict[str, str]:
    """Write DuckDB SQL of broadcast rows by placeholder: the columns that the lake's SQL reads, in the lake's types."""
    texts = {}
    for i, rows in enumerate(broadcasts):
        read_fields = [f for f in rows.fields if f in lake.broadcast_columns[_broadcast_table(i)]]
        columns = ", ".join([_broadcast_column(field) for field in read_fields]) or NO_COLUMN
        texts[f"rows{i}"] = f"SELECT {columns} FROM ({write_rows(rows, read_fields, target)}) AS h"
    return texts


def _broadcast_column(field: Field) -> str:
    """Write one broadcast column in the lake's type, under its own id."""
    return f"{_BROADCAST_CASTS.get(field.type, '{0}').replace('{0}', field.id)} AS {field.id}"


def lake_rollup(plan: PrivatePlan, bounds: ContributionBounds, target: Target, lake: Target) -> LakeSql:
    """Write a rollup's rows for a lake; raises UnsupportedByEngine, and Refusal for SQL that is too long."""
    check_lake_support(plan, lake)
    source, lake_target, rows = extract_broadcasts(plan.source, lake)
    text = write_rollup(replace(plan, source=source), bounds, lake_target)
    return LakeSql(text, broadcast_sql(rows, lake_target, target))


def row_count_sql(text: str) -> str:
    """Write the number of rows of a query."""
    return f"SELECT count(*) AS n FROM ({text}) AS r"


def partition_sql(text: str, index: int, partitions: int) -> str:
    """Write one of several partitions of rows with a column `person`; all rows of a person are in one of them.

    Partition `index`, from 0, holds the persons whose hash modulo `partitions` is the index.
    """
    if partitions == 1:
        return text
    person_hash = ENGINE_DIALECTS[EngineName.SPARK].hash.format("person")
    return f"SELECT * FROM ({text}) AS r WHERE pmod({person_hash}, {partitions}) = {index}"


def stored_rollup_sql(rollup: Rollup, rows: str, wide_columns: Collection[str] = ()) -> str:
    """Write DuckDB SQL of a rollup's rows in their stored types and order.

    `wide_columns` are integer columns that 64 bits may not hold; they are stored as HUGEINT. `rows` is the FROM item.
    """
    plan = rollup.plan
    column_types = {column: field.type for column, field in plan.unit_columns.items() if column != "person"}
    column_types |= {f"h{i}": key.field.type for i, key in enumerate(plan.keys)}
    stored_types = {column: "HUGEINT" if column in wide_columns else kind for column, kind in column_types.items()}
    casts = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in stored_types.items())
    replace_clause = f" REPLACE ({casts})" if stored_types else ""
    return f"SELECT *{replace_clause} FROM {rows} ORDER BY {', '.join(['person', *stored_types])}"
