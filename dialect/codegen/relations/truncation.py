"""Row truncation -> SELECT: a person's rows are ordered only where there are more of them than are kept.

The rows are those that one order over everybody's would leave (`dialect/codegen/proofs.md#render`), without sorting
what stays anyway; nor is anybody looked for who has more, where it is known that nobody has
(`dialect/codegen/proofs.md#uncut`).
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
_READ_AGAIN = (Scan, Filter, Project, Join)  # what costs less to read again than to keep


def write_cut(cut: Cut, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Keep R rows of each person, or person and window, by a hash of all columns, which themselves break ties."""
    if stored_rows(cut) in target.uncut:
        return write(cut.source, needed, target)
    unit = [f for f in (cut.person, cut.window) if f is not None]
    columns = [f for f in cut.source.fields if f in needed]
    if target.engine is not EngineName.DUCKDB:  # which would read the rows three times
        return _first(write(cut.source, cut.source.fields, target), cut, unit, columns, target)
    kept, (alone, wanted, every) = _read(cut.source, (unit, {*columns, *unit}, cut.source.fields), target, write)
    beyond = f"SELECT {', '.join(f'{f.id} AS u{i}' for i, f in enumerate(unit))} FROM ({alone}) AS c"
    beyond += f" GROUP BY {', '.join(f.id for f in unit)} HAVING count(*) > {cut.max_rows}"
    same = " AND ".join(f"{f.id} IS NOT DISTINCT FROM u{i}" for i, f in enumerate(unit))
    few = f"SELECT {select_list([f.id for f in columns])} FROM ({wanted}) AS c ANTI JOIN beyond ON {same}"
    many = _first(f"SELECT * FROM ({every}) AS c SEMI JOIN beyond ON {same}", cut, unit, columns, target)
    return f"WITH {kept}beyond AS MATERIALIZED ({beyond}) {few} UNION ALL {many}"


def cuts_of_stored(relation: Relation, target: Target, write: _Write) -> dict[StoredRows, str]:
    """Find the cuts of rows as they are stored, each with the SQL of how many of them one person has at most.

    Its text is of the table alone, so that all questions share what it gives.
    """
    cuts = (each.operator for each in all_below(relation) if isinstance(each.operator, Cut))
    return {stored: _most_rows(cut, target, write) for cut in cuts if (stored := stored_rows(cut)) is not None}


def _most_rows(cut: Cut, target: Target, write: _Write) -> str:
    """One row: how many rows one person has at most in the stored table that is cut."""
    scan, person = cut.source.operator, replace(cut.person, id="person")
    assert isinstance(scan, Scan)  # noqa: S101  the caller asks
    rows = write(replace(cut.source, operator=replace(scan, fields=(person,))), {person}, target)
    return f"SELECT max(n) AS n FROM (SELECT count(*) AS n FROM ({rows}) AS c GROUP BY person) AS p"


def stored_rows(cut: Cut) -> StoredRows | None:
    """Tell what is cut where this is a table as it is stored; None of anything else, and of windows apart."""
    if not isinstance(cut.source.operator, Scan) or cut.window is not None:
        return None
    return cut.source.operator.table.name, cut.max_rows


def _first(rows: str, cut: Cut, unit: list[Field], columns: list[Field], target: Target) -> str:
    """Keep the first R rows of each person in the order of their hash."""
    said = words(target)
    row = ", ".join(f.id for f in told_apart_by(cut.source.fields))  # computed columns must not choose other rows
    ties = ", ".join(f"{f.id}{said.nulls}" for f in told_by_fewest(cut.source, unit))
    order = ", ".join(filter(None, (said.hashed.format(row), ties)))
    place = f"row_number() OVER (PARTITION BY {', '.join(f.id for f in unit)} ORDER BY {order})"
    kept = select_list([f.id for f in columns])
    placed = f"SELECT *, {place} AS place FROM ({rows}) AS c"
    return f"SELECT {kept} FROM ({placed}) AS c WHERE place BETWEEN 1 AND {cut.max_rows}"


def _read(
    source: Relation, wanted: tuple[Iterable[Field], ...], target: Target, write: _Write
) -> tuple[str, tuple[str, ...]]:
    """Read some columns of a relation several times: over and over where that is cheap, else of what is kept."""
    if is_read_again(source):
        return "", tuple(write(source, frozenset(each), target) for each in wanted)
    kept = f"uncut AS MATERIALIZED ({write(source, source.fields, target)}), "
    return kept, ("SELECT * FROM uncut",) * len(wanted)


def is_read_again(relation: Relation) -> bool:
    """Tell whether a relation costs less to read again than to keep: no row of it waits for others."""
    return isinstance(relation.operator, _READ_AGAIN) and all(map(is_read_again, sources(relation)))
