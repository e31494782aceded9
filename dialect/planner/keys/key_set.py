"""Key sets: the public list of all key tuples of a GROUP BY, derived without data, or None for private keys.

Proof: `dialect/planner/proofs.md#key-sets`.

A key set is itself a public relation: the cross product of public lists, filtered by predicates that every row
satisfies, and projected through the key expressions. Each list replaces one subexpression of the keys.

A key that a finer time key determines is computed from its list, so that impossible combinations are never enumerated:

    GROUP BY date_trunc('hour', ts), dayname(ts)   ->   one list of hours; dayname is computed from it

Terms: a fact is a predicate that is true of every row. Each replacement of a list is the pair (subexpression of a key,
expression over the list that has its value); the first one identifies the list. A list is exhaustive (closed) if no row
can have a value outside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import prod

from sqlglot import exp

from dialect.algebra.expressions import (
    Call,
    Case,
    Expr,
    Field,
    Literal,
    Ref,
    case_values,
    conjunction,
    equal_pairs,
    expand_definitions,
    fields_of,
    substitute,
)
from dialect.algebra.relations import Distinct, Filter, Join, PerPerson, Project, Public, Values
from dialect.algebra.release_plan import KeySet
from dialect.algebra.traversal import transform_down
from dialect.analysis import predicates
from dialect.analysis.time_granularity import FINER, UnderivableError, rewrite_over_keys, truncation_unit
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.functions.emitter import plain_text
from dialect.functions.literals import MONTHS, SECONDS
from dialect.functions.registry import OVERLOADS, computed_field, is_date, may_be_null
from dialect.functions.signatures import Difference, KeySetRule, constant_values
from dialect.parser.compile_context import CompileContext
from dialect.planner.keys import public_domains
from dialect.planner.keys.public_domains import PublicList, SideKeySet, integer_lists, union_lists
from dialect.planner.keys.restrictions import null_conditions, restricting_lists
from dialect.stability.typed_calls import apply_function


def as_dates(exprs: Sequence[Expr], facts: Sequence[Expr]) -> list[Expr]:
    """Replace each key that is a date column by the date of a time that a fact equates it with."""
    dates = _date_definitions(facts)
    return [dates.get(expr, expr) for expr in exprs]


def determining_keys(exprs_as_dates: Sequence[Expr]) -> dict[int, int]:
    """Map the position of each dependent key to that of the key that determines it: a finer step of the same time.

    Claim: on each row a dependent key is a function of the other. Raises: nothing. Proof:
    dialect/planner/proofs.md#dependent-keys
    """
    finest: list[int] = []
    units = {place: _unit_of(expr) for place, expr in enumerate(exprs_as_dates)}  # weeks are not nested
    for position in sorted((i for i in units if units[i] in FINER), key=lambda i: FINER.index(units[i])):
        # from the finest unit on: a key that a finer one determines is no determinant itself
        if all(_derive_from(exprs_as_dates[position], exprs_as_dates[other]) is None for other in finest):
            finest.append(position)
    dependent = {}
    for position in sorted(set(range(len(exprs_as_dates))) - set(finest)):
        determinant = next(
            (i for i in finest if _derive_from(exprs_as_dates[position], exprs_as_dates[i]) is not None), None
        )
        if determinant is not None:
            dependent[position] = determinant
    return dependent


def compute_dependent_keys(
    exprs: Sequence[Expr], lists: Sequence[tuple[PublicList, ...] | None], facts: Sequence[Expr]
) -> list[tuple[PublicList, ...] | None]:
    """Compute dependent keys from the public list of the key that determines them, instead of lists of their own.

    `lists` has, per key, the lists whose product contains its values; None for a private key. In the result a dependent
    key has no list, and its image is a further replacement of the determinant's list.
    """
    result, exprs_as_dates = list(lists), as_dates(exprs, facts)
    for position, determinant in determining_keys(exprs_as_dates).items():
        single = _single_list(exprs[determinant], result[determinant])
        if single is not None:
            listed, field = single
            image = rewrite_over_keys(exprs_as_dates[position], {exprs_as_dates[determinant]: field})
            result[determinant] = (replace(listed, replacements=(*listed.replacements, (exprs[position], image))),)
            result[position] = ()
    return result


def rewrite_facts_over_lists(facts: Sequence[Expr], lists: Collection[PublicList]) -> Iterator[tuple[Expr, Expr]]:
    """Rewrite the facts over the values of the public lists; yields (fact, rewritten fact) where possible.

    Each fact is tried as it is, and with date columns replaced by the dates of their times. It is possible if the
    result reads nothing but listed values. Facts that only define a date column become trivial, and are left out.
    """
    pairs, dates = [pair for each in lists for pair in each.replacements], _date_definitions(facts)
    listed = {f for _, new in pairs for f in fields_of(new)}
    cells = {old: new.field for old, new in pairs if isinstance(new, Ref)}
    for fact in facts:
        for variant in (fact, substitute(fact, dates)):
            rewritten = substitute(variant, dict(pairs))
            if not listed.issuperset(fields_of(rewritten)):
                with suppress(UnderivableError):
                    rewritten = rewrite_over_keys(variant, cells)
            if listed.issuperset(fields_of(rewritten)):
                if not _is_trivial(rewritten):
                    yield fact, rewritten
                break


def _is_trivial(fact: Expr) -> bool:
    """Return whether a rewritten fact is an equality of an expression with itself, which filters nothing."""
    return isinstance(fact, Call) and fact.name == "=" and fact.arguments[0] == fact.arguments[1]


def _date_definitions(facts: Sequence[Expr]) -> Mapping[Expr, Expr]:
    """Map columns to the date expressions that a fact equates them with: `day = to_date(ts)`, on either side."""
    return {one: day for one, day in equal_pairs(facts) if isinstance(one, Ref) and is_date(day)}


def _unit_of(expr: Expr) -> str:
    """Return the unit to which a key truncates a time; empty for other keys."""
    return truncation_unit(expr, expr.arguments[-1]) or "" if isinstance(expr, Call) and expr.arguments else ""


def _derive_from(expr: Expr, determinant: Expr) -> Expr | None:
    """Compute a key from the values of another one; None if that does not determine it.

    A key does not depend on itself. A key without fields is constant: it has a list of one value, and needs no other
    key. The field of the result is a placeholder, as callers only test whether there is a result.
    """
    if expr == determinant or not any(True for _ in fields_of(expr)):
        return None
    try:
        return rewrite_over_keys(expr, {determinant: Field("told", None, determinant.type)})
    except UnderivableError:
        return None


def _single_list(expr: Expr, lists: tuple[PublicList, ...] | None) -> tuple[PublicList, Field] | None:
    """Return (the list, the field of its values) if one list enumerates the values of a key itself; else None.

    With several lists, or a list of a part of the key, there is no field from which a dependent key could be computed.
    """
    if lists is None or len(lists) != 1:
        return None
    # the first replacement is the key, or part of a key, that the list enumerates
    (old, new), *_ = lists[0].replacements
    return (lists[0], new.field) if old == expr and isinstance(new, Ref) else None


MAX_KEYS = 1_000_000  # values of one list
MAX_COMBINATIONS = 2 * MAX_KEYS  # combinations of lists, before predicates filter them

NEARLY_UNIQUE = (SqlType.DOUBLE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.TIME, SqlType.INTERVAL)
_DAYS_PER_YEAR, _DAYS_PER_CENTURY = 366, 36_525  # in days; over a whole year, date parts take all their values


def build_key_set(keys: Sequence[Field], source: PerPerson, context: CompileContext) -> KeySet | None:
    """Build the public list of all key tuples; None if any key is private; raises Refusal with E_KEY if too long.

    A list that is too long makes the keys private instead, if a list allows that (see `PublicList.allows_private`).
    """
    exprs, facts = [key.expression for key in keys], source.predicates
    if any(expr.type in NEARLY_UNIQUE for expr in exprs):  # differences of times share the lists of other times
        whole = [transform_down(expr, over_whole_units) for expr in exprs]
        if whole != exprs and public_lists(whole, source, context) is not None:
            exprs, facts = whole, tuple(transform_down(fact, over_whole_units) for fact in facts)
    lists = public_lists(exprs, source, context)
    if lists is None:
        return None
    if _exceeds_limits(lists.values()) and _can_fall_back_to_private(exprs, lists.values()):
        return None
    _check_sizes(tuple(lists.values()))
    joined, conditions = restricting_lists(tuple(lists.values()), source)
    conditions += tuple(null_conditions(lists.values()))
    return _cross_product(exprs, tuple(lists.values()), facts, context, joined, conditions)


def over_whole_units(expr: Expr) -> Expr:
    """Truncate the times of date_diff to its unit, so that they have lists; other expressions stay as they are.

        date_diff('month', a, b)   ->   date_diff('month', date_trunc('month', a), date_trunc('month', b))

    Weeks are a seventh of the days between the dates, so that their times are truncated to days.

    Claim: the value is the same for every row. Raises: nothing. Proof: dialect/planner/proofs.md#key-sets
    """
    if not isinstance(expr, Call) or OVERLOADS[expr.function].difference is not Difference.CROSSED:
        return expr
    unit, *times = expr.arguments
    if not isinstance(unit, Literal) or unit.value not in {*SECONDS, *MONTHS}:
        return expr
    step = Literal("day", unit.type) if unit.value == "week" else unit
    return replace(expr, arguments=(unit, *(_truncated(time, step) for time in times)))


def _truncated(time: Expr, unit: Literal) -> Expr:
    """Truncate a time without a time zone, unless it is a constant or truncated already."""
    if time.type is not SqlType.TIMESTAMP or isinstance(time, Literal) or _unit_of(time):
        return time
    return apply_function("date_trunc", [unit, time], exp.Null())


def public_lists(exprs: Sequence[Expr], source: PerPerson, context: CompileContext) -> dict[Expr, PublicList] | None:
    """Find the public lists of the keys, by the subexpression each replaces; None if any key is private.

    Dependent keys have no list of their own. Keys that need the same list share it. Predicates that are never TRUE for
    NULL keep it out of the lists.
    """
    exprs = predicates.without_null(exprs, source.predicates)
    found = compute_dependent_keys(
        exprs, [_lists_for(expr, source.predicates, context, True) for expr in exprs], source.predicates
    )
    lists: dict[Expr, PublicList] = {}
    for i, (expr, each) in enumerate(zip(exprs, found, strict=True)):
        if each is None:
            return None
        # subexpressions that the lists of the other keys replace
        others = {one.replacements[0][0] for j, other in enumerate(found) if j != i for one in other or ()}
        for one in _prefer_case_constants(expr, each, others, context):
            lists.setdefault(one.replacements[0][0], one)
    return lists


def _prefer_case_constants(
    expr: Expr, lists: tuple[PublicList, ...], others: Collection[Expr], context: CompileContext
) -> tuple[PublicList, ...]:
    """Replace the lists of a CASE by the list of its constants, if it alone needs more than one of them.

    Their product would be longer. Lists that other keys need too are enumerated anyway.
    """
    own_lists = sum(each.replacements[0][0] not in others for each in lists)
    constants = _case_constants(expr, context) if isinstance(expr, Case) and own_lists > 1 else None
    return lists if constants is None else (constants,)


def _exceeds_limits(lists: Iterable[PublicList]) -> bool:
    """Return whether the lists, or their combinations, have too many values; lists of unknown size are not counted."""
    sizes = [each.size for each in lists if each.size is not None]
    return prod(sizes) > MAX_COMBINATIONS or any(size > MAX_KEYS for size in sizes)


def _can_fall_back_to_private(exprs: Sequence[Expr], lists: Iterable[PublicList]) -> bool:
    """Return whether keys may be private instead: some list allows it, and no key is a DOUBLE or a time.

    These have almost as many values as rows, so that none would reach the threshold.
    """
    return any(each.allows_private for each in lists) and not any(expr.type in NEARLY_UNIQUE for expr in exprs)


def _check_sizes(lists: tuple[PublicList, ...]) -> None:
    """Refuse key sets with too many keys, naming the longest list; raises Refusal with E_KEY."""
    if not _exceeds_limits(lists):
        return
    widest = max(lists, key=lambda each: each.size or 0)
    key, source = plain_text(widest.replacements[0][0]), widest.source.description
    kind = Kind.TOO_MANY_KEYS if key in source else Kind.TOO_MANY_COMPUTED_KEYS
    raise kind.at(limit=MAX_KEYS, source=source, values=widest.size or 0, key=key)


def _cross_product(
    exprs: Sequence[Expr],
    lists: tuple[PublicList, ...],
    facts: Sequence[Expr],
    context: CompileContext,
    joined: tuple[PublicList, ...] = (),
    conditions: tuple[Expr, ...] = (),
) -> KeySet:
    """Build the key set: the cross product of the lists, filtered by facts, with the keys computed from each row.

    Only facts that can be computed from listed values filter it; without the others it has more keys, but lacks none.
    `joined` are further relations, and `conditions` what holds of them and listed values. Without keys it is a single
    row.
    """
    relation = Public(Values(((),), ()), ())
    for each in (*lists, *joined):
        right = each.source.relation
        relation = Public(Join(relation, right, "cross", conjunction(())), relation.fields + right.fields)
    replaced = {old: new for each in lists for old, new in each.replacements}
    rewritten_facts = (rewritten for _, rewritten in rewrite_facts_over_lists(facts, (*lists, *joined)))
    usable = tuple(dict.fromkeys((*conditions, *rewritten_facts)))
    if usable:
        relation = Public(Filter(relation, conjunction(usable)), relation.fields)
    images = [substitute(expr, replaced) for expr in exprs]
    fields = tuple(_key_field(image, context) for image in images)
    if fields:
        relation = Public(Project(relation, tuple(zip(fields, images, strict=True))), relation.fields + fields)
        relation = Public(Distinct(relation, fields), fields)
    return KeySet(relation, fields, tuple(each.source for each in lists))


def _key_field(image: Expr, context: CompileContext) -> Field:
    """Create the field of a key in the key set, which has no definition over private rows."""
    key = computed_field(context.new_field_id(), image)
    return replace(key, definition=None, nullable=may_be_null(image, include_far=False))


def _lists_for(
    expr: Expr, facts: Sequence[Expr], context: CompileContext, list_booleans: bool
) -> tuple[PublicList, ...] | None:
    """Find lists whose product, projected through the expression, contains all its values.

    `list_booleans`: whether a condition may be listed as true and false. Not inside a CASE of constants, as
    its constants are a shorter list.
    """
    if isinstance(expr, Literal):
        return ()
    own = _direct_list(expr, facts, context)
    if own is not None or isinstance(expr, Ref):
        return None if own is None else (own,)
    constants = _case_constants(expr, context) if isinstance(expr, Case) else None
    image = _operand_lists(expr, facts, context, list_booleans and constants is None)
    if image is not None and all((each.size or 0) <= MAX_KEYS for each in image):
        return image
    values = constants if isinstance(expr, Case) else _function_range_list(expr, facts, context, list_booleans)
    values = values or (_list_of_alternatives(expr, context) if image is None else None)
    if values is not None:
        return (values,)
    return integer_lists(expr, facts, context) or image


def _operand_lists(
    expr: Expr, facts: Sequence[Expr], context: CompileContext, list_booleans: bool
) -> tuple[PublicList, ...] | None:
    """Find the lists of all operands of an expression; None if one of them has no list."""
    found: list[PublicList] = []
    for part in expr.children:
        lists = _lists_for(part, facts, context, list_booleans)
        if lists is None:
            return None
        found += lists
    return tuple(found)


def _direct_list(expr: Expr, facts: Sequence[Expr], context: CompileContext) -> PublicList | None:
    """Find a list of the expression itself, rather than of its operands; None if there is none.

    From the shortest to the longest source: a joined public relation, constants in a fact, a range in facts, and for a
    column a set operation, the numbers that one person can have, or else its declared domain.
    """
    public = public_domains.list_of_public_relation(expr) if isinstance(expr, Ref) else None
    if public is not None:
        return public
    constants = predicates.listed_values(expr, facts)
    if constants is not None:
        return public_domains.list_of_values(expr, constants, "a condition of the question", context)
    ends = predicates.between(expr, facts)
    if ends is not None and expr.type in (SqlType.BIGINT, SqlType.DATE):
        return public_domains.list_of_range(expr, *ends, "a range in the question", context)
    if not isinstance(expr, Ref):
        return None
    return (
        _list_of_alternatives(expr, context)
        or public_domains.list_of_counts(expr, facts, context)
        or public_domains.list_of_declared_domain(expr, context)
    )


def _list_of_alternatives(expr: Expr, context: CompileContext) -> PublicList | None:
    """List the values of an expression over a field that is one of several expressions; None unless each has a list.

    Such a field is the column of a set operation, with an expression for each side, or one person's MIN or similar,
    which is its argument in some row. An expression may stand over several lists, so its key set is built first.
    """
    read = {field for field in fields_of(expr) if field.alternatives}
    if len(read) != 1:
        return None
    (field,), found = read, list[SideKeySet]()
    for alternative in field.alternatives:
        value = expand_definitions(substitute(expr, {Ref(field): alternative.expr}))
        lists = _lists_for(value, alternative.predicates, context, True)
        if lists is None or _exceeds_limits(lists):
            return None
        sizes = [each.size for each in lists]
        size = None if None in sizes else prod(each for each in sizes if each is not None)
        keys = _cross_product([value], tuple(dict.fromkeys(lists)), alternative.predicates, context)
        found.append(SideKeySet(keys, size, any(each.allows_private for each in lists)))
    return union_lists(expr, found, context)


def _case_constants(expr: Case, context: CompileContext) -> PublicList | None:
    """List the constants that a CASE returns; None if a branch returns anything else."""
    values = case_values(expr)
    if not all(isinstance(value, Literal) for value in values):
        return None
    constants = public_domains.distinct_literals([v.value for v in values if isinstance(v, Literal)], expr.type)
    return public_domains.list_of_values(expr, constants, "the constants of a CASE", context)


def _date_part_list(expr: Call, facts: Sequence[Expr], context: CompileContext) -> PublicList | None:
    """List the values that a date part takes on the known dates, if these are few; None to list all its values.

    Over a whole year a date part takes all its values, so their list is as good. An exhaustive list of dates is used up
    to a century, as roll-ups need an exhaustive list.
    """
    found = public_domains.list_of_function_values(expr, "day", facts, context)
    if (
        found is None
        or found.size is None
        or found.size >= (_DAYS_PER_CENTURY if found.source.is_exhaustive else _DAYS_PER_YEAR)
    ):
        return None
    return replace(found, size=min(found.size, len(OVERLOADS[expr.function].listed_values) + 1))


def _function_range_list(
    expr: Call, facts: Sequence[Expr], context: CompileContext, list_booleans: bool
) -> PublicList | None:
    """List the values that a function can return: on the known times, or for any argument; None if unknown."""
    row = OVERLOADS[expr.function]
    nulls = (None,) if may_be_null(expr, include_far=False) else ()
    if row.key_set is KeySetRule.STEPS:
        return public_domains.list_of_truncations(expr, facts, context)
    on = row.constant_within
    unit = on if isinstance(on, str) else on(*constant_values(row, expr.arguments))
    if unit and row.key_set is KeySetRule.UNITS:
        return public_domains.list_of_function_values(expr, unit, facts, context)
    if row.listed_values:
        days = _date_part_list(expr, facts, context) if row.key_set is KeySetRule.DAYS else None
        if days is not None:
            return days
        values = public_domains.distinct_literals((*row.listed_values, *nulls), expr.type)
        return public_domains.list_of_values(expr, values, f"the values of {row.name}", context)
    if expr.type is SqlType.BOOLEAN and list_booleans:
        values = public_domains.distinct_literals((False, True, *nulls), expr.type)
        return public_domains.list_of_values(expr, values, "true and false", context)
    return None
