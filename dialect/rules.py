"""The algebra's rules: which operator over which kind gives which kind (`proofs.md#relation-kinds`).

Each rule makes one relation from others or refuses. Nothing else makes a PerPerson or a Released relation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal as OneOf

from sqlglot import exp

from dialect.catalog import Catalog, Column, SqlType, Table
from dialect.errors import Code
from dialect.expressions import Call, Expr, Field, Origin, Ref, conjuncts, fields_of
from dialect.inference import computed_field, definition, of_person
from dialect.reading import Reading, refusal
from dialect.relations import (
    Cut,
    Distinct,
    Filter,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    Released,
    Scan,
    with_null_row,
)

How = OneOf["inner", "left", "cross"]


def scan(table: Table, reading: Reading) -> Relation:
    """Read a declared table: Public, or PerPerson with its person key found."""
    if not table.private:
        fields = tuple(_stored(table, column, reading) for column in table.columns if column.visible)
        return Public(Scan(table, fields), fields)
    assert table.person is not None  # noqa: S101  the catalog reader refuses a private table without person
    if table.person.through:
        return _scan_through(table, reading)
    of_the_person = table.primary_key == (table.person.column,)
    fields = tuple(_stored(table, column, reading, of_the_person) for column in table.columns if column.visible)
    person = next((f for f in fields if f.is_person), None)
    if person is None:  # a steward may hide the key itself; rows still carry it
        hidden = table.column(table.person.column)
        assert hidden is not None  # noqa: S101
        person = replace(_stored(table, hidden, reading), name=None)
        fields = (*fields, person)
    return PerPerson(
        Scan(table, fields), fields, person=person, dataset=table.dataset, one_row_per_person=of_the_person,
        max_rows=1 if of_the_person else table.max_rows_per_person or 10_000,
    )  # fmt: skip


def _stored(table: Table, column: Column, reading: Reading, of_the_person: bool = False) -> Field:
    is_person = table.person is not None and not table.person.through and column.name == table.person.column
    return Field(
        reading.fresh(), column.name, column.type, column.nullable and not is_person, column.bounds,
        domain=column.domain if table.private else None, origin=Origin(table.name, column.name),
        of_person=of_the_person or is_person, time_zone=column.time_zone, is_person=is_person,
    )  # fmt: skip


def _scan_through(table: Table, reading: Reading) -> Relation:
    """Follow a foreign key to the table that has the person: an inner join on an enforced primary key."""
    assert table.person is not None  # noqa: S101
    fields = tuple(_stored(table, column, reading) for column in table.columns if column.visible)
    relation = Relation(Scan(table, fields), fields)  # of no kind until its persons are found
    for own, target_name in table.person.through:
        target = reading.catalog.table(target_name)
        assert target is not None  # noqa: S101
        link = next(f for f in relation.fields if f.origin is not None and f.origin.column == own)
        far = tuple(replace(_stored(target, column, reading), name=None) for column in target.columns)
        key = next(f for f in far if f.origin is not None and f.origin.column == target.primary_key[0])
        on = Call("=#0" if link.type is not SqlType.VARCHAR else "=#1", (Ref(link), Ref(key)), SqlType.BOOLEAN)
        relation = Relation(Join(relation, Relation(Scan(target, far), far), "inner", on), relation.fields + far)
    person = next(f for f in reversed(relation.fields) if f.origin and f.origin.column == table.person.column)
    person = replace(person, is_person=True, of_person=True)
    kept = tuple(person if f == person else f for f in relation.fields)
    return PerPerson(
        relation.operator, kept, person=person, dataset=table.dataset, max_rows=table.max_rows_per_person or 10_000
    )


def joined_in(relation: Relation) -> Relation:
    """Prepare a public relation for joining: its fields stand for its own list of rows from here on."""
    if not isinstance(relation, Public):
        return relation
    fields = tuple(replace(f, public=relation, definition=None) for f in relation.fields)
    return replace(relation, fields=fields)


def keep(relation: Relation, condition: Expr, node: exp.Expression) -> Relation:
    """Keep the rows for which a condition is true; the kind stays."""
    if isinstance(relation, PerPerson) and relation.kept_public:
        if any(f not in relation.kept_public for f in fields_of(condition)):
            raise refusal(
                Code.JOIN,
                "After a public table LEFT JOIN a private one, WHERE can only look at the public side.",
                "move this condition into the ON of the LEFT JOIN",
                node,
            )
    facts = relation.facts + _facts(condition)
    return replace(relation, operator=Filter(relation, condition), facts=facts)


def _facts(condition: Expr) -> tuple[Expr, ...]:
    expanded = (definition(part) for part in conjuncts(condition))
    return tuple(part for part in expanded if part is not None)


def compute(relation: Relation, exprs: list[Expr], reading: Reading) -> tuple[Relation, list[Field]]:
    """Add a field for each expression that is not a field already; the kind stays."""
    fields: list[Field] = []
    new: list[tuple[Field, Expr]] = []
    for expr in exprs:
        if isinstance(expr, Ref):
            fields.append(expr.field)
            continue
        known = next((f for f, e in new if e == expr), None)
        made = known or computed_field(reading.fresh(), None, expr)
        if known is None:
            new.append((made, expr))
        fields.append(made)
    if not new:
        return relation, fields
    wider = relation.fields + tuple(f for f, _ in new)
    return replace(relation, operator=Project(relation, tuple(new)), fields=wider), fields


def distinct(relation: Relation, keys: list[Field], node: exp.Expression) -> Relation:
    """Give the different combinations of some fields; rows of persons must carry the person among them."""
    unique = tuple(dict.fromkeys(keys))
    if isinstance(relation, PerPerson):
        if relation.person not in unique or relation.kept_public:
            raise refusal(
                Code.ROWS,
                "DISTINCT over private rows needs the person key in the select list.",
                f"SELECT DISTINCT {relation.person.name or 'person'}, ...",
                node,
            )
        one_row = all(f.of_person for f in unique)
        return replace(relation, operator=Distinct(relation, unique), fields=unique, one_row_per_person=one_row)
    released = tuple(replace(f, definition=None) for f in unique)
    return replace(relation, operator=Distinct(relation, unique), fields=released)


def join(left: Relation, right: Relation, how: How, condition: Expr, node: exp.Expression) -> Relation:
    """Join two relations; two private ones only on the person key."""
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return _join_persons(left, right, how, condition, node)
    if isinstance(left, PerPerson) or isinstance(right, PerPerson):
        other = right if isinstance(left, PerPerson) else left
        if isinstance(other, Released):
            raise refusal(
                Code.JOIN,
                "Private rows can't be joined with numbers that were released in the same statement.",
                "ask two questions, and compare their answers",
                node,
            )
        return _join_public(left, right, how, condition, node)
    facts = left.facts + (right.facts + _facts(condition) if how != "left" else ())
    nulls = right.fields if how != "left" else tuple(replace(f, nullable=True) for f in right.fields)
    kind = Released if isinstance(left, Released) or isinstance(right, Released) else Public
    return kind(Join(left, right, how, condition), left.fields + nulls, facts)


def _join_public(left: Relation, right: Relation, how: How, condition: Expr, node: exp.Expression) -> Relation:
    person = left if isinstance(left, PerPerson) else right
    assert isinstance(person, PerPerson)  # noqa: S101
    if how == "left" and person is right:
        raise refusal(
            Code.JOIN,
            "A public table LEFT JOIN a private one is not built yet.",
            "JOIN: keys of public tables appear in the answer all the same, also where nobody was",
            node,
        )
    public = right if person is left else left
    assert isinstance(public, Public)  # noqa: S101
    settled = _determined(public.fields, condition, public)
    if how == "left":
        padded = with_null_row(public)
        exact = len(_pinned(public.fields, condition)) == len(conjuncts(condition))
        public_fields = tuple(
            replace(f, nullable=True, public=padded, of_person=f.of_person and exact) for f in settled
        )
    else:
        public_fields = settled
    fields = left.fields + public_fields if person is left else public_fields + right.fields
    facts = person.facts + (() if how == "left" else _facts(condition))
    one_row = person.one_row_per_person and _is_primary_key(public, condition)
    return replace(
        person, operator=Join(left, right, how, condition), fields=fields, facts=facts, one_row_per_person=one_row
    )


def _determined(fields: tuple[Field, ...], condition: Expr, public: Public) -> tuple[Field, ...]:
    """Mark public fields that the person determines: joined by equality with something of the person."""
    pinned = _pinned(fields, condition)
    whole = _covers_primary_key(public, pinned)
    return tuple(replace(f, of_person=True) if whole or f in pinned else f for f in fields)


def _pinned(fields: tuple[Field, ...], condition: Expr, any_expr: bool = False) -> set[Field]:
    found: set[Field] = set()
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.function.partition("#")[0] == "="):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            outside = all(f not in fields for f in fields_of(other))
            if isinstance(one, Ref) and one.field in fields and outside and (any_expr or of_person(other)):
                if one.type is other.type is not SqlType.DOUBLE:  # else equal values may still differ: 0.0 and -0.0
                    found.add(one.field)
    return found


def _is_primary_key(public: Public, condition: Expr) -> bool:
    """Tell whether a join meets at most one public row: equality on all of a stored table's primary key."""
    return _covers_primary_key(public, _pinned(public.fields, condition, any_expr=True))


def _covers_primary_key(public: Public, pinned: set[Field]) -> bool:
    if not isinstance(public.operator, Scan) or not public.operator.table.primary_key:
        return False
    return set(public.operator.table.primary_key) <= {f.origin.column for f in pinned if f.origin}


def _join_persons(left: PerPerson, right: PerPerson, how: How, condition: Expr, node: exp.Expression) -> Relation:
    if left.dataset != right.dataset:
        raise refusal(Code.JOIN, "These private tables belong to two datasets.", "ask one question of each", node)
    if how == "cross" or not _same_person(left, right, condition):
        raise refusal(
            Code.JOIN,
            "Two private tables can only be joined on the person key.",
            f"... JOIN ... USING ({left.person.name or 'person'})",
            node,
        )
    # with further conditions, or a key that is NULL in some rows of the person, a row's partner depends on the row
    alone = len(conjuncts(condition)) == 1 and not any(f.nullable for f in fields_of(condition) if f in left.fields)
    nulls = (
        right.fields
        if how == "inner"
        else tuple(replace(f, nullable=True, of_person=f.of_person and alone) for f in right.fields)
    )
    facts = left.facts + (right.facts + _facts(condition) if how == "inner" else ())
    single = left.one_row_per_person or right.one_row_per_person
    sides = (left, right) if single else (_cut(left), _cut(right))
    return replace(
        left,
        operator=Join(*sides, how, condition),
        fields=left.fields + nulls,
        facts=facts,
        one_row_per_person=left.one_row_per_person and right.one_row_per_person,
        max_rows=left.max_rows * right.max_rows,
    )


def _same_person(left: PerPerson, right: PerPerson, condition: Expr) -> bool:
    """Tell whether equality of both sides' person keys is a top-level conjunct."""
    for part in conjuncts(condition):
        if isinstance(part, Call) and part.function.partition("#")[0] == "=":
            one, other = part.arguments
            if isinstance(one, Ref) and isinstance(other, Ref) and one.field.is_person and other.field.is_person:
                if {one.field in left.fields, other.field in left.fields} == {True, False}:
                    return True
    return False


def _cut(relation: PerPerson) -> PerPerson:
    return replace(relation, operator=Cut(relation, relation.person, relation.max_rows))


def find_table(catalog: Catalog, name: str, node: exp.Expression) -> Table:
    """Look a table up; only what the catalog declares exists."""
    table = catalog.table(name)
    if table is None:
        known = ", ".join(t.name for t in catalog.tables[:12])
        raise refusal(Code.TABLE, f"There is no table {name[:40]}.", f"one of {known}", node)
    return table
