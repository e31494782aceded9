"""Relation -> SELECT for an engine, with only the needed columns, named by field ids.

The rows are the same in every run: nothing depends on the order in which threads process rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dialect.algebra.expressions import Expr, Field, Literal, Ref, fields_of
from dialect.algebra.relations import (
    Cut,
    Distinct,
    Filter,
    Grained,
    Group,
    Join,
    Operator,
    Padded,
    PerPerson,
    Project,
    Ranked,
    Relation,
    ReleaseScan,
    Scan,
    SemiJoin,
    Series,
    SetOperation,
    Sort,
    Values,
    Window,
)
from dialect.algebra.target import Target
from dialect.analysis.ties import told_apart_by_hash
from dialect.catalog.model import Table
from dialect.codegen.engine_syntax import words
from dialect.codegen.relations.aggregates import write_measure
from dialect.codegen.relations.joins import met, write_join
from dialect.codegen.relations.truncation import write_cut
from dialect.codegen.relations.values import select_list, series_rows, values_rows
from dialect.codegen.relations.window_functions import write_windows
from dialect.codegen.stored_columns import retained, stored_column, text_person
from dialect.functions.emitter import write_expr, write_term

Needed = frozenset[Field]
_NO_MORE_ROWS = (
    Filter,
    Project,
    Distinct,
    Grained,
    Ranked,
    Sort,
)  # operators that return at most the rows of their source


def write_rows(relation: Relation, needed: Iterable[Field], target: Target) -> str:
    """Write a relation as one SELECT; raises TypeError for release points, which are split off before."""
    operator, wanted = relation.operator, frozenset(needed)
    for kind, write in _WRITERS:
        if isinstance(operator, kind):
            return write(operator, wanted, target)
    raise TypeError(f"{type(operator).__name__} is split off before anything is written")


def _kept(fields: Sequence[Field], needed: Needed) -> list[Field]:
    return [f for f in fields if f in needed]


def _expr(expr: Expr, target: Target) -> str:
    return write_expr(expr, words(target).emitter)


def _read(*exprs: Expr) -> Needed:
    return frozenset(f for expr in exprs for f in fields_of(expr))


def _scan(scan: Scan, needed: Needed, target: Target) -> str:
    kept = _kept(scan.fields, needed)
    columns = select_list([f"{_stored(scan, f, target)} AS {f.id}" for f in kept])
    persons = [words(target).name(f.origin.column) for f in kept if f.is_person and f.origin is not None]
    conditions = [f"{person} IS NOT NULL" for person in persons]
    conditions += [*_can_object(scan.table, kept, target), *retained(scan.table, target.engine)]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {columns} FROM {target.addresses[scan.table.name]}{where}"


def _can_object(table: Table, fields: Sequence[Field], target: Target) -> list[str]:
    """Write the predicate that excludes persons whom no objection could name.

    Claim: whoever is read can object. Symbols: the person column of a private table, a text. Formula: 1 to 1,000
    characters without NUL, as engine/data/objections.py takes them. Source: dialect/codegen/proofs.md#can-object.
    Raises nothing.
    """
    person, said = text_person(table), words(target)
    read = person is not None and any(f.origin is not None and f.origin.column == person for f in fields)
    return [said.can_object.format(said.name(str(person)))] if read else []


def _stored(scan: Scan, field: Field, target: Target) -> str:
    column = scan.table.column(field.origin.column) if field.origin else None
    assert column is not None  # noqa: S101  scan fields are declared columns
    return stored_column(column, scan.table, target.engine, target.same_bits)


def _filter(operator: Filter, needed: Needed, target: Target) -> str:
    source = write_rows(operator.source, needed | _read(operator.condition), target)
    columns = select_list([f.id for f in _kept(operator.source.fields, needed)])
    return f"SELECT {columns} FROM ({source}) AS f WHERE {_expr(operator.condition, target)}"


def _project(operator: Project, needed: Needed, target: Target) -> str:
    computed = [(f, expr) for f, expr in operator.computed if f in needed]
    below = (needed - {f for f, _ in operator.computed}) | _read(*(expr for _, expr in computed))
    source = write_rows(operator.source, below, target)
    columns = [f.id for f in _kept(operator.source.fields, needed)]
    columns += [f"{_expr(expr, target)} AS {f.id}" for f, expr in computed]
    return f"SELECT {select_list(columns)} FROM ({source}) AS p"


def _join(operator: Join, needed: Needed, target: Target) -> str:
    return write_join(operator, needed, target, write_rows)


def _set_operation(operator: SetOperation, needed: Needed, target: Target) -> str:
    """Write a set operation; UNION ALL needs only the columns that are read, all others compare whole rows."""
    every = operator.distinct or operator.how != "union"
    columns = [each for each in operator.columns if every or each[2] in needed] or [operator.columns[0]]
    sides = []
    for side, place in ((operator.left, 0), (operator.right, 1)):
        rows = write_rows(side, [each[place] for each in columns], target)
        sides.append(f"SELECT {', '.join(f'{each[place].id} AS {each[2].id}' for each in columns)} FROM ({rows}) AS s")
    word = operator.how.upper() if operator.distinct else f"{operator.how.upper()} ALL"
    kept = select_list([each[2].id for each in columns if each[2] in needed])
    return f"SELECT {kept} FROM ({sides[0]} {word} {sides[1]}) AS u"


def _semi_join(operator: SemiJoin, needed: Needed, target: Target) -> str:
    below = needed | _read(operator.condition)
    left = write_rows(operator.left, below & set(operator.left.fields), target)
    right = write_rows(operator.right, below & set(operator.right.fields), target)
    columns = select_list([f.id for f in _kept(operator.left.fields, needed)])
    how = "ANTI" if operator.anti else "SEMI"
    return f"SELECT {columns} FROM ({left}) AS l {how} JOIN ({right}) AS r ON {met(operator.condition, target)}"


def _group(operator: Group, needed: Needed, target: Target) -> str:
    measures = [m for m in operator.measures if m.field in needed]
    read = [expr for m in measures for expr in (*m.arguments, *((m.condition,) if m.condition is not None else ()))]
    below = frozenset(operator.keys) | _read(*read)
    if isinstance(operator.source, PerPerson) and any(map(told_apart_by_hash, measures)):
        below |= {operator.source.person}
    source = write_rows(operator.source, below, target)
    columns = [f.id for f in _kept(operator.keys, needed)]
    columns += [f"{write_measure(m, operator.source, target.engine)} AS {m.field.id}" for m in measures]
    by = f" GROUP BY {', '.join(f.id for f in operator.keys)}" if operator.keys else ""
    nothing = "1 AS nothing" if operator.keys else "count(*) AS nothing"
    return f"SELECT {', '.join(columns) or nothing} FROM ({source}) AS g{by}"


def _distinct(operator: Distinct, needed: Needed, target: Target) -> str:
    del needed
    source = write_rows(operator.source, frozenset(operator.keys), target)
    columns = select_list([f.id for f in operator.keys])
    return f"SELECT DISTINCT {columns} FROM ({source}) AS d"


def _cut(operator: Cut, needed: Needed, target: Target) -> str:
    return write_cut(operator, needed, target, write_rows)


def _padded(operator: Padded, needed: Needed, target: Target) -> str:
    kept = _kept(operator.source.fields, needed)
    source = write_rows(operator.source, needed, target)
    nulls = select_list([words(target).emitter.quote(Literal(None, f.type)) for f in kept])
    return f"SELECT {select_list([f.id for f in kept])} FROM ({source}) AS n UNION ALL SELECT {nulls}"


def _ranked(operator: Ranked, needed: Needed, target: Target) -> str:
    text, rank = operator.text.id, operator.rank.id
    source = write_rows(operator.source, needed | {operator.text}, target)
    columns = [f.id for f in _kept(operator.source.fields, needed)]
    whole = "SMALLINT" if _has_few_rows(operator.source, target) else "INTEGER"  # the narrower type groups faster
    place = f"CAST(dense_rank() OVER (ORDER BY {text}) AS {whole})"
    columns.append(f"CASE WHEN {text} IS NOT NULL THEN {place} END AS {rank}")
    return f"SELECT {select_list(columns)} FROM ({source}) AS r"


def _has_few_rows(rows: Relation, target: Target) -> bool:
    """Return whether public rows are at most as many as those of one small table."""
    if isinstance(rows.operator, Scan):
        return rows.operator.table.name in target.few
    return isinstance(rows.operator, _NO_MORE_ROWS) and _has_few_rows(rows.operator.source, target)


def _grained(operator: Grained, needed: Needed, target: Target) -> str:
    source = write_rows(operator.source, needed | {operator.value}, target)
    columns = [f.id for f in _kept(operator.source.fields, needed)]
    columns.append(f"{operator.text} AS {operator.grains.id}")
    return f"SELECT {', '.join(columns)} FROM ({source}) AS g"


def _sort(operator: Sort, needed: Needed, target: Target) -> str:
    """Write ORDER BY with ties broken by all other columns, so that LIMIT selects the same rows in every read."""
    sliced = operator.limit is not None or operator.offset > 0
    read = frozenset(operator.source.fields) if sliced else needed | _read(*(key.expr for key in operator.order))
    source = write_rows(operator.source, read, target)
    order_keys = [key for key in operator.order if not isinstance(key.expr, Literal)]  # a constant orders nothing
    terms = [write_term(key.expr, key.descending, key.nulls_first) for key in order_keys]
    terms += [write_term(Ref(f), False, False) for f in _kept(operator.source.fields, read)]
    order = f" ORDER BY {', '.join(dict.fromkeys(terms))}" if terms else ""
    limit = f" LIMIT {operator.limit}" if operator.limit is not None else ""
    offset = f" OFFSET {operator.offset}" if operator.offset else ""
    columns = select_list([f.id for f in _kept(operator.source.fields, needed)])
    return f"SELECT {columns} FROM ({source}) AS o{order}{limit}{offset}"


def _window(operator: Window, needed: Needed, target: Target) -> str:
    return write_windows(operator, needed, target, write_rows)


def _release(operator: ReleaseScan, needed: Needed, target: Target) -> str:
    columns = select_list([f.id for f in _kept(operator.fields, needed)])
    return f"SELECT {columns} FROM {target.addresses[release_name(operator.index)]}"


def release_name(index: int) -> str:
    """Name the table of a release in the outer query; no declared table can have this name."""
    return f"release {index}"


_Writer = Callable[..., str]
_WRITERS: tuple[tuple[type[Operator], _Writer], ...] = (
    (Scan, _scan),
    (Values, values_rows),
    (Series, series_rows),
    (Filter, _filter),
    (Project, _project),
    (Join, _join),
    (SetOperation, _set_operation),
    (SemiJoin, _semi_join),
    (Group, _group),
    (Distinct, _distinct),
    (Cut, _cut),
    (Padded, _padded),
    (Ranked, _ranked),
    (Grained, _grained),
    (Sort, _sort),
    (Window, _window),
    (ReleaseScan, _release),
)
