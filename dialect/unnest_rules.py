"""Rows with a list of their own -> each row once for every member of it (`proofs.md#unnested-lists`)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from dialect.catalog import Bounds, SqlType, ValueRange
from dialect.errors import Code
from dialect.expressions import Alternative, Call, Expr, Field, Literal, Ref
from dialect.functions_list import SERIES
from dialect.inference import nullable
from dialect.known_ranges import known_range
from dialect.ranges import UNKNOWN, hull, known
from dialect.reading import Reading, refusal
from dialect.relation_parts import sources
from dialect.relations import Group, PerPerson, Relation
from dialect.unnest import LISTED, Unnest, members_of

MEMBERS = {SqlType.VARCHAR_LIST: SqlType.VARCHAR, SqlType.BIGINT_LIST: SqlType.BIGINT}  # type of a list -> of a member
_GATHERED = ("list", "list_distinct")  # aggregates
_MOST_LISTED = 10_000  # whole numbers between the ends of a series: more are no list of keys
_USUALLY_HAD = 10_000  # rows of a person, where lists may hold more: an R that costs accuracy only


def unnested(
    relation: Relation, members: Expr, stays: bool, name: str, reading: Reading, node: exp.Expr
) -> tuple[Relation, Field]:
    """Give each row once for every member of a list that is computed from it; the kind stays.

    Claim: a PerPerson result is a function of each person's own rows, of none of which it has more than `members_of`.
    Symbols: `stays`, whether a row without members stays, with NULL. Raises Refusal with E_JOIN behind a public table
    LEFT JOIN a private one. Proof: proofs.md#unnested-lists
    """
    member = _member(relation, members, stays, Field(reading.fresh(), name, MEMBERS[members.type]))
    made = replace(relation, operator=Unnest(relation, members, member, stays), fields=(*relation.fields, member))
    if not isinstance(made, PerPerson):
        return made, member
    if made.kept is not None:
        why = "Behind a public table LEFT JOIN a private one there are rows of nobody, and these have no list."
        raise refusal(Code.JOIN, why, "JOIN in place of LEFT JOIN", node)
    rows = min(made.max_rows * members_of(members), max(made.max_rows, _USUALLY_HAD))
    return replace(made, one_row_per_person=False, max_rows=rows), member


def _member(relation: Relation, members: Expr, stays: bool, made: Field) -> Field:
    """Say what is known of a member: the ends between which it lies, or of which expressions it is the value."""
    if isinstance(members, Call) and members.name in SERIES:
        return _between(replace(made, nullable=stays), members, relation)
    if isinstance(members, Call) and members.name == LISTED:
        return _one_of(replace(made, nullable=stays or any(map(nullable, members.arguments))), members, relation)
    found = _gathered(relation, members.field) if isinstance(members, Ref) else None
    values = () if found is None else (found, *_nothing(made, stays))
    return replace(made, alternatives=values)


def _between(made: Field, series: Call, relation: Relation) -> Field:
    first, last = (known_range(end, relation.facts) for end in series.arguments)
    if not (known(first) and known(last)):
        return made
    lower, upper = math.ceil(first.lower), math.floor(last.upper) - (series.name == "range")
    upper = max(lower, upper)
    domain = ValueRange(lower, upper) if upper - lower < _MOST_LISTED else None
    return replace(made, bounds=Bounds(float(lower), float(upper)), domain=domain)


def _one_of(made: Field, listed: Call, relation: Relation) -> Field:
    values = [Literal(None, made.type) if _is_null(each) else each for each in listed.arguments]
    one_of = (Alternative(each, relation.facts) for each in dict.fromkeys(values))
    bounds = hull([known_range(each, relation.facts) for each in values if not _is_null(each)] or [UNKNOWN])
    return replace(made, alternatives=(*one_of, *_nothing(made, made.nullable)), bounds=bounds)


def _is_null(expr: Expr) -> bool:
    return isinstance(expr, Literal) and expr.value is None


def _nothing(made: Field, can_be: bool) -> tuple[Alternative, ...]:
    return (Alternative(Literal(None, made.type), ()),) if can_be else ()


def _gathered(relation: Relation, listed: Field) -> Alternative | None:
    """Find of which expression LIST gathered the values, in the rows of its groups."""
    for group in _groups(relation):
        for measure in group.measures:
            if measure.field == listed and measure.function in _GATHERED:
                return Alternative(measure.arguments[0], group.source.facts)
    return None


def _groups(relation: Relation) -> Iterator[Group]:
    if isinstance(relation.operator, Group):
        yield relation.operator
    for part in sources(relation):
        yield from _groups(part)
