"""Keys added to a GROUP BY: into how many groups they part each one, where every row surely lies in one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, expand, fields_of
from dialect.algebra.relations import PerPerson
from dialect.analysis import facts as known_facts
from dialect.analysis.time_steps import step_of
from dialect.catalog.catalog import SqlType
from dialect.functions.inference import nullable
from dialect.parser.context import Reading
from dialect.planner.keys.dependent_keys import over_lists, tellers
from dialect.planner.keys.key_set import lists_of
from dialect.planner.keys.public_lists import PublicList

_COMPARISONS = {"<", "<=", ">", ">="}
Lists = Mapping[Expr, PublicList]


def parts(kept: Iterable[Field], more: Iterable[Field], source: PerPerson, reading: Reading) -> int | None:
    """Say into how many listed groups `more` keys part each group by the `kept` ones; None where rows might be lost.

    Claim: keys(kept + more) = keys(kept) x keys(more), and every row has one of keys(more). Symbols: keys = key sets.
    Needs: no row is kept of a public table. Source and proof: proofs.md#roll-ups. Raises: nothing.
    """
    first, exprs = [expand(Ref(key)) for key in kept], [expand(Ref(key)) for key in more]
    coarse, added = lists_of(first, source, reading), lists_of(exprs, source, reading)
    if coarse is None or added is None or set(coarse) & set(added):
        return None
    if any((place < len(first)) != (by < len(first)) for place, by in tellers([*first, *exprs], source.facts).items()):
        return None  # a key on one side chooses among those of the other
    closed = all(each.source.closed for each in added.values())
    far = any(nullable(expr) and not nullable(expr, far=False) for expr in exprs)
    if not closed or far or not _whole(coarse, added, source.facts):
        return None
    sizes = [each.size for each in added.values()]
    size = prod(each or 0 for each in sizes)
    return size or None


def _whole(coarse: Lists, added: Lists, facts: Sequence[Expr]) -> bool:
    """Tell whether no fact takes values out of the added lists: each says what its list was made from, and no more."""
    said = [*over_lists(facts, [*coarse.values(), *added.values()])]
    for expr, each in added.items():
        own = {f for _, new in each.stands_for for f in fields_of(new)}
        about = [fact for fact, written in said if own.intersection(fields_of(written))]
        if not (_makes_steps(about, expr, facts) or _makes(about, expr, each)):
            return False
    return True


def _makes_steps(about: Sequence[Expr], expr: Expr, facts: Sequence[Expr]) -> bool:
    """Tell whether all that is known of a time sets ends to it, between which its steps were listed."""
    if not isinstance(expr, Call) or step_of(expr, expr.arguments[-1]) is None:
        return False
    return all(known_facts.is_end(fact, expr.arguments[-1], facts) for fact in about)


def _makes(about: Sequence[Expr], expr: Expr, made: PublicList) -> bool:
    """Tell whether a list was made from all that is known of an expression: one list of constants, or ends alone."""
    constants = known_facts.listed(expr, about)
    if constants is not None:
        return len(about) == 1 and len(constants) == made.size
    if not about:
        return True
    ends = known_facts.between(expr, about) if expr.type in (SqlType.BIGINT, SqlType.DATE) else None
    return ends is not None and all(_is_end(fact, expr) for fact in about)


def _is_end(fact: Expr, expr: Expr) -> bool:
    if not isinstance(fact, Call) or fact.name not in _COMPARISONS or expr not in fact.arguments:
        return False
    return any(isinstance(part, Literal) and part.type is expr.type for part in fact.arguments)
