"""SQL size limit: an upper bound on the length of generated SQL, computed before it is written.

Every length is in characters. The form of a function is its SQL with a slot per argument; a form that repeats a slot
writes that argument several times, so nested calls may grow exponentially.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialect.algebra.expressions import Case, Expr, Literal, Ref
from dialect.algebra.relations import (
    AggregateCall,
    Group,
    Join,
    Relation,
    ReleasePoint,
    Series,
    SetOperation,
    Values,
    Window,
    call_expressions,
    expressions_of,
)
from dialect.algebra.traversal import fold, walk
from dialect.analysis.predicates import times_written
from dialect.diagnostics.kinds import Kind
from dialect.functions.aggregates import AGGREGATES, ReleasedAs
from dialect.functions.emitter import DUCKDB, Emitter
from dialect.functions.registry import OVERLOADS
from dialect.functions.tie_order import hash_text_length, value_occurrences

MAX_SQL_CHARACTERS = 400_000  # characters of generated SQL per query
_PER_FIELD = 12  # an id, a comma and the surrounding syntax


def check_sql_size(*relations: Relation, engine: Emitter = DUCKDB) -> None:
    """Refuse relations whose SQL could exceed MAX_SQL_CHARACTERS characters; raises Refusal with E_COMPLEX."""
    if sum(_relation_sql_size(relation, engine) for relation in relations) > MAX_SQL_CHARACTERS:
        raise Kind.SQL_TOO_LONG.at()


def expression_sql_size(expr: Expr, engine: Emitter = DUCKDB) -> int:
    """Upper bound on the length of an expression's SQL in characters; a total form may repeat its arguments."""

    def length(part: Expr, below: Sequence[int]) -> int:
        """Return the length of an expression from those of its parts; each counts as often as a form repeats it."""
        if isinstance(part, Literal):
            return 2 * len(str(part.value)) + 30
        if isinstance(part, Ref):
            return _PER_FIELD
        if isinstance(part, Case):
            return 16 + sum(each + 12 for each in below)
        form = engine.form_of(OVERLOADS[part.function], part.arguments) or ""
        return len(form) + sum((each + 5) * max(1, form.count(f"{{{place}}}")) for place, each in enumerate(below))

    return fold(expr, length)


def _relation_sql_size(relation: Relation, engine: Emitter) -> int:
    """Upper bound on the SQL length of a relation and everything below it, or any length above the limit.

    A split join writes its sides several times. Counting stops at MAX_SQL_CHARACTERS, since repeated sides may be
    exponentially many.
    """
    pending, total = [relation], 0
    while pending and total <= MAX_SQL_CHARACTERS:
        current = pending.pop()
        total += (
            60
            + _PER_FIELD * len(current.fields)
            + sum(expression_sql_size(expr, engine) + _PER_FIELD for expr in _written_expressions(current))
        )
        total += _values_sql_size(current) + _tie_breaking_sql_size(current, engine)
        pending += current.children * (times_written(current.operator) if isinstance(current.operator, Join) else 1)
    return total


def _tie_breaking_sql_size(relation: Relation, engine: Emitter) -> int:
    """Return the SQL length of the hashes that break ties among one person's rows.

    A window function hashes every field of its source; an aggregate, here any with an argument, hashes its value.
    """
    operator, tie_hash = relation.operator, engine.tie_hash
    if isinstance(operator, Window):
        # the hash, and its name again in the ORDER BY of each call
        return sum(
            hash_text_length(f.type, tie_hash) + value_occurrences(f.type, tie_hash) * _PER_FIELD + 120
            for f in operator.source.fields
        )
    measures = [each for each in operator.aggregates if each.arguments] if isinstance(operator, Group) else []
    values = [each.arguments[0] for each in measures]
    return sum(
        hash_text_length(v.type, tie_hash) + value_occurrences(v.type, tie_hash) * (expression_sql_size(v, engine) + 5)
        for v in values
    )


def _values_sql_size(relation: Relation) -> int:
    """Return the SQL length of VALUES rows, with a type for each constant."""
    if not isinstance(relation.operator, Values):
        return 0
    return sum(24 + 2 * len(str(cell.value)) for row in relation.operator.rows for cell in row)


def expressions_below(relation: Relation) -> Iterator[Expr]:
    """Yield the expressions of a relation and of everything below it; shared ones appear more than once."""
    return (expr for each in walk(relation) for expr in _written_expressions(each))


def _written_expressions(relation: Relation) -> Iterator[Expr]:
    """Yield the expressions that an operator writes, repeated as often as it writes them."""
    operator = relation.operator
    if isinstance(operator, SetOperation):
        yield from (Ref(f) for columns in operator.columns for f in columns)
    elif isinstance(operator, Window):
        yield from (expr for call in operator.calls for expr in call_expressions(call) * 3)  # as ordered aggregates
        yield from (Ref(call.result) for call in operator.calls for _ in range(13))  # OVER, frame, tie-breaking order
        yield from map(Ref, operator.source.fields)  # tie-breaking fields
    elif isinstance(operator, Group):
        yield from (expr for measure in operator.aggregates for expr in _aggregate_expressions(measure))
    elif not isinstance(operator, Values | Series | ReleasePoint):  # split off, or counted apart: `_values_sql_size`
        yield from expressions_of(operator)


def _aggregate_expressions(measure: AggregateCall) -> tuple[Expr, ...]:
    """Expressions that an aggregate writes: ordered ones write their arguments three times, a mean six times."""
    times = 6 if AGGREGATES[measure.function].released_as is ReleasedAs.MEAN else 3
    condition = (measure.condition,) if measure.condition is not None else ()
    return measure.arguments * times + condition * times
