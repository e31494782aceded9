"""Dependent keys: group keys determined by a finer time key, computed from its key set.

So impossible combinations are never enumerated. Day, month and weekday of a time follow from its hour, and so does a
column declared to be its date:

    GROUP BY date_trunc('hour', ts), dayname(ts)   ->   one list of hours; dayname is computed from it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from dialect.algebra.expressions import Call, Expr, Field, Ref, fields_of, substituted
from dialect.analysis.key_rewriting import FINER, UntoldError, over_keys
from dialect.analysis.time_granularity import step_of
from dialect.planner.keys.public_domains import PublicList


def tellers(exprs: Sequence[Expr], facts: Sequence[Expr]) -> dict[int, int]:
    """Map the position of each dependent key to that of the key that determines it: a finer step of the same time.

    Claim: on each row a dependent key is a function of the other. Raises: nothing. Proof:
    dialect/planner/proofs.md#dependent-keys
    """
    dates = _dates(facts)
    written = [dates.get(expr, expr) for expr in exprs]
    finest: list[int] = []
    for place in sorted(_steps(written), key=lambda i: FINER.index(_step(written[i]))):
        if all(_told(written[place], written[other]) is None for other in finest):
            finest.append(place)
    told = {}
    for place in sorted(set(range(len(written))) - set(finest)):
        by = next((i for i in finest if _told(written[place], written[i]) is not None), None)
        if by is not None:
            told[place] = by
    return told


def with_told(
    exprs: Sequence[Expr], found: Sequence[tuple[PublicList, ...] | None], facts: Sequence[Expr]
) -> list[tuple[PublicList, ...] | None]:
    """Compute dependent keys from the key set of the key that determines them, in place of lists of their own."""
    made, dates = list(found), _dates(facts)
    written = [dates.get(expr, expr) for expr in exprs]
    for place, by in tellers(exprs, facts).items():
        alone = _alone(exprs[by], made[by])
        if alone is not None:
            listed, field = alone
            image = over_keys(written[place], {written[by]: field})
            made[by] = (replace(listed, stands_for=(*listed.stands_for, (exprs[place], image))),)
            made[place] = ()
    return made


def over_lists(facts: Sequence[Expr], lists: Collection[PublicList]) -> Iterator[tuple[Expr, Expr]]:
    """Rewrite the facts over the values of the public lists: pairs (fact, rewritten fact), where derivable."""
    pairs, dates = [pair for each in lists for pair in each.stands_for], _dates(facts)
    listed = {f for _, new in pairs for f in fields_of(new)}
    cells = {old: new.field for old, new in pairs if isinstance(new, Ref)}
    for fact in facts:
        for said in (fact, substituted(fact, dates)):
            written = substituted(said, dict(pairs))
            if not listed.issuperset(fields_of(written)):
                with suppress(UntoldError):
                    written = over_keys(said, cells)
            if listed.issuperset(fields_of(written)):
                if not _says_nothing(written):
                    yield fact, written
                break


def _says_nothing(fact: Expr) -> bool:
    return isinstance(fact, Call) and fact.name == "=" and fact.arguments[0] == fact.arguments[1]


def _dates(facts: Sequence[Expr]) -> Mapping[Expr, Expr]:
    """Map columns to the date expressions that a fact equates them with."""
    equal = [fact.arguments for fact in facts if isinstance(fact, Call) and fact.name == "="]
    pairs = [pair for one, other in equal for pair in ((one, other), (other, one))]
    return {one: day for one, day in pairs if isinstance(one, Ref) and isinstance(day, Call) and day.name == "to_date"}


def _steps(exprs: Sequence[Expr]) -> Iterator[int]:
    return (place for place, expr in enumerate(exprs) if _step(expr) in FINER)


def _step(expr: Expr) -> str:
    return step_of(expr, expr.arguments[-1]) or "" if isinstance(expr, Call) and expr.arguments else ""


def _told(expr: Expr, by: Expr) -> Expr | None:
    if expr == by or not any(True for _ in fields_of(expr)):
        return None
    try:
        return over_keys(expr, {by: Field("told", None, by.type)})
    except UntoldError:
        return None


def _alone(expr: Expr, found: tuple[PublicList, ...] | None) -> tuple[PublicList, Field] | None:
    """Return the single list that enumerates a key itself, and the field of its values; None otherwise."""
    if found is None or len(found) != 1:
        return None
    (old, new), *_ = found[0].stands_for
    return (found[0], new.field) if old == expr and isinstance(new, Ref) else None
