"""Dependent keys: group keys determined by a finer time key, computed from its key set.

So impossible combinations are never enumerated. Day, month and weekday of a time follow from its hour, and so does a
column declared to be its date:

    GROUP BY date_trunc('hour', ts), dayname(ts)   ->   one list of hours; dayname is computed from it

Terms: a fact is a predicate that is true of every row. A determinant is the key from which another one is computed. The
image of a key is its expression over the values of a public list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from dialect.algebra.expressions import Call, Expr, Field, Ref, equal_pairs, fields_of, substitute
from dialect.analysis.key_rewriting import FINER, UnderivableError, rewrite_over_keys
from dialect.analysis.time_granularity import truncation_unit
from dialect.functions.registry import is_date
from dialect.planner.keys.public_domains import PublicList


def determining_keys(exprs: Sequence[Expr], facts: Sequence[Expr]) -> dict[int, int]:
    """Map the position of each dependent key to that of the key that determines it: a finer step of the same time.

    Claim: on each row a dependent key is a function of the other. Raises: nothing. Proof:
    dialect/planner/proofs.md#dependent-keys
    """
    dates = _date_definitions(facts)
    exprs_as_dates = [dates.get(expr, expr) for expr in exprs]
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
    result, dates = list(lists), _date_definitions(facts)
    exprs_as_dates = [dates.get(expr, expr) for expr in exprs]
    for position, determinant in determining_keys(exprs, facts).items():
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
