"""Public LEFT JOIN PerPerson: the preserved public rows, which appear in the result without any private row.

The join is planned as an inner join, with its preserved rows remembered here. Null-extended rows are never generated;
only expressions and aggregates that they cannot affect are accepted (`proofs.md#kept-rows`).

Terms:

    preserved side      the public relation on the left, and what is known of its null-extended rows
    null-extended row   a preserved row without a match: all private fields are NULL
    outcomes            values that an expression may have in a null-extended row: NULL, true, false, zero or other
    unmatched_values    field -> its outcomes; fields that are not in it may have every outcome
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from sqlglot import exp

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Join,
    JoinKind,
    NullExtendedValue,
    NullExtendedValues,
    PerPerson,
    PreservedSide,
    Project,
    Public,
    Relation,
    RowTruncation,
)
from dialect.algebra.traversal import walk
from dialect.diagnostics.kinds import Kind
from dialect.errors import Suggestion
from dialect.functions.aggregates import Aggregate, ReleasedAs
from dialect.functions.registry import OVERLOADS, null_extended
from dialect.functions.signatures import Effect
from dialect.parser.compile_context import refusal

_ANY: NullExtendedValues = frozenset(NullExtendedValue)
_NULL: NullExtendedValues = frozenset({NullExtendedValue.NULL})
_TRUTH = frozenset({NullExtendedValue.TRUE, NullExtendedValue.FALSE})
_ZERO_PRESERVING = (Effect.KEEPS, Effect.ROUNDS, Effect.NEGATES)


def reads_preserved_only(preserved: PreservedSide, expr: Expr) -> bool:
    """Return whether an expression reads preserved public fields alone."""
    return all(f in preserved.rows.fields for f in fields_of(expr))


def outcomes(preserved: PreservedSide, expr: Expr) -> NullExtendedValues:
    """Return the possible outcomes of an expression in a null-extended row: NULL, true, false, zero or other."""
    if isinstance(expr, Ref):
        return preserved.unmatched_values.get(expr.field, _ANY)
    if isinstance(expr, Literal):
        return frozenset({_constant_outcome(expr)})
    return _case_outcomes(preserved, expr) if isinstance(expr, Case) else _call_outcomes(preserved, expr)


def rejects_null_extended(preserved: PreservedSide, condition: Expr) -> bool:
    """Return whether a condition is never true in a null-extended row: one conjunct that never is suffices."""
    return any(NullExtendedValue.TRUE not in outcomes(preserved, part) for part in conjuncts(condition))


def _case_outcomes(preserved: PreservedSide, case: Case) -> NullExtendedValues:
    """Outcomes of a CASE: of every value whose test may be true, up to the first test that is always true."""
    found: NullExtendedValues = frozenset()
    for test, value in case.branches:
        test_outcomes = outcomes(preserved, test)
        if NullExtendedValue.TRUE in test_outcomes:
            found |= outcomes(preserved, value)
        if test_outcomes == {NullExtendedValue.TRUE}:
            return found
    return found | outcomes(preserved, case.otherwise)


def _call_outcomes(preserved: PreservedSide, call: Call) -> NullExtendedValues:
    """Outcomes of a function call from those of its arguments.

    By the function's own rule; NULL for a strict function with an argument that is always NULL; zero or NULL stay so
    under negation, casts and rounding of numbers; else any outcome.
    """
    parts = [outcomes(preserved, argument) for argument in call.arguments]
    rule = _OUTCOME_RULES.get(call.name)
    if rule is not None:
        return rule(parts)
    if OVERLOADS[call.function].is_strict and any(part == _NULL for part in parts):
        return _NULL
    keeps_zero = OVERLOADS[call.function].effect in _ZERO_PRESERVING
    return parts[0] if keeps_zero and parts[0] <= {NullExtendedValue.NULL, NullExtendedValue.ZERO} else _ANY


def _constant_outcome(constant: Literal) -> NullExtendedValue:
    """Outcome of a constant."""
    if constant.value is None:
        return NullExtendedValue.NULL
    if isinstance(constant.value, bool):
        return NullExtendedValue.TRUE if constant.value else NullExtendedValue.FALSE
    return NullExtendedValue.ZERO if constant.value == 0 else NullExtendedValue.OTHER


def _truth_test_rule(outcome: NullExtendedValue) -> Callable[[Sequence[NullExtendedValues]], NullExtendedValues]:
    """Build the outcome rule of IS NULL, IS TRUE or IS FALSE."""

    def rule(parts: Sequence[NullExtendedValues]) -> NullExtendedValues:
        """Compare the outcomes of the argument with the tested one: always, never or sometimes equal."""
        if outcome not in parts[0]:
            return frozenset({NullExtendedValue.FALSE})
        return frozenset({NullExtendedValue.TRUE}) if parts[0] == {outcome} else _TRUTH

    return rule


def _not_rule(parts: Sequence[NullExtendedValues]) -> NullExtendedValues:
    """Outcome rule of NOT: true and false are exchanged, NULL stays."""
    other = {
        NullExtendedValue.TRUE: NullExtendedValue.FALSE,
        NullExtendedValue.FALSE: NullExtendedValue.TRUE,
        NullExtendedValue.NULL: NullExtendedValue.NULL,
    }
    return frozenset(other.get(outcome, outcome) for outcome in parts[0])


def _null_if_first_is(parts: Sequence[NullExtendedValues]) -> NullExtendedValues:
    """Apply the outcome rule of IN and NULLIF: NULL if the first argument is."""
    return _NULL if parts[0] == _NULL else _ANY


def _null_if_all_are(parts: Sequence[NullExtendedValues]) -> NullExtendedValues:
    """Outcome rule of LEAST and GREATEST, which skip NULLs: NULL if every argument is always NULL."""
    return _NULL if all(part == _NULL for part in parts) else _ANY


def _coalesce_rule(parts: Sequence[NullExtendedValues]) -> NullExtendedValues:
    """Outcome rule of COALESCE: outcomes of the arguments up to the first that is never NULL."""
    found: NullExtendedValues = frozenset()
    for part in parts:
        found |= part - _NULL
        if NullExtendedValue.NULL not in part:
            return found
    return found | _NULL


def _and_or_rule(deciding: NullExtendedValue, parts: Sequence[NullExtendedValues]) -> NullExtendedValues:
    """Outcome rule of AND and OR: one operand with the deciding truth value decides.

    `deciding` is false for AND, true for OR. The other truth value needs all operands to have it.
    """
    (other,) = _TRUTH - {deciding}
    if any(part == {deciding} for part in parts):
        return frozenset({deciding})
    found = {outcome for part in parts for outcome in part & {deciding, NullExtendedValue.NULL}}
    return frozenset(found | ({other} if all(other in part for part in parts) else set()))


_OUTCOME_RULES: Mapping[str, Callable[[Sequence[NullExtendedValues]], NullExtendedValues]] = {
    "is null": _truth_test_rule(NullExtendedValue.NULL),
    "is true": _truth_test_rule(NullExtendedValue.TRUE),
    "is false": _truth_test_rule(NullExtendedValue.FALSE),
    "not": _not_rule,
    "and": partial(_and_or_rule, NullExtendedValue.FALSE),
    "or": partial(_and_or_rule, NullExtendedValue.TRUE),
    "in": _null_if_first_is,
    "nullif": _null_if_first_is,
    "coalesce": _coalesce_rule,
    "least": _null_if_all_are,
    "greatest": _null_if_all_are,
}


def preserve(public: Public, null_extended: Iterable[Field]) -> PreservedSide:
    """Start tracking preserved public rows; the given fields are NULL in null-extended rows."""
    return PreservedSide(public, dict.fromkeys(null_extended, _NULL))


def with_null_extended(preserved: PreservedSide, null_extended: Iterable[Field]) -> PreservedSide:
    """Add further fields that are NULL in null-extended rows."""
    return replace(preserved, unmatched_values={**preserved.unmatched_values, **dict.fromkeys(null_extended, _NULL)})


def filter_preserved(preserved: PreservedSide, condition: Expr, node: exp.Expr | None) -> PreservedSide | None:
    """Filter the preserved rows by a condition on public fields; None if it rejects every null-extended row.

    Then the LEFT JOIN is an inner join. A condition that also reads private fields is refused with E_JOIN.
    """
    if rejects_null_extended(preserved, condition):
        return None
    if not reads_preserved_only(preserved, condition):
        raise refusal(Kind.CONDITION_ON_NULL_EXTENDED, node)
    return replace(preserved, rows=preserved.rows.with_filter(condition))


def compute_preserved(preserved: PreservedSide, computed: Sequence[tuple[Field, Expr]]) -> PreservedSide:
    """Follow a projection: compute public expressions over the preserved rows, record the outcomes of the others."""
    public = tuple((field, expr) for field, expr in computed if reads_preserved_only(preserved, expr))
    others = {field: outcomes(preserved, expr) for field, expr in computed if not reads_preserved_only(preserved, expr)}
    return PreservedSide(preserved.rows.with_columns(public), {**preserved.unmatched_values, **others})


def join_preserved(
    preserved: PreservedSide, public: Public, kind: JoinKind, condition: Expr, node: exp.Expr
) -> PreservedSide | None:
    """Join the preserved rows with a further public relation; None if none of them is preserved.

    An ON over public columns joins them as it would without private rows. An ON that is never true in a null-extended
    row drops these, or in a LEFT JOIN gives them NULLs; any other ON is refused with E_JOIN.
    """
    wider = PreservedSide(
        Public(Join(preserved.rows, public, kind, condition), preserved.rows.fields + public.fields),
        preserved.unmatched_values,
    )
    if reads_preserved_only(wider, condition):
        if kind != "left":
            return wider
        extended = tuple(null_extended(f) for f in public.fields)
        return replace(wider, rows=replace(wider.rows, fields=preserved.rows.fields + extended))
    if rejects_null_extended(wider, condition):
        return with_null_extended(preserved, public.fields) if kind == "left" else None
    raise refusal(Kind.ON_NULL_EXTENDED, node)


def check_preserved_keys(source: PerPerson, keys: Sequence[Field], node: exp.Expr) -> None:
    """Refuse group keys that are not fields of the preserved rows."""
    preserved = source.preserved_side
    if preserved is None or all(f in preserved.rows.fields for f in keys):
        return
    raise refusal(Kind.KEYS_OF_PRESERVED_ROWS, node)


def check_ignores_null_extended(
    aggregate: Aggregate, arguments: Sequence[Expr], test: Expr | None, source: PerPerson, person: str, node: exp.Expr
) -> None:
    """Refuse an aggregate that null-extended rows would change, because these rows are never generated.

    Unchanged are aggregates whose FILTER rejects null-extended rows (`test`), and those whose arguments are all NULL
    there; of SUM also 0. `person` is the person key as written in SQL. Raises Refusal with E_AGG.
    """
    preserved = source.preserved_side
    if preserved is None or (test is not None and rejects_null_extended(preserved, test)):
        return
    keeps_zero = aggregate.released_as is ReleasedAs.SUM
    allowed = {NullExtendedValue.NULL, NullExtendedValue.ZERO} if keeps_zero else {NullExtendedValue.NULL}
    if arguments and all(outcomes(preserved, argument) <= allowed for argument in arguments):
        return
    read = {f for argument in arguments for f in fields_of(argument)}
    if read and read <= set(preserved.rows.fields):
        raise refusal(Kind.PRESERVED_ROWS_ALONE, node)
    instead = Suggestion(f"COUNT({person})", "counts the rows of people, and 0 where there are none")
    raise refusal(Kind.PRESERVED_ROWS_MOVE_AGGREGATE, node, instead, count=instead)


def check_preserved_below(relation: Relation) -> None:
    """Refuse operators over a relation with a preserved side that have no rule for it, anywhere in a plan.

    Filters, projections, joins and row truncation have rules above.
    """
    for each in walk(relation):
        sources = [part for part in each.children if isinstance(part, PerPerson) and part.preserved_side is not None]
        if sources and not isinstance(each.operator, Filter | Project | Join | RowTruncation):
            raise Kind.OPERATOR_OVER_NULL_EXTENDED.at()


def preserved_keys(preserved: PreservedSide, keys: Sequence[Field]) -> tuple[Public, tuple[Field, ...]]:
    """Distinct keys of the preserved rows, and their fields in order: the key set of a release over the LEFT JOIN."""
    key_fields = {f: f for f in preserved.rows.fields}
    unique = tuple(replace(key_fields[key], definition=None) for key in keys)
    return Public(Distinct(preserved.rows, unique), unique), unique
