"""Kinds of unary operators: projection, filter, DISTINCT and SQL windows over each kind of relation.

Proof: `proofs.md#relation-kinds`; of windows, whose partitions over private rows must contain the person key:
`dialect/codegen/proofs.md#windows`.

Joins: `dialect.stability.joins`. Set operations: `dialect.stability.set_operations`. Groups: `dialect.binder.group_by`.
Tables: `dialect.stability.scans`. Nothing else creates a PerPerson relation or a ReleasePoint;
`dialect.planner.compilation` replaces each ReleasePoint by the scan of a release.

A query that would output private rows is refused, with suggestions that count people or rows.

Terms:

    private          PerPerson: every row belongs to one person
    release point    operator over private rows whose result is released with noise: a GROUP BY without the person
    definition       expression over stored columns whose value a computed field has; used to compare expressions
    public_values    public rows whose columns contain every value of a field: its public key set
    preserved side   public rows of `public LEFT JOIN private` that appear also where no private row matches
    window           an SQL window (OVER); the period that is protected as one unit is called a privacy window
    row truncation   at most `max_rows` rows of each person are kept, the row bound of the relation
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlglot import exp

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Expr, Field, Ref, conjuncts
from dialect.algebra.properties import Properties
from dialect.algebra.relations import public_values_of, truncate_rows
from dialect.analysis.uniqueness import selects_one_row_number
from dialect.catalog.model import SqlType
from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, Suggestion, to_suggestions
from dialect.functions.registry import computed_field, definition_of, is_constant_per_person
from dialect.parser.compile_context import CompileContext, refusal
from dialect.parser.spans import span_of, sql_text, with_tree_changed
from dialect.parser.suggestions.window_functions import first_rows_as_extremes, windows_as_groups
from dialect.stability.outer_joins import check_preserved_keys, compute_preserved, filter_preserved
from dialect.stability.typed_calls import polygon_refusal

_FROM = re.compile(r"\bfrom\b.*?(?=\border by\b|\blimit\b|\boffset\b|;|$)", re.IGNORECASE | re.DOTALL)
_SELECT_DISTINCT = re.compile(r"\s*select\s+distinct\s+([\w.]+(?:\s*,\s*[\w.]+)*)\s+from\b", re.IGNORECASE)
SameKind = TypeVar("SameKind", bound=rel.Relation)  # Public, PerPerson or Released: an operator keeps it


def counting_suggestions(sql: str, relation: rel.PerPerson) -> tuple[Suggestion, ...]:
    """Suggest queries that count: persons listed by DISTINCT, grouped by the other columns, then rows."""
    people = to_suggestions(_count_persons_instead(sql, relation), "counts people in place of listing them")
    return *people, *to_suggestions(_count_rows_instead(sql), "counts rows in place of listing them")


def _count_persons_instead(sql: str, relation: rel.PerPerson) -> tuple[str, ...]:
    """Suggest counting persons instead of SELECT DISTINCT with the person key: by the other columns, then in all.

    Found by patterns in the text; empty where the query has another form.
    """
    listed, source = _SELECT_DISTINCT.match(sql), _FROM.search(sql)
    columns = [] if listed is None else [column.strip() for column in listed[1].split(",")]
    person = next((c for c in columns if c.rpartition(".")[2].lower() == (relation.person.name or "").lower()), None)
    if person is None or source is None:
        return ()
    keys, people = ", ".join(column for column in columns if column != person), f"COUNT(DISTINCT {person})"
    count_only = f"SELECT {people} {source[0].strip()}"
    return (f"SELECT {keys}, {people} {source[0].strip()} GROUP BY {keys}", count_only) if keys else (count_only,)


def _count_rows_instead(sql: str) -> tuple[str, ...]:
    """Suggest counting rows instead of listing them: those of the same FROM, and those of the query as a subquery.

    With a GROUP BY only the subquery is suggested, as the rows are groups.
    """
    source = _FROM.search(sql)
    of_groups = f"SELECT COUNT(*) FROM ({sql.strip().rstrip('; ')})"
    plain = f"SELECT COUNT(*) {source[0].strip()}" if source else of_groups
    return (of_groups,) if re.search(r"\bgroup by\b", sql, re.IGNORECASE) else (plain, of_groups)


def prepare_for_join(relation: rel.Relation) -> rel.Relation:
    """Prepare a public relation for a join: its own rows become the public key set of its fields.

    The key set of a group key that a private row gets from the join is read from these rows. Definitions are dropped,
    as they read columns below the relation. Relations that are not public are unchanged.
    """
    if not isinstance(relation, rel.Public) or all(_references_own_rows(f, relation) for f in relation.fields):
        return relation
    return replace(relation, fields=tuple(replace(f, public_values=relation, definition=None) for f in relation.fields))


def _references_own_rows(field: Field, relation: rel.Public) -> bool:
    """Return whether a field has the relation's own rows as its key set already."""
    public = public_values_of(field)
    return public is not None and public.operator is relation.operator and field.definition is None


def filter_rows(
    relation: rel.Relation, condition: Expr, known: Properties, node: exp.Expr | None = None
) -> rel.Relation:
    """Filter rows by a condition; the kind is preserved, and the condition's conjuncts become predicates.

    The preserved side is filtered too. A filter such as ROW_NUMBER() OVER (PARTITION BY person ...) = 1 leaves one row
    per person, which is marked.
    """
    filtered = replace(relation.with_filter(condition), predicates=relation.predicates + predicates_of(condition))
    if not isinstance(filtered, rel.PerPerson):
        return filtered
    if filtered.preserved_side is not None:
        return replace(filtered, preserved_side=filter_preserved(filtered.preserved_side, condition, node))
    return mark_one_row_per_person(filtered) if selects_one_row_number(relation, condition, known) else filtered


def mark_one_row_per_person(relation: rel.PerPerson) -> rel.PerPerson:
    """Mark a relation as having at most one row per person, so that every field is constant per person."""
    fields = tuple(replace(f, is_constant_per_person=True) for f in relation.fields)
    return replace(relation, fields=fields, has_one_row_per_person=True, max_rows=1, per_window_factors=0)


def predicates_of(condition: Expr) -> tuple[Expr, ...]:
    """Predicates that a condition implies for every remaining row: its conjuncts, with definitions expanded."""
    expanded = (definition_of(part) for part in conjuncts(condition))
    return tuple(part for part in expanded if part is not None)


def project(relation: SameKind, exprs: Sequence[Expr], context: CompileContext) -> tuple[SameKind, list[Field]]:
    """Compute expressions as new fields; the kind is preserved.

    Returns the relation, with the new fields appended, and one field per expression in order: an existing field for a
    plain column, one new field for equal expressions.
    """
    fields: list[Field] = []
    new: dict[Expr, Field] = {}  # computed expression -> its new field
    for expr in exprs:
        if not isinstance(expr, Ref) and expr not in new:
            new[expr] = computed_field(context.new_field_id(), expr)
        fields.append(expr.field if isinstance(expr, Ref) else new[expr])
    if not new:
        return relation, fields
    computed = tuple((field, expr) for expr, field in new.items())
    projected = relation.with_columns(computed)
    if isinstance(projected, rel.PerPerson) and projected.preserved_side is not None:
        projected = replace(projected, preserved_side=compute_preserved(projected.preserved_side, computed))
    return projected, fields


def person_key_among(source: rel.PerPerson, keys: Sequence[Field]) -> Field | None:
    """Return the key that is every row's person, never NULL; None if there is none."""
    if source.person in keys:
        return source.person
    return next((key for key in keys if key.is_person_key and not key.nullable), None)


def apply_distinct(relation: rel.Relation, keys: Sequence[Field], is_outermost: bool, node: exp.Expr) -> rel.Relation:
    """Apply DISTINCT to some fields.

    Over private rows they must include the person. Without it the result is a release point, which only the outermost
    SELECT DISTINCT may be (`is_outermost`).
    """
    unique = tuple(dict.fromkeys(keys))  # a column may be selected twice
    refuse_polygons(unique, node)
    if not isinstance(relation, rel.PerPerson):
        plain = tuple(replace(f, definition=None) for f in unique)
        return replace(relation, operator=rel.Distinct(relation, unique), fields=plain)
    check_preserved_keys(relation, unique, node)
    person = person_key_among(relation, unique)
    if person is not None:
        one_row = all(is_constant_per_person(f) for f in unique)
        return replace(
            relation, operator=rel.Distinct(relation, unique), fields=unique, person=person,
            has_one_row_per_person=one_row, max_rows=1 if one_row else relation.max_rows,
            per_window_factors=0 if one_row else relation.per_window_factors,
        )  # fmt: skip
    refuse_persons(unique, relation, node)
    if not is_outermost:
        own = f"SELECT DISTINCT {relation.person.name or 'person'}, ..."
        raise refusal(Kind.DISTINCT_WITHOUT_PERSON, node, query=own)
    return rel.Released(rel.ReleasePoint(relation, unique, (), span_of(node)), strip_fields(unique))


def refuse_persons(keys: Sequence[Field], source: rel.PerPerson, node: exp.Expr) -> None:
    """Refuse keys that include a nullable person key: it is not the person of every row."""
    if any(key.is_person_key for key in keys):
        raise refusal(Kind.PRESERVED_WITHOUT_PERSON, node, person=source.person.name or Unnamed.PERSON)


def refuse_polygons(fields: Iterable[Field], node: exp.Expr | None = None) -> None:
    """Refuse polygons where values are compared or output."""
    if any(f.type is SqlType.POLYGON for f in fields):
        raise polygon_refusal(node)


def strip_fields(keys: Sequence[Field]) -> tuple[Field, ...]:
    """Key fields as plain values, without what is known of them from private rows.

    Above a release point nothing is computed from private rows, so domains, bounds and origins have no use there.
    """
    return tuple(
        replace(
            f,
            definition=None,
            public_values=None,
            domain=None,
            bounds=None,
            origin=None,
            is_constant_per_person=False,
            alternatives=(),
        )
        for f in keys
    )


@dataclass(frozen=True)
class RequestedCall:
    """A window function call of the query, with its AST node for refusals."""

    call: rel.WindowCall
    node: exp.Expr
    person_sql: str  # the person key as written in SQL


def add_window_calls(relation: rel.Relation, requested: Sequence[RequestedCall]) -> rel.Relation:
    """Add window function calls to a relation; over private rows, each partition holds rows of one person.

    The rows are truncated first, unless that has been done below: truncated after the window functions, row numbers
    would count rows that are dropped. Claim: the kind is preserved, and a PerPerson result is a function of each
    person's own multiset of rows. Raises Refusal with E_WINDOW unless every partition contains a person field that is
    never NULL. Proof: dialect/codegen/proofs.md#windows
    """
    results = tuple(each.call.result for each in requested)
    if isinstance(relation, rel.PerPerson):
        for each in requested:
            _check_partition(relation, each)
        relation = relation if _is_truncated(relation, relation.max_rows) else truncate_rows(relation)
    calls = tuple(each.call for each in requested)
    return relation.with_operator(rel.Window(relation, calls), results)


def _check_partition(relation: rel.PerPerson, requested: RequestedCall) -> None:
    """Refuse a window over private rows whose PARTITION BY lacks the person key; raises Refusal with E_WINDOW.

    Refused too over the preserved rows of a LEFT JOIN: their null-extended rows, which belong to nobody, are never
    generated, so the window would not see them.
    """
    if relation.preserved_side is not None:
        raise refusal(Kind.WINDOW_OVER_PRESERVED, requested.node)
    keys = [part.field for part in requested.call.partition if isinstance(part, Ref)]
    if person_key_among(relation, keys) is None:
        raise _cross_person_refusal(requested, has_one_row=relation.has_one_row_per_person)


def _cross_person_refusal(requested: RequestedCall, *, has_one_row: bool) -> Refusal:
    """Build the refusal of a window over rows of many persons, with three kinds of suggested queries.

    First the extreme value of each group in place of its first rows, then the person key added to PARTITION BY of all
    windows of the SELECT, unless a person `has_one_row`, and GROUP BY in place of the windows.
    """
    if (ends := _quantiles_of_ranks(requested.node)) is not None:
        value, quantiles, sql = ends
        refused = refusal(Kind.RANK_ACROSS_PERSONS, requested.node, value=value, quantiles=quantiles)
        return replace(refused, rewrites=to_suggestions(sql, f"compare {value} with them in a second question"))
    kind = Kind.WINDOW_ACROSS_PERSONS
    if _is_outermost(requested.node):  # per-person rows cannot be output either
        kind = Kind.OUTER_WINDOW_ACROSS_PERSONS
    keys = ", ".join(sql_text(part) for part in requested.node.args.get("partition_by") or ()) or Unnamed.SELECTED

    def add_person_key(select: exp.Expr) -> None:
        """Put the person key first in PARTITION BY of each window of the SELECT."""
        for window in select.find_all(exp.Window):
            # a window that refers to a named one takes its PARTITION BY from there
            if window.parent_select is select and not window.alias:
                keys = [exp.column(*reversed(requested.person_sql.split("."))), *window.args.get("partition_by", [])]
                window.set("partition_by", keys)

    select = requested.node.find_ancestor(exp.Select)
    own_rows = () if select is None or has_one_row else with_tree_changed(select, add_person_key)
    extremes = "the extreme of each group, as its quantile at 1% or 99%, in place of rows"
    rewrites = (
        *to_suggestions(first_rows_as_extremes(requested.node), extremes),
        *to_suggestions(own_rows, "within each person's own rows, not over the rows of all"),
        *to_suggestions(windows_as_groups(requested.node), "one row for each group, in place of one for each row"),
    )
    return replace(refusal(kind, requested.node, person=requested.person_sql, keys=keys), rewrites=rewrites)


MAX_PARTS = 10  # whose ends a suggestion writes out, also for NTILE of more parts


def _quantiles_of_ranks(window: exp.Expr) -> tuple[str, str, tuple[str, ...]] | None:
    """Text of the value by which a window ranks all rows, of its quantiles in place of ranks, and a query of these.

        NTILE(4) OVER (ORDER BY spend)   ->   spend; QUANTILE_CONT(spend, 0.25), QUANTILE_CONT(spend, 0.5), ...

    A number of each person has the name of its item, or the name `n`. None for other functions, several values, or
    ranks within groups.
    """
    order, select = window.args.get("order"), window.find_ancestor(exp.Select)
    if order is None or select is None or len(order.expressions) != 1 or window.args.get("partition_by"):
        return None
    match window.this:
        case exp.Ntile(this=exp.Literal(is_string=False) as parts) if parts.name.isdigit() and parts.name != "0":
            count = min(int(parts.name), MAX_PARTS)
            levels = [number / count for number in range(1, count)]
        case exp.PercentRank() | exp.CumeDist():
            levels = [0.9]
        case _:
            return None
    ranked = order.expressions[0].this
    alias = next((item.alias for item in select.expressions if item.alias and item.unalias() == ranked), "")
    value = sql_text(ranked) if isinstance(ranked, exp.Column) else sql_text(exp.to_identifier(alias or "n"))
    quantiles = ", ".join(f"QUANTILE_CONT({value}, {level:.3g})" for level in levels) or f"MEDIAN({value})"
    rows = select.copy()
    rows.set("expressions", [ranked.copy() if sql_text(ranked) == value else exp.alias_(ranked.copy(), value)])
    for part in ("order", "limit", "qualify"):
        rows.set(part, None)
    return value, quantiles, (f"SELECT {quantiles} FROM ({sql_text(rows)})",)


def _is_outermost(node: exp.Expr) -> bool:
    """Return whether the SELECT around a window is the outermost query."""
    select = node.find_ancestor(exp.Select)
    return select is not None and select.parent is None


def _is_truncated(relation: rel.Relation, max_rows: int) -> bool:
    """Return whether rows per person are already limited to `max_rows`, by a key or an earlier truncation.

    Looks through the operators that never add rows to a person; joins and unions may, and end the search.
    """
    operator = relation.operator
    if isinstance(relation, rel.PerPerson) and relation.has_one_row_per_person:
        return True
    if isinstance(operator, rel.RowTruncation):
        return operator.max_rows <= max_rows
    keeps_bound = operator.row_origin in (rel.RowOrigin.SUBSET, rel.RowOrigin.GROUPS)
    return keeps_bound and _is_truncated(relation.children[0], max_rows)
