"""Row truncation as SQL: only the rows of persons beyond the limit are sorted.

The result is the same as if everybody's rows were sorted (`dialect/codegen/proofs.md#render`). Where it is known that
nobody exceeds the limit, the truncation is left out (`dialect/codegen/proofs.md#uncut`). Names in the SQL:

    units_over_limit  units (a person, or a person and privacy window) with more rows than the limit: columns u0, ...
    untruncated_rows  the rows before truncation, where these are materialized
    row_rank          a row's rank within its unit, by hash

`write` is `write_rows` of dialect.codegen.relations.relation, passed in because that module imports this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from dialect.algebra.codegen_types import TableRowLimit, Target
from dialect.algebra.expressions import Field
from dialect.algebra.properties import Properties
from dialect.algebra.relations import Filter, Join, Project, Relation, RowTruncation, Scan, identifying_fields
from dialect.algebra.traversal import walk
from dialect.analysis.uniqueness import minimal_ordering_fields
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from dialect.functions.emitter import select_list

_Write = Callable[[Relation, Iterable[Field], Target], str]
_NON_BLOCKING = (Scan, Filter, Project, Join)  # non-blocking operators: cheaper to read again than to materialize


def write_row_truncation(truncation: RowTruncation, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Write the truncation to R rows of each person, or person and window, by a hash of the row; columns break ties.

    In DuckDB, rows of units within the limit are passed on unsorted, and only those beyond it are ranked. Nothing is
    truncated where the target states that no person exceeds the limit.
    """
    if table_row_limit(truncation) in target.unexceeded_limits:
        return write(truncation.source, needed, target)
    unit = [f for f in (truncation.person, truncation.window) if f is not None]
    columns = [f for f in truncation.source.fields if f in needed]
    if not ENGINE_DIALECTS[target.engine].rereads_rows:
        return _first_by_hash(
            write(truncation.source, truncation.source.fields, target), truncation, unit, columns, target
        )
    cte, (unit_rows, needed_rows, full_rows) = _read_several_times(
        truncation.source, (unit, {*columns, *unit}, truncation.source.fields), target, write
    )
    over_limit, is_same_unit = units_over_limit([f.id for f in unit], f"({unit_rows}) AS c", truncation.max_rows)
    within_limit = (
        f"SELECT {select_list([f.id for f in columns])} FROM ({needed_rows}) AS c"
        f" ANTI JOIN units_over_limit ON {is_same_unit}"
    )
    beyond_limit = _first_by_hash(
        f"SELECT * FROM ({full_rows}) AS c SEMI JOIN units_over_limit ON {is_same_unit}",
        truncation,
        unit,
        columns,
        target,
    )
    return f"WITH {cte}units_over_limit AS MATERIALIZED ({over_limit}) {within_limit} UNION ALL {beyond_limit}"


def stored_table_truncations(relation: Relation, target: Target, write: _Write) -> dict[TableRowLimit, str]:
    """Find the row truncations of stored tables: (table, limit) -> SQL of the most rows that one person has there.

    The SQL depends on the table alone, so that its result is shared by all queries.
    """
    truncations = (each.operator for each in walk(relation) if isinstance(each.operator, RowTruncation))
    return {
        limit: _max_rows_sql(truncation, target, write)
        for truncation in truncations
        if (limit := table_row_limit(truncation)) is not None
    }


def _max_rows_sql(truncation: RowTruncation, target: Target, write: _Write) -> str:
    """Write the largest number of rows of one person in a stored table, as one value `n`."""
    scan, person = truncation.source.operator, replace(truncation.person, id="person")
    assert isinstance(scan, Scan)  # noqa: S101  the caller asks
    rows = write(truncation.source.with_operator(replace(scan, fields=(person,))), {person}, target)
    return f"SELECT max(n) AS n FROM (SELECT count(*) AS n FROM ({rows}) AS c GROUP BY person) AS p"


def table_row_limit(truncation: RowTruncation) -> TableRowLimit | None:
    """Return table and limit of a truncation of a stored table; None for other sources and limits per window."""
    if not isinstance(truncation.source.operator, Scan) or truncation.window is not None:
        return None
    return truncation.source.operator.table.name, truncation.max_rows


def _first_by_hash(
    rows: str, truncation: RowTruncation, unit: list[Field], columns: list[Field], target: Target
) -> str:
    """Write the first R rows of each unit, ordered by a hash of the row's stored columns, then by further columns.

    The tie-breaking columns make the order total, so that rows with equal hashes come in the same order in each run.
    """
    dialect = ENGINE_DIALECTS[target.engine]
    # computed columns must not change which rows are chosen
    row = ", ".join(f.id for f in identifying_fields(truncation.source.fields))
    ties = (f"{f.id}{dialect.nulls_last}" for f in minimal_ordering_fields(truncation.source, Properties(), unit))
    order = ", ".join((dialect.hash.format(row), *ties))
    first = first_rows(f"({rows}) AS c", [f.id for f in unit], order, truncation.max_rows)
    return f"SELECT {select_list([f.id for f in columns])} FROM {first}"


def units_over_limit(unit: Collection[str], rows: str, most: int) -> tuple[str, str]:
    """Write the units with more rows than a limit, as columns u0, ..., and the condition that a row is of such a one.

    `rows` is the FROM item, and `unit` the columns of it that identify a unit.
    """
    aliases = ", ".join(f"{column} AS u{i}" for i, column in enumerate(unit))
    is_same_unit = " AND ".join(f"{column} IS NOT DISTINCT FROM u{i}" for i, column in enumerate(unit))
    return f"SELECT {aliases} FROM {rows} GROUP BY {', '.join(unit)} HAVING count(*) > {most}", is_same_unit


def first_rows(rows: str, unit: Iterable[str], order: str, most: int) -> str:
    """Write the FROM item and WHERE of each unit's first rows by an order; the column `row_rank` is added."""
    row_number = f"row_number() OVER (PARTITION BY {', '.join(unit)} ORDER BY {order})"
    return f"(SELECT *, {row_number} AS row_rank FROM {rows}) AS c WHERE row_rank BETWEEN 1 AND {most}"


def _read_several_times(
    source: Relation, column_sets: tuple[Iterable[Field], ...], target: Target, write: _Write
) -> tuple[str, tuple[str, ...]]:
    """Write several reads of a relation: each written out where that is cheap, else from a materialized CTE.

    Returns the CTE (with a trailing comma; "" if there is none), and one SELECT per set of columns, in their order.
    Reads from the CTE have all columns.
    """
    if is_cheap_to_reread(source):
        return "", tuple(write(source, frozenset(each), target) for each in column_sets)
    cte = f"untruncated_rows AS MATERIALIZED ({write(source, source.fields, target)}), "
    return cte, ("SELECT * FROM untruncated_rows",) * len(column_sets)


def is_cheap_to_reread(relation: Relation) -> bool:
    """Return whether reading a relation again costs less than materializing it: no operator in it blocks."""
    return all(isinstance(each.operator, _NON_BLOCKING) for each in walk(relation))
