"""Row truncation as SQL: only the rows of persons beyond the limit are sorted.

The result is the same as if everybody's rows were sorted (`dialect/codegen/proofs.md#render`). Where it is known that
nobody exceeds the limit, the truncation is left out (`dialect/codegen/proofs.md#uncut`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from dialect.algebra.expressions import Field
from dialect.algebra.relations import Cut, Filter, Join, Project, Relation, Scan
from dialect.algebra.target import StoredRows, Target
from dialect.algebra.traversal import all_below, sources, told_apart_by
from dialect.analysis.functional_dependencies import told_by_fewest
from dialect.catalog.model import EngineName
from dialect.codegen.engine_syntax import words
from dialect.codegen.relations.values import select_list

_Write = Callable[[Relation, Iterable[Field], Target], str]
_READ_AGAIN = (Scan, Filter, Project, Join)  # non-blocking operators: cheaper to read again than to materialize


def write_cut(cut: Cut, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Write the truncation to R rows of each person, or person and window, by a hash of the row; columns break ties."""
    if stored_rows(cut) in target.uncut:
        return write(cut.source, needed, target)
    unit = [f for f in (cut.person, cut.window) if f is not None]
    columns = [f for f in cut.source.fields if f in needed]
    if target.engine is not EngineName.DUCKDB:  # other engines would read the rows three times
        return _first(write(cut.source, cut.source.fields, target), cut, unit, columns, target)
    kept, (alone, wanted, every) = _read(cut.source, (unit, {*columns, *unit}, cut.source.fields), target, write)
    beyond = f"SELECT {', '.join(f'{f.id} AS u{i}' for i, f in enumerate(unit))} FROM ({alone}) AS c"
    beyond += f" GROUP BY {', '.join(f.id for f in unit)} HAVING count(*) > {cut.max_rows}"
    same = " AND ".join(f"{f.id} IS NOT DISTINCT FROM u{i}" for i, f in enumerate(unit))
    few = f"SELECT {select_list([f.id for f in columns])} FROM ({wanted}) AS c ANTI JOIN beyond ON {same}"
    many = _first(f"SELECT * FROM ({every}) AS c SEMI JOIN beyond ON {same}", cut, unit, columns, target)
    return f"WITH {kept}beyond AS MATERIALIZED ({beyond}) {few} UNION ALL {many}"


def cuts_of_stored(relation: Relation, target: Target, write: _Write) -> dict[StoredRows, str]:
    """Find the row truncations of stored tables, each with the SQL of the most rows that one person has there.

    The SQL depends on the table alone, so that its result is shared by all queries.
    """
    cuts = (each.operator for each in all_below(relation) if isinstance(each.operator, Cut))
    return {stored: _most_rows(cut, target, write) for cut in cuts if (stored := stored_rows(cut)) is not None}


def _most_rows(cut: Cut, target: Target, write: _Write) -> str:
    """Write the largest number of rows of one person in a stored table."""
    scan, person = cut.source.operator, replace(cut.person, id="person")
    assert isinstance(scan, Scan)  # noqa: S101  the caller asks
    rows = write(replace(cut.source, operator=replace(scan, fields=(person,))), {person}, target)
    return f"SELECT max(n) AS n FROM (SELECT count(*) AS n FROM ({rows}) AS c GROUP BY person) AS p"


def stored_rows(cut: Cut) -> StoredRows | None:
    """Return table and limit of a truncation of a stored table; None for other sources and limits per window."""
    if not isinstance(cut.source.operator, Scan) or cut.window is not None:
        return None
    return cut.source.operator.table.name, cut.max_rows


def _first(rows: str, cut: Cut, unit: list[Field], columns: list[Field], target: Target) -> str:
    """Write the first R rows of each person, ordered by a hash of the row."""
    said = words(target)
    row = ", ".join(
        f.id for f in told_apart_by(cut.source.fields)
    )  # computed columns must not change which rows are chosen
    ties = ", ".join(f"{f.id}{said.nulls}" for f in told_by_fewest(cut.source, unit))
    order = ", ".join(filter(None, (said.hashed.format(row), ties)))
    place = f"row_number() OVER (PARTITION BY {', '.join(f.id for f in unit)} ORDER BY {order})"
    kept = select_list([f.id for f in columns])
    placed = f"SELECT *, {place} AS place FROM ({rows}) AS c"
    return f"SELECT {kept} FROM ({placed}) AS c WHERE place BETWEEN 1 AND {cut.max_rows}"


def _read(
    source: Relation, wanted: tuple[Iterable[Field], ...], target: Target, write: _Write
) -> tuple[str, tuple[str, ...]]:
    """Write several reads of a relation: each written out where that is cheap, else from a materialized CTE."""
    if is_read_again(source):
        return "", tuple(write(source, frozenset(each), target) for each in wanted)
    kept = f"uncut AS MATERIALIZED ({write(source, source.fields, target)}), "
    return kept, ("SELECT * FROM uncut",) * len(wanted)


def is_read_again(relation: Relation) -> bool:
    """Return whether reading a relation again costs less than materializing it: no operator in it blocks."""
    return isinstance(relation.operator, _READ_AGAIN) and all(map(is_read_again, sources(relation)))
