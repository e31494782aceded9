"""Kinds of unary operators: projection, filter and DISTINCT over each kind of relation (`proofs.md#relation-kinds`).

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
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Ref, conjuncts
from dialect.algebra.properties import Properties
from dialect.algebra.relations import Distinct, PerPerson, Public, Relation, Released, ReleasePoint, public_values_of
from dialect.analysis.uniqueness import selects_one_row_number
from dialect.catalog.model import SqlType
from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.errors import Suggestion, to_suggestions
from dialect.functions.inference import computed_field, definition_of, is_constant_per_person
from dialect.parser.compile_context import CompileContext, refusal
from dialect.parser.spans import span_of
from dialect.stability.outer_joins import check_preserved_keys, compute_preserved, filter_preserved
from dialect.stability.typed_calls import polygon_refusal

_FROM = re.compile(r"\bfrom\b.*?(?=\border by\b|\blimit\b|\boffset\b|;|$)", re.IGNORECASE | re.DOTALL)
_SELECT_DISTINCT = re.compile(r"\s*select\s+distinct\s+([\w.]+(?:\s*,\s*[\w.]+)*)\s+from\b", re.IGNORECASE)


def counting_suggestions(sql: str, relation: PerPerson) -> tuple[Suggestion, ...]:
    """Suggest queries that count: persons listed by DISTINCT, grouped by the other columns, then rows."""
    people = to_suggestions(_count_persons_instead(sql, relation), "counts people in place of listing them")
    return *people, *to_suggestions(_count_rows_instead(sql), "counts rows in place of listing them")


def _count_persons_instead(sql: str, relation: PerPerson) -> tuple[str, ...]:
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


def prepare_for_join(relation: Relation) -> Relation:
    """Prepare a public relation for a join: its own rows become the public key set of its fields.

    The key set of a group key that a private row gets from the join is read from these rows. Definitions are dropped,
    as they read columns below the relation. Relations that are not public are unchanged.
    """
    if not isinstance(relation, Public) or all(_references_own_rows(f, relation) for f in relation.fields):
        return relation
    return replace(relation, fields=tuple(replace(f, public_values=relation, definition=None) for f in relation.fields))


def _references_own_rows(field: Field, relation: Public) -> bool:
    """Return whether a field has the relation's own rows as its key set already."""
    public = public_values_of(field)
    return public is not None and public.operator is relation.operator and field.definition is None


def filter_rows(relation: Relation, condition: Expr, known: Properties, node: exp.Expr | None = None) -> Relation:
    """Filter rows by a condition; the kind is preserved, and the condition's conjuncts become predicates.

    The preserved side is filtered too. A filter such as ROW_NUMBER() OVER (PARTITION BY person ...) = 1 leaves one row
    per person, which is marked.
    """
    filtered = replace(relation.with_filter(condition), predicates=relation.predicates + predicates_of(condition))
    if not isinstance(filtered, PerPerson):
        return filtered
    if filtered.preserved_side is not None:
        return replace(filtered, preserved_side=filter_preserved(filtered.preserved_side, condition, node))
    return mark_one_row_per_person(filtered) if selects_one_row_number(relation, condition, known) else filtered


def mark_one_row_per_person(relation: PerPerson) -> PerPerson:
    """Mark a relation as having at most one row per person, so that every field is constant per person."""
    fields = tuple(replace(f, is_constant_per_person=True) for f in relation.fields)
    return replace(relation, fields=fields, has_one_row_per_person=True, max_rows=1, per_window_factors=0)


def predicates_of(condition: Expr) -> tuple[Expr, ...]:
    """Predicates that a condition implies for every remaining row: its conjuncts, with definitions expanded."""
    expanded = (definition_of(part) for part in conjuncts(condition))
    return tuple(part for part in expanded if part is not None)


def project(relation: Relation, exprs: Sequence[Expr], context: CompileContext) -> tuple[Relation, list[Field]]:
    """Compute expressions as new fields; the kind is preserved.

    Returns the relation, with the new fields appended, and one field per expression in order: an existing field for a
    plain column, one new field for equal expressions.
    """
    fields: list[Field] = []
    new: dict[Expr, Field] = {}  # computed expression -> its new field
    for expr in exprs:
        if not isinstance(expr, Ref) and expr not in new:
            new[expr] = computed_field(context.new_field_id(), None, expr)
        fields.append(expr.field if isinstance(expr, Ref) else new[expr])
    if not new:
        return relation, fields
    computed = tuple((field, expr) for expr, field in new.items())
    projected = relation.with_columns(computed)
    if isinstance(projected, PerPerson) and projected.preserved_side is not None:
        projected = replace(projected, preserved_side=compute_preserved(projected.preserved_side, computed))
    return projected, fields


def person_key_among(source: PerPerson, keys: Sequence[Field]) -> Field | None:
    """Return the key that is every row's person, never NULL; None if there is none."""
    if source.person in keys:
        return source.person
    return next((key for key in keys if key.is_person_key and not key.nullable), None)


def apply_distinct(relation: Relation, keys: Sequence[Field], is_outermost: bool, node: exp.Expr) -> Relation:
    """Apply DISTINCT to some fields.

    Over private rows they must include the person. Without it the result is a release point, which only the outermost
    SELECT DISTINCT may be (`is_outermost`).
    """
    unique = tuple(dict.fromkeys(keys))  # a column may be selected twice
    refuse_polygons(unique, node)
    if not isinstance(relation, PerPerson):
        plain = tuple(replace(f, definition=None) for f in unique)
        return replace(relation, operator=Distinct(relation, unique), fields=plain)
    check_preserved_keys(relation, unique, node)
    person = person_key_among(relation, unique)
    if person is not None:
        one_row = all(is_constant_per_person(f) for f in unique)
        return replace(
            relation, operator=Distinct(relation, unique), fields=unique, person=person, has_one_row_per_person=one_row,
            max_rows=1 if one_row else relation.max_rows,
            per_window_factors=0 if one_row else relation.per_window_factors,
        )  # fmt: skip
    refuse_persons(unique, relation, node)
    if not is_outermost:
        own = f"SELECT DISTINCT {relation.person.name or 'person'}, ..."
        raise refusal(Kind.DISTINCT_WITHOUT_PERSON, node, query=own)
    return Released(ReleasePoint(relation, unique, (), span_of(node)), strip_fields(unique))


def refuse_persons(keys: Sequence[Field], source: PerPerson, node: exp.Expr) -> None:
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
