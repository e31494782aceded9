"""Group keys -> the public list of all their values, found without the data, or none (`proofs.md#key-sets`).

A key set is itself a public relation: public lists multiplied, filtered by what is known of every row, and carried
through the key expressions. Each list replaces one sub-expression of the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dialect import facts as known_facts
from dialect.catalog import ColumnOf, Domain, SqlType, ValueList, ValueRange
from dialect.expressions import (
    Call,
    Case,
    Expr,
    Field,
    Literal,
    Origin,
    Ref,
    children,
    conjunction,
    expand,
    fields_of,
    rebuild,
)
from dialect.functions import function
from dialect.inference import computed_field, nullable
from dialect.literals import stored_literal
from dialect.private_plan import KeySet, KeySource
from dialect.reading import Reading
from dialect.relations import (
    Distinct,
    Filter,
    Join,
    Padded,
    PerPerson,
    Project,
    Public,
    Scan,
    Series,
    Values,
    with_null_row,
)


@dataclass(frozen=True)
class PublicList:
    """A public list of values that stands for a sub-expression of the keys."""

    stands_for: tuple[tuple[Expr, Expr], ...]  # what is replaced -> reference into the relation
    source: KeySource


def key_set(keys: Sequence[Field], source: PerPerson, reading: Reading) -> KeySet | None:
    """Find the public list of all key tuples; None if any key is private."""
    exprs = [expand(Ref(key)) for key in keys]
    lists: dict[object, PublicList] = {}
    for expr in exprs:
        found = _lists(expr, source.facts, reading)
        if found is None:
            return None
        for each in found:
            lists.setdefault(_identity(each), each)
    return _multiplied(exprs, tuple(lists.values()), source.facts, reading)


def _identity(each: PublicList) -> object:
    return each.stands_for[0][0]


def _multiplied(
    exprs: Sequence[Expr], lists: tuple[PublicList, ...], facts: Sequence[Expr], reading: Reading
) -> KeySet:
    relation = Public(Values(((),), ()), ())
    for each in lists:
        right = each.source.relation
        relation = Public(Join(relation, right, "cross", conjunction(())), relation.fields + right.fields)
    replaced = {old: new for each in lists for old, new in each.stands_for}
    known = [_carried(fact, replaced) for fact in facts]
    usable = tuple(fact for fact in known if fact is not None and all(f in relation.fields for f in fields_of(fact)))
    if usable:
        relation = Public(Filter(relation, conjunction(usable)), relation.fields)
    fields, computed = [], []
    for expr in exprs:
        image = _carried(expr, replaced)
        made = computed_field(reading.fresh(), None, image)
        computed.append((made, image))
        fields.append(replace(made, definition=None))
    if computed:
        relation = Public(Project(relation, tuple(computed)), relation.fields + tuple(fields))
        relation = Public(Distinct(relation, tuple(fields)), tuple(fields))
    return KeySet(relation, tuple(fields), tuple(each.source for each in lists))


def _carried(expr: Expr, replaced: dict[Expr, Expr]) -> Expr:
    found = replaced.get(expr)
    return found if found is not None else rebuild(expr, lambda part: _carried(part, replaced))


def _lists(expr: Expr, facts: Sequence[Expr], reading: Reading) -> tuple[PublicList, ...] | None:
    """Find lists whose product, carried through the expression, holds all its values."""
    if isinstance(expr, Literal):
        return ()
    own = _own_list(expr, facts, reading)
    if own is not None:
        return (own,)
    if isinstance(expr, Ref):
        return None
    image = _image(expr, facts, reading)
    if image is not None:
        return image
    if isinstance(expr, Case):
        return _branches(expr, reading)
    intrinsic = _intrinsic(expr, facts, reading)
    return None if intrinsic is None else (intrinsic,)


def _image(expr: Expr, facts: Sequence[Expr], reading: Reading) -> tuple[PublicList, ...] | None:
    found: list[PublicList] = []
    for part in children(expr):
        lists = _lists(part, facts, reading)
        if lists is None:
            return None
        found += lists
    return tuple(found)


def _branches(expr: Case, reading: Reading) -> tuple[PublicList, ...] | None:
    values = [value for _, value in expr.branches] + [expr.otherwise]
    if not all(isinstance(value, Literal) for value in values):
        return None
    constants = tuple(dict.fromkeys(value.value for value in values if isinstance(value, Literal)))
    return (_listed(expr, constants, "the constants of a CASE", True, reading),)


def _own_list(expr: Expr, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    if isinstance(expr, Ref) and expr.field.public is not None:
        public = expr.field.public
        pairs = ((expr, expr), *((Ref(f), Ref(f)) for f in public.fields if f != expr.field))
        return PublicList(
            tuple(sorted(pairs, key=lambda p: p[0].field.id)), KeySource(public, _table_name(public), True)
        )
    pinned = known_facts.listed(expr, facts)
    if pinned is not None:
        return _listed(expr, pinned, "a condition of the question", True, reading)
    ends = known_facts.between(expr, facts)
    if ends is not None and expr.type in (SqlType.BIGINT, SqlType.DATE):
        return _series(expr, *ends, "1", "a range in the question", True, reading)
    return _declared(expr, reading) if isinstance(expr, Ref) else None


def _table_name(public: Public) -> str:
    operator = public.operator
    while isinstance(operator, Padded | Filter | Project):
        operator = operator.source.operator
    return operator.table.name if isinstance(operator, Scan) else "a public list"


def _declared(expr: Ref, reading: Reading) -> PublicList | None:
    """Use the domain that the steward declared for a private column; NULL is in it where the column allows it."""
    domain, field = expr.field.domain, expr.field
    of_column = f" of {field.origin.column}" if field.origin is not None else ""
    if domain is None and field.type is SqlType.BOOLEAN:
        domain = ValueList((False, True))
    if isinstance(domain, ValueList):
        nulls = (None,) if field.nullable and None not in domain.values else ()
        return _listed(expr, domain.values + nulls, f"the declared list{of_column}", False, reading)
    if isinstance(domain, ValueRange) and field.type in (SqlType.BIGINT, SqlType.DATE):
        ends = (stored_literal(domain.lower, field.type), stored_literal(domain.upper, field.type))
        return _padded(_series(expr, *ends, "1", f"the declared range{of_column}", False, reading), field.nullable)
    if isinstance(domain, ColumnOf):
        return _padded(_column_of(expr, domain, reading), field.nullable)
    return None


def _column_of(expr: Ref, domain: ColumnOf, reading: Reading) -> PublicList:
    table = reading.catalog.table(domain.table)
    assert table is not None  # noqa: S101  the catalog reader checks it
    column = table.column(domain.column)
    assert column is not None  # noqa: S101
    fields = tuple(
        Field(reading.fresh(), c.name, c.type, c.nullable, origin=Origin(table.name, c.name))
        for c in table.columns
        if c.visible
    )
    wanted = next(f for f in fields if f.name == domain.column)
    relation = Public(Distinct(Public(Scan(table, fields), fields), (wanted,)), (wanted,))
    return PublicList(((expr, Ref(wanted)),), KeySource(relation, f"{domain.table}.{domain.column}", False))


def _padded(found: PublicList, with_null: bool) -> PublicList:
    if not with_null:
        return found
    padded = with_null_row(found.source.relation)
    ((expr, _),) = found.stands_for
    return PublicList(((expr, Ref(padded.fields[0])),), replace(found.source, relation=padded))


def _intrinsic(expr: Call, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    """Use the values that a function can give whatever it is applied to."""
    row = function(expr.function)
    nulls = (None,) if nullable(expr) else ()
    if row.name in {"date_trunc", "to_date", "time_bucket"}:
        return _time_steps(expr, row.name, facts, reading)
    if row.values:
        return _listed(expr, row.values + nulls, f"the values of {row.name}", True, reading)
    if expr.type is SqlType.BOOLEAN:
        return _listed(expr, (False, True, *nulls), "true and false", True, reading)
    return None


def _time_steps(expr: Call, name: str, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    moment = expr.arguments[-1]
    ends = known_facts.between(moment, facts)
    closed = ends is not None
    domain = _read_on_the_clock(moment)
    if ends is None and isinstance(domain, ValueRange):
        upper = (
            f"{domain.upper} 23:59:59"
            if moment.type is SqlType.TIMESTAMP and len(str(domain.upper)) == 10
            else domain.upper
        )
        ends = (stored_literal(domain.lower, moment.type), stored_literal(upper, moment.type))
    if ends is None:
        return None
    lower, upper = (rebuild(expr, lambda part, end=end: end if part == moment else part) for end in ends)
    step = "1 day" if name == "to_date" else str(expr.arguments[0].value)  # type: ignore[union-attr]
    step = step if " " in step else f"1 {step}"
    found = _series(expr, lower, upper, step, "a range of time", closed, reading)
    return found if closed or not nullable(moment) else _padded(found, True)


def _read_on_the_clock(moment: Expr) -> Domain | None:
    """Find the declared domain of a time, which for an instant speaks of the clock of its zone."""
    wall = isinstance(moment, Call) and function(moment.function).name == "wall"
    held = children(moment)[0] if wall else moment
    return held.field.domain if isinstance(held, Ref) else None


def _series(expr: Expr, lower: Expr, upper: Expr, step: str, what: str, closed: bool, reading: Reading) -> PublicList:
    field = Field(reading.fresh(), None, expr.type, nullable=False)
    relation = Public(Series(lower, upper, step, field), (field,))
    return PublicList(((expr, Ref(field)),), KeySource(relation, what, closed))


def _listed(expr: Expr, values: Sequence[object], what: str, closed: bool, reading: Reading) -> PublicList:
    field = Field(reading.fresh(), None, expr.type, nullable=None in values)
    rows = tuple((stored_literal(value, expr.type),) for value in values)
    return PublicList(((expr, Ref(field)),), KeySource(Public(Values(rows, (field,)), (field,)), what, closed))
