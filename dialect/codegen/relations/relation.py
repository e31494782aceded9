"""Relation -> SELECT for an engine, with only the needed columns, named by field ids.

The rows are the same in every run: nothing depends on the order in which threads process rows.

There is one writer per operator, (operator, needed fields, target) -> SELECT, each of which computes the fields that
its inputs must have. A release point is the operator at which noise is added: the planner splits plans there, so that
relations below and above it are written apart.

A disjunctive equi-join becomes a UNION ALL of one equi-join per equality, since engines hash equalities, but compare
all pairs for OR (`dialect/codegen/proofs.md#either-equality`):

    ON a.x = b.x OR a.y = b.y        ->        ON a.x = b.x   UNION ALL   ON a.y = b.y AND (a.x = b.x) IS NOT TRUE

Semi-join predicates are written in a form that raises for no row (`dialect/binder/proofs.md#semi-joins`).

Row truncation sorts only the rows of persons beyond the limit: the result is the same as if everybody's rows were
sorted (`dialect/codegen/proofs.md#render`). Where it is known that nobody exceeds the limit, the truncation is left out
(`dialect/codegen/proofs.md#uncut`). Names in its SQL:

    units_over_limit  units (a person, or a person and privacy window) with more rows than the limit: columns u0, ...
    untruncated_rows  the rows before truncation, where these are materialized
    row_rank          a row's rank within its unit, by hash
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from dialect.algebra import relations as rel
from dialect.algebra.codegen_types import Shortcut, TableRowLimit, Target
from dialect.algebra.expressions import TRUE, Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.properties import Properties
from dialect.algebra.relations import identifying_fields, release_table_name
from dialect.algebra.traversal import walk
from dialect.analysis.lints import breaks_ties_by_hash
from dialect.analysis.predicates import disjuncts, split_equalities
from dialect.analysis.uniqueness import minimal_ordering_fields
from dialect.catalog.model import SqlType, Table
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from dialect.codegen.relations.window_functions import write_windows
from dialect.codegen.stored_rows import retention_predicates, stored_column
from dialect.functions.emitter import NO_COLUMN, quote_literal, value_rows, write_expr, write_order_term


def write_values(values: rel.Values, needed: frozenset[Field], target: Target) -> str:
    """Write rows of constants as VALUES; without rows, one row of typed NULLs that WHERE FALSE removes.

    `target` is ignored: constants are written alike for all targets, which are DuckDB's here.
    """
    del target
    if not values.fields:
        return "SELECT 1 AS dummy"
    columns = _columns(_needed_of(values.fields, needed))
    names = ", ".join(f.id for f in values.fields)
    types = [f.type for f in values.fields]
    nothing = (tuple(Literal(None, each) for each in types),)
    rows = value_rows(values.rows or nothing, types)
    return f"SELECT {columns} FROM (VALUES {rows}) AS v({names}){'' if values.rows else ' WHERE FALSE'}"


def write_series(series: rel.Series, needed: frozenset[Field], target: Target) -> str:
    """Write a series, both ends included; its one column is always written, and `target` is ignored."""
    del needed, target
    lower, upper, kind = quote_literal(series.lower), quote_literal(series.upper), series.field.type
    step = "" if series.lower.type is SqlType.BIGINT else f", INTERVAL '{series.step}'"
    return f"SELECT CAST(x AS {kind}) AS {series.field.id} FROM generate_series({lower}, {upper}{step}) AS s(x)"


Needed = frozenset[Field]
RELEASED_KEYS_INDEX = -1  # index of the release that is passed to the backend: the keys of the first pass
RELEASED_KEYS = "released_keys"  # its table in the backend, with columns k0, k1, ...
_HASH_JOINABLE = ("=", "is not distinct from")  # joined by hash, for every type
# operators that return at most the rows of their source
_NON_EXPANDING = rel.Filter, rel.Project, rel.Distinct, rel.FixedPointEncoded, rel.DictionaryEncoded, rel.Sort


def write_rows(relation: rel.Relation, needed: Iterable[Field], target: Target) -> str:
    """Write a relation as one SELECT; raises TypeError for release points, at which plans are split before."""
    operator, needed_fields = relation.operator, frozenset(needed)
    for kind, write in _WRITERS:
        if isinstance(operator, kind):
            return write(operator, needed_fields, target)
    raise TypeError(f"{type(operator).__name__} is split off before anything is written")


def _needed_of(fields: Sequence[Field], needed: Needed) -> list[Field]:
    """Select the needed fields, in the order of `fields`."""
    return [f for f in fields if f in needed]


def _columns(fields: Iterable[Field]) -> str:
    """Write a select list of fields; a dummy column where there are none."""
    return ", ".join(f.id for f in fields) or NO_COLUMN


def _expr_sql(expr: Expr, target: Target) -> str:
    """Write an expression in the target's engine."""
    return write_expr(expr, ENGINE_DIALECTS[target.engine].emitter)


def _fields_read(*exprs: Expr) -> Needed:
    """Return the fields that expressions read."""
    return frozenset(f for expr in exprs for f in fields_of(expr))


def _scan(scan: rel.Scan, needed: Needed, target: Target) -> str:
    """Write a scan: stored columns in dialect types, without rows that have no person, may not be read, or are too old.

    Persons who could not object and rows before the first retained day are excluded.
    """
    scanned = _needed_of(scan.fields, needed)
    columns = ", ".join([f"{_stored_column(scan, f, target)} AS {f.id}" for f in scanned]) or NO_COLUMN
    persons = [
        ENGINE_DIALECTS[target.engine].quote_identifier(f.origin.column)
        for f in scanned
        if f.is_person_key and f.origin is not None
    ]
    conditions = [f"{person} IS NOT NULL" for person in persons]
    conditions += [
        *_objectable_predicates(scan.table, scanned, target),
        *retention_predicates(scan.table, target.engine),
    ]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {columns} FROM {target.addresses[scan.table.name]}{where}"


def _objectable_predicates(table: Table, fields: Sequence[Field], target: Target) -> list[str]:
    """Write the predicate that excludes persons whom no objection could name, as a list of at most one.

    Claim: whoever is read can object. Symbols: the person column of a private table, a text. Formula: 1 to 1,000
    characters without NUL, as engine/data/objections.py takes them. Source: dialect/codegen/proofs.md#can-object.
    Raises nothing.
    """
    person, dialect = table.text_person_column, ENGINE_DIALECTS[target.engine]
    is_person_read = person is not None and any(f.origin is not None and f.origin.column == person for f in fields)
    return [dialect.is_objectable.format(dialect.quote_identifier(str(person)))] if is_person_read else []


def _stored_column(scan: rel.Scan, field: Field, target: Target) -> str:
    """Write the stored column of a scan's field, cast to its dialect type."""
    column = scan.table.columns_by_name.get(field.origin.column) if field.origin else None
    assert column is not None  # noqa: S101  scan fields are declared columns
    return stored_column(column, scan.table, target.engine, target.same_bits_datasets)


def _filter(operator: rel.Filter, needed: Needed, target: Target) -> str:
    """Write WHERE; the source also needs the fields that the condition reads."""
    source = write_rows(operator.source, needed | _fields_read(operator.condition), target)
    columns = _columns(_needed_of(operator.source.fields, needed))
    return f"SELECT {columns} FROM ({source}) AS f WHERE {_expr_sql(operator.condition, target)}"


def _project(operator: rel.Project, needed: Needed, target: Target) -> str:
    """Write the computed columns that are needed, and pass other needed columns on."""
    computed = [(f, expr) for f, expr in operator.computed if f in needed]
    needed_below = (needed - {f for f, _ in operator.computed}) | _fields_read(*(expr for _, expr in computed))
    source = write_rows(operator.source, needed_below, target)
    columns = [f.id for f in _needed_of(operator.source.fields, needed)]
    columns += [f"{_expr_sql(expr, target)} AS {f.id}" for f, expr in computed]
    return f"SELECT {', '.join(columns) or NO_COLUMN} FROM ({source}) AS p"


def _join(join: rel.Join, needed: Needed, target: Target) -> str:
    """Write a join; a disjunctive equi-join reads both inputs once per equality.

    A join without condition is a CROSS JOIN, except left and full joins, which keep rows without a partner.
    """
    needed_below = needed | _fields_read(join.condition)
    left = write_rows(join.left, needed_below & set(join.left.fields), target)
    right = write_rows(join.right, needed_below & set(join.right.fields), target)
    columns = _columns(_needed_of((*join.left.fields, *join.right.fields), needed))
    if join.condition == TRUE and join.kind not in ("left", "full"):
        return f"SELECT {columns} FROM ({left}) AS l CROSS JOIN ({right}) AS r"
    joined_inputs = f"SELECT {columns} FROM ({left}) AS l {join.kind.upper()} JOIN ({right}) AS r ON "
    return " UNION ALL ".join(f"{joined_inputs}{on}" for on in _disjoint_conditions(join, target))


def _disjoint_conditions(join: rel.Join, target: Target) -> list[str]:
    """Write disjoint join conditions: each pair of the join satisfies exactly one.

    A single condition for all other joins and in Spark.

    Claim: the pairs that meet the first equality, those that meet the second and not the first, and so on, are those
    of the join. Symbols: none. Source and proof: dialect/codegen/proofs.md#either-equality. Raises: nothing.
    """
    emitter, alternatives = ENGINE_DIALECTS[target.engine].emitter, split_equalities(join)
    is_split = ENGINE_DIALECTS[target.engine].splits_disjunctions and Shortcut.DISJUNCTIVE_JOINS in target.shortcuts
    if not alternatives or not is_split:
        return [write_expr(join.condition, emitter)]
    required = [part for part in conjuncts(join.condition) if disjuncts(part) != alternatives]
    required_sql = [write_expr(part, emitter) for part in required]
    alternative_sql = [write_expr(each, emitter) for each in alternatives]
    return [
        " AND ".join([test, *(f"({earlier}) IS NOT TRUE" for earlier in alternative_sql[:index]), *required_sql])
        for index, test in enumerate(alternative_sql)
    ]


def _semi_join_condition(condition: Expr, target: Target) -> str:
    """Write the condition of a semi-join or an anti-join.

    Claim: it is true of the same pairs, and no pair makes the engine raise. Symbols: none. Source and proof:
    dialect/binder/proofs.md#semi-joins. Raises: nothing.
    """
    emitter = ENGINE_DIALECTS[target.engine].emitter
    parts = conjuncts(condition)
    if ENGINE_DIALECTS[target.engine].compares_intervals_in_joins or not any(map(_compares_intervals, parts)):
        return write_expr(condition, emitter)
    return " AND ".join(_hide_interval_comparison(part, write_expr(part, emitter)) for part in parts)


def _hide_interval_comparison(part: Expr, written: str) -> str:
    """Wrap a comparison of intervals in CASE, because DuckDB's nested loop join does not support it directly."""
    return f"CASE WHEN {written} THEN TRUE END" if _compares_intervals(part) else f"({written})"


def _compares_intervals(part: Expr) -> bool:
    """Return whether a predicate compares intervals in a way that DuckDB cannot join by hash."""
    is_hash_joinable = isinstance(part, Call) and part.name in _HASH_JOINABLE
    return not is_hash_joinable and any(each.type is SqlType.INTERVAL for each in walk(part))


def _set_operation(operator: rel.SetOperation, needed: Needed, target: Target) -> str:
    """Write a set operation; UNION ALL needs only the columns that are read, all others compare whole rows.

    A column is (left field, right field, field of the result). SELECT needs at least one column, so that the first is
    written if none is read.
    """
    compares_all = operator.is_distinct or operator.kind != "union"
    columns = [each for each in operator.columns if compares_all or each[2] in needed] or [operator.columns[0]]
    sides = []
    for side, index in ((operator.left, 0), (operator.right, 1)):
        rows = write_rows(side, [each[index] for each in columns], target)
        sides.append(f"SELECT {', '.join(f'{each[index].id} AS {each[2].id}' for each in columns)} FROM ({rows}) AS s")
    keyword = operator.kind.upper() if operator.is_distinct else f"{operator.kind.upper()} ALL"
    columns_needed = _columns(_needed_of([each[2] for each in columns], needed))
    return f"SELECT {columns_needed} FROM ({sides[0]} {keyword} {sides[1]}) AS u"


def _semi_join(operator: rel.SemiJoin, needed: Needed, target: Target) -> str:
    """Write a semi-join or anti-join; only columns of the left input are passed on."""
    needed_below = needed | _fields_read(operator.condition)
    left = write_rows(operator.left, needed_below & set(operator.left.fields), target)
    right = write_rows(operator.right, needed_below & set(operator.right.fields), target)
    columns = _columns(_needed_of(operator.left.fields, needed))
    keyword = "ANTI" if operator.is_anti else "SEMI"
    return (
        f"SELECT {columns} FROM ({left}) AS l {keyword} JOIN ({right}) AS r"
        f" ON {_semi_join_condition(operator.condition, target)}"
    )


def _group(operator: rel.Group, needed: Needed, target: Target) -> str:
    """Write GROUP BY with the needed aggregates.

    The person key is read as well where an aggregate breaks ties by a hash that includes it. Without columns to select,
    a dummy column keeps the number of rows: one per group, or one in all.
    """
    aggregates = [m for m in operator.aggregates if m.result in needed]
    expressions = [
        expr for m in aggregates for expr in (*m.arguments, *((m.condition,) if m.condition is not None else ()))
    ]
    needed_below = frozenset(operator.keys) | _fields_read(*expressions)
    if isinstance(operator.source, rel.PerPerson) and any(map(breaks_ties_by_hash, aggregates)):
        needed_below |= {operator.source.person}
    source = write_rows(operator.source, needed_below, target)
    columns = [f.id for f in _needed_of(operator.keys, needed)]
    columns += [
        f"{ENGINE_DIALECTS[target.engine].aggregate_call(m, operator.source)} AS {m.result.id}" for m in aggregates
    ]
    by = f" GROUP BY {', '.join(f.id for f in operator.keys)}" if operator.keys else ""
    dummy = "1 AS dummy" if operator.keys else "count(*) AS dummy"
    return f"SELECT {', '.join(columns) or dummy} FROM ({source}) AS g{by}"


def _distinct(operator: rel.Distinct, needed: Needed, target: Target) -> str:
    """Write SELECT DISTINCT of all keys; columns that nothing reads still distinguish rows."""
    del needed
    source = write_rows(operator.source, frozenset(operator.keys), target)
    columns = _columns(operator.keys)
    return f"SELECT DISTINCT {columns} FROM ({source}) AS d"


def _null_row_padded(operator: rel.NullRowPadded, needed: Needed, target: Target) -> str:
    """Write the source's rows and one further row of NULLs."""
    padded = _needed_of(operator.source.fields, needed)
    source = write_rows(operator.source, needed, target)
    quote = ENGINE_DIALECTS[target.engine].emitter.quote
    nulls = ", ".join(quote(Literal(None, f.type)) for f in padded) or NO_COLUMN
    return f"SELECT {_columns(padded)} FROM ({source}) AS n UNION ALL SELECT {nulls}"


def _dictionary_encoded(operator: rel.DictionaryEncoded, needed: Needed, target: Target) -> str:
    """Write a dictionary encoding: the dense rank of the text among the public rows, from 1; NULL for NULL.

    The code is a SMALLINT where the rows are known to be few, else an INTEGER.
    """
    text, rank = operator.text.id, operator.code.id
    source = write_rows(operator.source, needed | {operator.text}, target)
    columns = [f.id for f in _needed_of(operator.source.fields, needed)]
    code_type = "SMALLINT" if _is_small(operator.source, target) else "INTEGER"  # the narrower type groups faster
    dense_rank = f"CAST(dense_rank() OVER (ORDER BY {text}) AS {code_type})"
    columns.append(f"CASE WHEN {text} IS NOT NULL THEN {dense_rank} END AS {rank}")
    return f"SELECT {', '.join(columns) or NO_COLUMN} FROM ({source}) AS r"


def _is_small(rows: rel.Relation, target: Target) -> bool:
    """Return whether public rows are at most as many as those of one small table (`Target.small_tables`).

    Joins and set operations may have more rows, so that the answer is no for them.
    """
    if isinstance(rows.operator, rel.Scan):
        return rows.operator.table.name in target.small_tables
    return isinstance(rows.operator, _NON_EXPANDING) and _is_small(rows.operator.source, target)


def _fixed_point_encoded(operator: rel.FixedPointEncoded, needed: Needed, target: Target) -> str:
    """Write value grains (fixed-point integers) of a public value, whose SQL the operator already holds."""
    source = write_rows(operator.source, needed | {operator.value}, target)
    columns = [f.id for f in _needed_of(operator.source.fields, needed)]
    columns.append(f"{operator.text} AS {operator.grains.id}")
    return f"SELECT {', '.join(columns)} FROM ({source}) AS g"


def _sort(operator: rel.Sort, needed: Needed, target: Target) -> str:
    """Write ORDER BY with ties broken by all other columns, so that LIMIT selects the same rows in every read.

    Without LIMIT and OFFSET, needed columns are enough to break ties.
    """
    has_slice = operator.limit is not None or operator.offset > 0
    read_fields = (
        frozenset(operator.source.fields) if has_slice else needed | _fields_read(*(key.expr for key in operator.order))
    )
    source = write_rows(operator.source, read_fields, target)
    order_keys = [key for key in operator.order if not isinstance(key.expr, Literal)]  # a constant orders nothing
    terms = [write_order_term(key.expr, key.descending, key.nulls_first) for key in order_keys]
    terms += [write_order_term(Ref(f), False, False) for f in _needed_of(operator.source.fields, read_fields)]
    order = f" ORDER BY {', '.join(dict.fromkeys(terms))}" if terms else ""
    limit = f" LIMIT {operator.limit}" if operator.limit is not None else ""
    offset = f" OFFSET {operator.offset}" if operator.offset else ""
    columns = _columns(_needed_of(operator.source.fields, needed))
    return f"SELECT {columns} FROM ({source}) AS o{order}{limit}{offset}"


def _window(operator: rel.Window, needed: Needed, target: Target) -> str:
    """Write window functions (`write_windows`)."""
    return write_windows(operator, needed, target, write_rows)


def _release_scan(operator: rel.ReleaseScan, needed: Needed, target: Target) -> str:
    """Write a read of a stored release, from the table at the target's address of it."""
    table = release_table_name(operator.index)
    target.broadcast_columns.get(table, set()).update(needed)
    columns = _columns(_needed_of(operator.fields, needed))
    return (
        f"SELECT {columns} FROM {RELEASED_KEYS if operator.index == RELEASED_KEYS_INDEX else target.addresses[table]}"
    )


_NON_BLOCKING = (
    rel.Scan,
    rel.Filter,
    rel.Project,
    rel.Join,
)  # non-blocking operators: cheaper to read again than to materialize


def write_row_truncation(truncation: rel.RowTruncation, needed: frozenset[Field], target: Target) -> str:
    """Write the truncation to R rows of each person, or person and window, by a hash of the row; columns break ties.

    In DuckDB, rows of units within the limit are passed on unsorted, and only those beyond it are ranked. Nothing is
    truncated where the target states that no person exceeds the limit.
    """
    if table_row_limit(truncation) in target.unexceeded_limits:
        return write_rows(truncation.source, needed, target)
    unit = [f for f in (truncation.person, truncation.window) if f is not None]
    columns = [f for f in truncation.source.fields if f in needed]
    if not ENGINE_DIALECTS[target.engine].rereads_rows:
        return _first_by_hash(
            write_rows(truncation.source, truncation.source.fields, target), truncation, unit, columns, target
        )
    cte, (unit_rows, needed_rows, full_rows) = _read_several_times(
        truncation.source, (unit, {*columns, *unit}, truncation.source.fields), target
    )
    over_limit, is_same_unit = units_over_limit([f.id for f in unit], f"({unit_rows}) AS c", truncation.max_rows)
    within_limit = f"SELECT {_columns(columns)} FROM ({needed_rows}) AS c ANTI JOIN units_over_limit ON {is_same_unit}"
    beyond_limit = _first_by_hash(
        f"SELECT * FROM ({full_rows}) AS c SEMI JOIN units_over_limit ON {is_same_unit}",
        truncation,
        unit,
        columns,
        target,
    )
    return f"WITH {cte}units_over_limit AS MATERIALIZED ({over_limit}) {within_limit} UNION ALL {beyond_limit}"


def stored_table_truncations(truncations: Iterable[rel.RowTruncation], target: Target) -> dict[TableRowLimit, str]:
    """Select the truncations of stored tables: (table, limit) -> SQL of the most rows that one person has there.

    The SQL depends on the table alone, so that its result is shared by all queries.
    """
    return {
        limit: _max_rows_sql(truncation, target)
        for truncation in truncations
        if (limit := table_row_limit(truncation)) is not None
    }


def _max_rows_sql(truncation: rel.RowTruncation, target: Target) -> str:
    """Write the largest number of rows of one person in a stored table, as one value `n`."""
    scan, person = truncation.source.operator, replace(truncation.person, id="person")
    assert isinstance(scan, rel.Scan)  # noqa: S101  the caller asks
    rows = write_rows(truncation.source.with_operator(replace(scan, fields=(person,))), {person}, target)
    return f"SELECT max(n) AS n FROM (SELECT count(*) AS n FROM ({rows}) AS c GROUP BY person) AS p"


def table_row_limit(truncation: rel.RowTruncation) -> TableRowLimit | None:
    """Return table and limit of a truncation of a stored table; None for other sources and limits per window."""
    if not isinstance(truncation.source.operator, rel.Scan) or truncation.window is not None:
        return None
    return truncation.source.operator.table.name, truncation.max_rows


def _first_by_hash(
    rows: str, truncation: rel.RowTruncation, unit: list[Field], columns: list[Field], target: Target
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
    return f"SELECT {_columns(columns)} FROM {first}"


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
    source: rel.Relation, column_sets: tuple[Iterable[Field], ...], target: Target
) -> tuple[str, tuple[str, ...]]:
    """Write several reads of a relation: each written out where that is cheap, else from a materialized CTE.

    Returns the CTE (with a trailing comma; "" if there is none), and one SELECT per set of columns, in their order.
    Reads from the CTE have all columns.
    """
    if is_cheap_to_reread(source):
        return "", tuple(write_rows(source, frozenset(each), target) for each in column_sets)
    cte = f"untruncated_rows AS MATERIALIZED ({write_rows(source, source.fields, target)}), "
    return cte, ("SELECT * FROM untruncated_rows",) * len(column_sets)


def is_cheap_to_reread(relation: rel.Relation) -> bool:
    """Return whether reading a relation again costs less than materializing it: no operator in it blocks."""
    return all(isinstance(each.operator, _NON_BLOCKING) for each in walk(relation))


_Writer = Callable[..., str]
_WRITERS: tuple[tuple[type[rel.Operator], _Writer], ...] = (
    (rel.Scan, _scan),
    (rel.Values, write_values),
    (rel.Series, write_series),
    (rel.Filter, _filter),
    (rel.Project, _project),
    (rel.Join, _join),
    (rel.SetOperation, _set_operation),
    (rel.SemiJoin, _semi_join),
    (rel.Group, _group),
    (rel.Distinct, _distinct),
    (rel.RowTruncation, write_row_truncation),
    (rel.NullRowPadded, _null_row_padded),
    (rel.DictionaryEncoded, _dictionary_encoded),
    (rel.FixedPointEncoded, _fixed_point_encoded),
    (rel.Sort, _sort),
    (rel.Window, _window),
    (rel.ReleaseScan, _release_scan),
)
