"""Kinds of unary operators: projection, filter and DISTINCT over each kind of relation (`proofs.md#relation-kinds`).

Joins: `dialect.stability.joins`. Set operations: `dialect.stability.set_operations`. Groups: `dialect.binder.group_by`.
Tables: `dialect.stability.scans`. Nothing else creates a PerPerson relation or a Boundary; `dialect.planner.split`
replaces each Boundary by the scan of a release.

A query that would output private rows is refused, with suggestions that count people or rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Ref, conjuncts
from dialect.algebra.relations import (
    Boundary,
    Distinct,
    Filter,
    PerPerson,
    Project,
    Public,
    Relation,
    Released,
    public_list,
)
from dialect.analysis.uniqueness import keeps_one_place
from dialect.catalog.model import SqlType
from dialect.errors import Code, Suggestion, suggested
from dialect.functions.inference import computed_field, definition, fixed_by_person
from dialect.parser.context import Reading, refusal
from dialect.parser.spans import span_of
from dialect.stability.calls import polygon_refused
from dialect.stability.outer_joins import check_kept_keys, kept_computed, kept_where

_FROM = re.compile(r"\bfrom\b.*?(?=\border by\b|\blimit\b|\boffset\b|;|$)", re.IGNORECASE | re.DOTALL)
_LISTED = re.compile(r"\s*select\s+distinct\s+([\w.]+(?:\s*,\s*[\w.]+)*)\s+from\b", re.IGNORECASE)


def counted_instead(sql: str, relation: PerPerson) -> tuple[Suggestion, ...]:
    """Suggest queries that count: persons listed by DISTINCT, grouped by the other columns, then rows."""
    people = suggested(_people_counted(sql, relation), "counts people in place of listing them")
    return *people, *suggested(_rows_counted(sql), "counts rows in place of listing them")


def _people_counted(sql: str, relation: PerPerson) -> tuple[str, ...]:
    listed, source = _LISTED.match(sql), _FROM.search(sql)
    columns = [] if listed is None else [column.strip() for column in listed[1].split(",")]
    person = next((c for c in columns if c.rpartition(".")[2].lower() == (relation.person.name or "").lower()), None)
    if person is None or source is None:
        return ()
    keys, people = ", ".join(column for column in columns if column != person), f"COUNT(DISTINCT {person})"
    alone = f"SELECT {people} {source[0].strip()}"
    return (f"SELECT {keys}, {people} {source[0].strip()} GROUP BY {keys}", alone) if keys else (alone,)


def _rows_counted(sql: str) -> tuple[str, ...]:
    source = _FROM.search(sql)
    of_groups = f"SELECT COUNT(*) FROM ({sql.strip().rstrip('; ')})"
    plain = f"SELECT COUNT(*) {source[0].strip()}" if source else of_groups
    return (of_groups,) if re.search(r"\bgroup by\b", sql, re.IGNORECASE) else (plain, of_groups)


def joined_in(relation: Relation) -> Relation:
    """Prepare a public relation for a join: its fields reference its rows as their public key set."""
    if not isinstance(relation, Public) or all(_stands_for(f, relation) for f in relation.fields):
        return relation
    return replace(relation, fields=tuple(replace(f, public=relation, definition=None) for f in relation.fields))


def _stands_for(field: Field, relation: Public) -> bool:
    public = public_list(field)
    return public is not None and public.operator is relation.operator and field.definition is None


def keep(relation: Relation, condition: Expr, node: exp.Expr | None = None) -> Relation:
    """Filter rows by a condition; the kind is preserved."""
    kept = replace(relation, operator=Filter(relation, condition), facts=relation.facts + facts_of(condition))
    if not isinstance(kept, PerPerson):
        return kept
    if kept.kept is not None:
        return replace(kept, kept=kept_where(kept.kept, condition, node))
    return with_one_row(kept) if keeps_one_place(relation, condition, fixed_by_person) else kept


def with_one_row(relation: PerPerson) -> PerPerson:
    """Mark a relation as having at most one row per person, so that every field is determined by the person."""
    fields = tuple(replace(f, of_person=True) for f in relation.fields)
    return replace(relation, fields=fields, one_row_per_person=True, max_rows=1, timed=0)


def facts_of(condition: Expr) -> tuple[Expr, ...]:
    """Return the predicates that a condition implies for every remaining row, with definitions expanded."""
    expanded = (definition(part) for part in conjuncts(condition))
    return tuple(part for part in expanded if part is not None)


def compute(relation: Relation, exprs: Sequence[Expr], reading: Reading) -> tuple[Relation, list[Field]]:
    """Project each expression that is not a field already to a new field; the kind is preserved."""
    fields: list[Field] = []
    new: dict[Expr, Field] = {}
    for expr in exprs:
        if not isinstance(expr, Ref) and expr not in new:
            new[expr] = computed_field(reading.fresh(), None, expr)
        fields.append(expr.field if isinstance(expr, Ref) else new[expr])
    if not new:
        return relation, fields
    wider = (*relation.fields, *new.values())
    computed = tuple((made, expr) for expr, made in new.items())
    made = replace(relation, operator=Project(relation, computed), fields=wider)
    if isinstance(made, PerPerson) and made.kept is not None:
        made = replace(made, kept=kept_computed(made.kept, computed))
    return made, fields


def person_among(source: PerPerson, keys: Sequence[Field]) -> Field | None:
    """Return the key that is every row's person, never NULL; None if there is none."""
    if source.person in keys:
        return source.person
    return next((key for key in keys if key.is_person and not key.nullable), None)


def distinct(relation: Relation, keys: Sequence[Field], last: bool, node: exp.Expr) -> Relation:
    """Apply DISTINCT to some fields.

    Over private rows they must include the person. Without it the result is a release point, which only the outermost
    SELECT DISTINCT may be (`is_outermost`).
    """
    unique = tuple(dict.fromkeys(keys))
    refuse_polygons(unique, node)
    if not isinstance(relation, PerPerson):
        plain = tuple(replace(f, definition=None) for f in unique)
        return replace(relation, operator=Distinct(relation, unique), fields=plain)
    check_kept_keys(relation, unique, node)
    person = person_among(relation, unique)
    if person is not None:
        one_row = all(fixed_by_person(f) for f in unique)
        return replace(
            relation, operator=Distinct(relation, unique), fields=unique, person=person, one_row_per_person=one_row,
            max_rows=1 if one_row else relation.max_rows, timed=0 if one_row else relation.timed,
        )  # fmt: skip
    refuse_persons(unique, relation, node)
    if not last:
        why = "DISTINCT over private rows needs the person key in the select list."
        own = f"SELECT DISTINCT {relation.person.name or 'person'}, ..."
        raise refusal(Code.ROWS, why, f"{own}; or GROUP BY in its place, for the groups of a release", node)
    return Released(Boundary(relation, unique, (), span_of(node)), bare(unique))


def refuse_persons(keys: Sequence[Field], source: PerPerson, node: exp.Expr) -> None:
    """Refuse keys that include a nullable person key: it is not the person of every row."""
    if any(key.is_person for key in keys):
        why = "This side of the LEFT JOIN has no person where no row matched."
        raise refusal(Code.PERSON_KEY, why, f"GROUP BY {source.person.name or 'the person'} of the left table", node)


def refuse_polygons(fields: Iterable[Field], node: exp.Expr | None = None) -> None:
    """Refuse polygons where values are compared or output."""
    if any(f.type is SqlType.POLYGON for f in fields):
        raise polygon_refused(node)


def bare(keys: Sequence[Field]) -> tuple[Field, ...]:
    """Strip what is known of key fields below a release: above it they are plain values."""
    return tuple(
        replace(
            f, definition=None, public=None, domain=None, bounds=None, origin=None, of_person=False, alternatives=()
        )
        for f in keys
    )
