"""Key sets: the public list of all key tuples of a GROUP BY, derived without data, or None for private keys.

Proof: `dialect/planner/proofs.md#key-sets`.

A key set is itself a public relation: the cross product of public lists, filtered by predicates that every row
satisfies, and projected through the key expressions. Each list replaces one subexpression of the keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from math import prod

from dialect.algebra.expressions import (
    Call,
    Case,
    Expr,
    Field,
    Literal,
    Ref,
    case_values,
    children,
    conjunction,
    expand,
    substituted,
)
from dialect.algebra.relations import Distinct, Filter, Join, PerPerson, Project, Public, Values
from dialect.algebra.release_plan import KeySet
from dialect.analysis import predicates as known_facts
from dialect.analysis.date_bounds import PARTS_OF_A_DATE
from dialect.catalog.model import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.emitter import plain_text
from dialect.functions.inference import computed_field, nullable
from dialect.functions.registry import function
from dialect.functions.signature import constants
from dialect.parser.context import Reading
from dialect.planner.keys import public_domains
from dialect.planner.keys.dependent_keys import over_lists, with_told
from dialect.planner.keys.public_domains import Listed, PublicList, together, whole_numbers

MAX_KEYS = 1_000_000  # values of one list
MAX_PRODUCT = 2 * MAX_KEYS  # combinations of lists, before predicates filter them

_YEAR, _CENTURY = 366, 36_525  # in days; over a whole year, date parts take all their values
_TIME_STEPS = {"date_trunc", "time_bucket", "to_date", "year"}


def key_set(keys: Sequence[Field], source: PerPerson, reading: Reading) -> KeySet | None:
    """Build the public list of all key tuples; None if any key is private; raises Refusal with E_KEY if too long."""
    exprs = [expand(Ref(key)) for key in keys]
    lists = lists_of(exprs, source, reading)
    if lists is None:
        return None
    if _too_many(lists.values()) and _may_be_private(exprs, lists.values()):
        return None
    _check_sizes(tuple(lists.values()))
    return _multiplied(exprs, tuple(lists.values()), source.facts, reading)


def lists_of(exprs: Sequence[Expr], source: PerPerson, reading: Reading) -> dict[Expr, PublicList] | None:
    """Find the public lists of the keys, by the subexpression each replaces; None if any key is private."""
    found = with_told(exprs, [_lists(expr, source.facts, reading, True) for expr in exprs], source.facts)
    lists: dict[Expr, PublicList] = {}
    for i, (expr, each) in enumerate(zip(exprs, found, strict=True)):
        if each is None:
            return None
        others = {one.stands_for[0][0] for j, other in enumerate(found) if j != i for one in other or ()}
        for one in _shorter(expr, each, others, reading):
            lists.setdefault(one.stands_for[0][0], one)
    return lists


def _shorter(
    expr: Expr, found: tuple[PublicList, ...], others: Collection[Expr], reading: Reading
) -> tuple[PublicList, ...]:
    """Replace a product of lists that no other key needs by the constants of a CASE."""
    alone = sum(each.stands_for[0][0] not in others for each in found)
    constants = _branches(expr, reading) if isinstance(expr, Case) and alone > 1 else None
    return found if constants is None else (constants,)


def _too_many(lists: Iterable[PublicList]) -> bool:
    sizes = [each.size for each in lists if each.size is not None]
    return prod(sizes) > MAX_PRODUCT or any(size > MAX_KEYS for size in sizes)


def _may_be_private(exprs: Sequence[Expr], lists: Iterable[PublicList]) -> bool:
    return any(each.optional for each in lists) and all(expr.type is not SqlType.DOUBLE for expr in exprs)


def _check_sizes(lists: tuple[PublicList, ...]) -> None:
    if not _too_many(lists):
        return
    widest = max(lists, key=lambda each: each.size or 0)
    text, what = plain_text(widest.stands_for[0][0]), widest.source.what
    listed = f"{what} with {widest.size or 0:,} values" + ("" if text in what else f" of {text}")
    why = f"The answer would have more than {MAX_KEYS:,} keys; the widest list is {listed}."
    hint = f"a coarser key instead of {text}, or a WHERE that leaves fewer of its values"
    raise Refusal(Code.KEY, why, hint)


def _multiplied(
    exprs: Sequence[Expr], lists: tuple[PublicList, ...], facts: Sequence[Expr], reading: Reading
) -> KeySet:
    relation = Public(Values(((),), ()), ())
    for each in lists:
        right = each.source.relation
        relation = Public(Join(relation, right, "cross", conjunction(())), relation.fields + right.fields)
    replaced = {old: new for each in lists for old, new in each.stands_for}
    usable = tuple(dict.fromkeys(written for _, written in over_lists(facts, lists)))
    if usable:
        relation = Public(Filter(relation, conjunction(usable)), relation.fields)
    images = [substituted(expr, replaced) for expr in exprs]
    fields = tuple(_key_field(image, reading) for image in images)
    if fields:
        relation = Public(Project(relation, tuple(zip(fields, images, strict=True))), relation.fields + fields)
        relation = Public(Distinct(relation, fields), fields)
    return KeySet(relation, fields, tuple(each.source for each in lists))


def _key_field(image: Expr, reading: Reading) -> Field:
    made = computed_field(reading.fresh(), None, image)
    return replace(made, definition=None, nullable=nullable(image, far=False))


def _lists(expr: Expr, facts: Sequence[Expr], reading: Reading, booleans: bool) -> tuple[PublicList, ...] | None:
    """Find lists whose product, projected through the expression, contains all its values.

    `list_booleans`: whether a condition may be listed as true and false. Not inside a CASE of constants, as
    its constants are a shorter list.
    """
    if isinstance(expr, Literal):
        return ()
    own = _own_list(expr, facts, reading)
    if own is not None or isinstance(expr, Ref):
        return None if own is None else (own,)
    constants = _branches(expr, reading) if isinstance(expr, Case) else None
    image = _image(expr, facts, reading, booleans and constants is None)
    if image is not None and all((each.size or 0) <= MAX_KEYS for each in image):
        return image
    values = constants if isinstance(expr, Case) else _intrinsic(expr, facts, reading, booleans)
    if values is not None:
        return (values,)
    return whole_numbers(expr, facts, reading) or image


def _image(expr: Expr, facts: Sequence[Expr], reading: Reading, booleans: bool) -> tuple[PublicList, ...] | None:
    found: list[PublicList] = []
    for part in children(expr):
        lists = _lists(part, facts, reading, booleans)
        if lists is None:
            return None
        found += lists
    return tuple(found)


def _own_list(expr: Expr, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    public = public_domains.of_public(expr) if isinstance(expr, Ref) else None
    if public is not None:
        return public
    pinned = known_facts.listed(expr, facts)
    if pinned is not None:
        return public_domains.of_values(expr, pinned, "a condition of the question", reading)
    ends = known_facts.between(expr, facts)
    if ends is not None and expr.type in (SqlType.BIGINT, SqlType.DATE):
        return public_domains.of_ends(expr, *ends, "a range in the question", reading)
    if not isinstance(expr, Ref):
        return None
    return _of_alternatives(expr, reading) or public_domains.declared(expr, reading)


def _of_alternatives(expr: Ref, reading: Reading) -> PublicList | None:
    """Combine the lists of both sides of a set operation; None unless both have one."""
    found: list[Listed] = []
    for alternative in expr.field.alternatives:
        value = expand(alternative.expr)
        lists = _lists(value, alternative.facts, reading, True)
        if lists is None or _too_many(lists):
            return None
        sizes = [each.size for each in lists]
        size = None if None in sizes else prod(each for each in sizes if each is not None)
        keys = _multiplied([value], tuple(dict.fromkeys(lists)), alternative.facts, reading)
        found.append(Listed(keys, size, any(each.optional for each in lists)))
    return together(expr, found, reading) if found else None


def _branches(expr: Case, reading: Reading) -> PublicList | None:
    values = case_values(expr)
    if not all(isinstance(value, Literal) for value in values):
        return None
    constants = public_domains.literals([v.value for v in values if isinstance(v, Literal)], expr.type)
    return public_domains.of_values(expr, constants, "the constants of a CASE", reading)


def _on_few_days(expr: Call, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    """List the values of a date part on known dates, if these are less than a year (a century if closed)."""
    found = public_domains.of_images(expr, "day", facts, reading)
    if found is None or found.size is None or found.size >= (_CENTURY if found.source.closed else _YEAR):
        return None
    return replace(found, size=min(found.size, len(function(expr.function).values) + 1))


def _intrinsic(expr: Call, facts: Sequence[Expr], reading: Reading, booleans: bool) -> PublicList | None:
    """List the values that a function can return for any argument."""
    row = function(expr.function)
    nulls = (None,) if nullable(expr, far=False) else ()
    if row.name in _TIME_STEPS:
        return public_domains.of_time_steps(expr, facts, reading)
    unit = row.constant_on if isinstance(row.constant_on, str) else row.constant_on(*constants(row, expr.arguments))
    if unit:
        return public_domains.of_images(expr, unit, facts, reading)
    if row.values:
        days = _on_few_days(expr, facts, reading) if row.name in PARTS_OF_A_DATE else None
        if days is not None:
            return days
        values = public_domains.literals((*row.values, *nulls), expr.type)
        return public_domains.of_values(expr, values, f"the values of {row.name}", reading)
    if expr.type is SqlType.BOOLEAN and booleans:
        values = public_domains.literals((False, True, *nulls), expr.type)
        return public_domains.of_values(expr, values, "true and false", reading)
    return None
