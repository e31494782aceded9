"""Public LEFT JOIN PerPerson: the preserved public rows, which appear in the result without any private row.

The join is planned as an inner join, with its preserved rows remembered here. Null-extended rows are never generated;
only expressions and aggregates that they cannot affect are accepted (`proofs.md#kept-rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from sqlglot import exp

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.relations import (
    Cut,
    Distinct,
    Filter,
    How,
    Join,
    Kept,
    Outcome,
    Outcomes,
    PerPerson,
    Project,
    Public,
    Relation,
)
from dialect.algebra.traversal import sources
from dialect.errors import Code, Refusal, Suggestion
from dialect.functions.inference import null_extended
from dialect.functions.registry import function
from dialect.parser.context import refusal

_ANY: Outcomes = frozenset(Outcome)
_NULL: Outcomes = frozenset({Outcome.NULL})
_TRUTH = frozenset({Outcome.TRUE, Outcome.FALSE})
_CARRY_ZERO = {"negative", "to_double", "to_bigint"}


def is_public(kept: Kept, expr: Expr) -> bool:
    """Return whether an expression reads preserved public fields alone."""
    return all(f in kept.rows.fields for f in fields_of(expr))


def outcomes(kept: Kept, expr: Expr) -> Outcomes:
    """Return the possible outcomes of an expression in a null-extended row."""
    if isinstance(expr, Ref):
        return kept.absent.get(expr.field, _ANY)
    if isinstance(expr, Literal):
        return frozenset({_of_constant(expr)})
    return _of_case(kept, expr) if isinstance(expr, Case) else _of_call(kept, expr)


def rejects(kept: Kept, condition: Expr) -> bool:
    """Return whether a condition is never true in a null-extended row."""
    return any(Outcome.TRUE not in outcomes(kept, part) for part in conjuncts(condition))


def _of_case(kept: Kept, case: Case) -> Outcomes:
    found: Outcomes = frozenset()
    for test, value in case.branches:
        met = outcomes(kept, test)
        if Outcome.TRUE in met:
            found |= outcomes(kept, value)
        if met == {Outcome.TRUE}:
            return found
    return found | outcomes(kept, case.otherwise)


def _of_call(kept: Kept, call: Call) -> Outcomes:
    parts = [outcomes(kept, argument) for argument in call.arguments]
    if call.name in _RULES:
        return _RULES[call.name](parts)
    if function(call.function).strict and any(part == _NULL for part in parts):
        return _NULL
    return parts[0] if call.name in _CARRY_ZERO and parts[0] <= {Outcome.NULL, Outcome.ZERO} else _ANY


def _of_constant(constant: Literal) -> Outcome:
    if constant.value is None:
        return Outcome.NULL
    if isinstance(constant.value, bool):
        return Outcome.TRUE if constant.value else Outcome.FALSE
    return Outcome.ZERO if constant.value == 0 else Outcome.OTHER


def _test(of: Outcome) -> Callable[[Sequence[Outcomes]], Outcomes]:
    """Build the outcome rule of IS NULL, IS TRUE or IS FALSE."""

    def rule(parts: Sequence[Outcomes]) -> Outcomes:
        if of not in parts[0]:
            return frozenset({Outcome.FALSE})
        return frozenset({Outcome.TRUE}) if parts[0] == {of} else _TRUTH

    return rule


def _negated(parts: Sequence[Outcomes]) -> Outcomes:
    other = {Outcome.TRUE: Outcome.FALSE, Outcome.FALSE: Outcome.TRUE, Outcome.NULL: Outcome.NULL}
    return frozenset(other.get(outcome, outcome) for outcome in parts[0])


def _null_with_the_first(parts: Sequence[Outcomes]) -> Outcomes:
    """Apply the outcome rule of IN and NULLIF: NULL if the first argument is."""
    return _NULL if parts[0] == _NULL else _ANY


def _null_with_all(parts: Sequence[Outcomes]) -> Outcomes:
    return _NULL if all(part == _NULL for part in parts) else _ANY


def _first_that_is(parts: Sequence[Outcomes]) -> Outcomes:
    found: Outcomes = frozenset()
    for part in parts:
        found |= part - _NULL
        if Outcome.NULL not in part:
            return found
    return found | _NULL


def _connected(decides: Outcome, parts: Sequence[Outcomes]) -> Outcomes:
    """Apply the outcome rule of AND and OR: one operand with the deciding truth value decides."""
    (other,) = _TRUTH - {decides}
    if any(part == {decides} for part in parts):
        return frozenset({decides})
    found = {outcome for part in parts for outcome in part & {decides, Outcome.NULL}}
    return frozenset(found | ({other} if all(other in part for part in parts) else set()))


_RULES: Mapping[str, Callable[[Sequence[Outcomes]], Outcomes]] = {
    "is null": _test(Outcome.NULL),
    "is true": _test(Outcome.TRUE),
    "is false": _test(Outcome.FALSE),
    "not": _negated,
    "and": partial(_connected, Outcome.FALSE),
    "or": partial(_connected, Outcome.TRUE),
    "in": _null_with_the_first,
    "nullif": _null_with_the_first,
    "coalesce": _first_that_is,
    "least": _null_with_all,
    "greatest": _null_with_all,
}


def kept_by(public: Public, absent: Iterable[Field]) -> Kept:
    """Start tracking preserved public rows; the given fields are NULL in null-extended rows."""
    return Kept(public, dict.fromkeys(absent, _NULL))


def kept_with(kept: Kept, absent: Iterable[Field]) -> Kept:
    """Add further fields that are NULL in null-extended rows."""
    return replace(kept, absent={**kept.absent, **dict.fromkeys(absent, _NULL)})


def kept_where(kept: Kept, condition: Expr, node: exp.Expr | None) -> Kept | None:
    """Filter the preserved rows by a condition on public fields; None if it rejects every null-extended row."""
    if rejects(kept, condition):
        return None
    if not is_public(kept, condition):
        raise _undecided("This condition", "conditions on public columns alone, or JOIN in place of LEFT JOIN", node)
    return replace(kept, rows=Public(Filter(kept.rows, condition), kept.rows.fields, kept.rows.facts))


def kept_computed(kept: Kept, computed: Sequence[tuple[Field, Expr]]) -> Kept:
    """Add computed fields: over the preserved rows, or as their outcomes in null-extended rows."""
    public = tuple((made, expr) for made, expr in computed if is_public(kept, expr))
    others = {made: outcomes(kept, expr) for made, expr in computed if not is_public(kept, expr)}
    rows = kept.rows
    if public:
        rows = replace(rows, operator=Project(rows, public), fields=rows.fields + tuple(made for made, _ in public))
    return Kept(rows, {**kept.absent, **others})


def kept_joined(kept: Kept, public: Public, how: How, condition: Expr, node: exp.Expr) -> Kept | None:
    """Join the preserved rows with a further public relation; None if none of them is preserved."""
    wider = Kept(Public(Join(kept.rows, public, how, condition), kept.rows.fields + public.fields), kept.absent)
    if is_public(wider, condition):
        if how != "left":
            return wider
        extended = tuple(null_extended(f) for f in public.fields)
        return replace(wider, rows=replace(wider.rows, fields=kept.rows.fields + extended))
    if rejects(wider, condition):
        return kept_with(kept, public.fields) if how == "left" else None
    raise _undecided("This ON", "ON with public columns alone, or JOIN in place of the LEFT JOIN before", node)


def check_kept_keys(source: PerPerson, keys: Sequence[Field], node: exp.Expr) -> None:
    """Refuse group keys that are not fields of the preserved rows."""
    kept = source.kept
    if kept is None or all(f in kept.rows.fields for f in keys):
        return
    raise refusal(
        Code.KEY,
        "A public table LEFT JOIN a private one is grouped by public columns: other keys have no public list here.",
        "JOIN in place of LEFT JOIN, or GROUP BY public columns alone",
        node,
    )


def check_ignored(
    aggregate: str, arguments: Sequence[Expr], test: Expr | None, source: PerPerson, person: str, node: exp.Expr
) -> None:
    """Refuse an aggregate that null-extended rows would change; `person` is the person key as written in SQL."""
    kept = source.kept
    if kept is None or (test is not None and rejects(kept, test)):
        return
    allowed = {Outcome.NULL, Outcome.ZERO} if aggregate == "sum" else {Outcome.NULL}
    if arguments and all(outcomes(kept, argument) <= allowed for argument in arguments):
        return
    why = "Rows that a LEFT JOIN adds where nobody's row matched belong to nobody, and would move this."
    read = {f for argument in arguments for f in fields_of(argument)}
    if read and read <= set(kept.rows.fields):
        hint = "a subquery that groups the public table alone, joined by the keys: its numbers need no noise"
        raise refusal(Code.AGG, why, hint, node)
    instead = Suggestion(f"COUNT({person})", "counts the rows of people, and 0 where there are none")
    raise refusal(Code.AGG, why, instead, node, instead)


def check_kept_below(relation: Relation) -> None:
    """Refuse operators that have no rule for preserved rows."""
    for source in sources(relation):
        check_kept_below(source)
        kept = isinstance(source, PerPerson) and source.kept is not None
        if kept and not isinstance(relation.operator, Filter | Project | Join | Cut):
            raise _undecided(
                "A GROUP BY, DISTINCT, IN or EXISTS over it", "an aggregate over the LEFT JOIN itself", None
            )


def key_rows(kept: Kept, keys: Sequence[Field]) -> tuple[Public, tuple[Field, ...]]:
    """Return the distinct keys of the preserved rows."""
    held = {f: f for f in kept.rows.fields}
    unique = tuple(replace(held[key], definition=None) for key in keys)
    return Public(Distinct(kept.rows, unique), unique), unique


def _undecided(what: str, hint: str, node: exp.Expr | None) -> Refusal:
    why = f"{what} looks at private columns that are NULL where nobody's row matched the LEFT JOIN."
    return refusal(Code.JOIN, why, hint, node)
