"""SQL size limit: an upper bound on the length of generated SQL, computed before it is written."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra.expressions import Call, Case, Expr, Literal, Ref, children
from dialect.algebra.relations import (
    Filter,
    Group,
    Join,
    Measure,
    Project,
    Relation,
    SemiJoin,
    SetOperation,
    Sort,
    Values,
    Window,
    read_by,
)
from dialect.algebra.traversal import all_below, sources
from dialect.analysis.disjunctive_joins import times_read
from dialect.catalog.model import EngineName
from dialect.errors import Code, Refusal
from dialect.functions.emitter import DUCKDB, SPARK, Emitter
from dialect.functions.registry import function
from dialect.functions.tie_order import longest, repeats

MAX_TEXT = 400_000  # characters of generated SQL per query
_PER_FIELD = 12  # an id, a comma and the surrounding syntax


def check_weight(*relations: Relation, engine: Emitter = DUCKDB) -> None:
    """Refuse relations whose SQL could exceed MAX_TEXT characters; raises Refusal with E_COMPLEX."""
    if sum(_relation(relation, engine) for relation in relations) > MAX_TEXT:
        raise Refusal(Code.COMPLEX, "The question becomes too long when it is made safe.", "ask for less at once")


def weight(expr: Expr, engine: Emitter = DUCKDB) -> int:
    """Upper bound on the length of an expression's SQL in characters; a total form may repeat its arguments."""
    if isinstance(expr, Literal):
        return 2 * len(str(expr.value)) + 30
    if isinstance(expr, Ref):
        return _PER_FIELD
    if isinstance(expr, Case):
        return 16 + sum(weight(part, engine) + 12 for part in children(expr))
    return _call(expr, engine)


def _call(expr: Call, engine: Emitter) -> int:
    form = engine.form(function(expr.function), expr.arguments) or ""
    repeats = (max(1, form.count(f"{{{place}}}")) for place in range(len(expr.arguments)))
    return len(form) + sum(
        (weight(part, engine) + 5) * times for part, times in zip(expr.arguments, repeats, strict=True)
    )


def _relation(relation: Relation, engine: Emitter) -> int:
    """Upper bound on the SQL length of a relation and everything below it."""
    waiting, total = [relation], 0
    while waiting and total <= MAX_TEXT:
        now = waiting.pop()
        total += 60 + _PER_FIELD * len(now.fields) + sum(weight(expr, engine) + _PER_FIELD for expr in _written(now))
        total += _listed(now) + _hashes(now, engine)
        waiting += sources(now) * (times_read(now.operator) if isinstance(now.operator, Join) else 1)
    return total


def _hashes(relation: Relation, engine: Emitter) -> int:
    """Return the SQL length of the hashes that break ties among one person's rows."""
    operator, name = relation.operator, EngineName.SPARK if engine is SPARK else EngineName.DUCKDB
    if isinstance(operator, Window):
        # the hash, and its name again in the ORDER BY of each call
        return sum(longest(f.type, name) + repeats(f.type, name) * _PER_FIELD + 120 for f in operator.source.fields)
    measures = [each for each in operator.measures if each.arguments] if isinstance(operator, Group) else []
    values = [each.arguments[0] for each in measures]
    return sum(longest(v.type, name) + repeats(v.type, name) * (weight(v, engine) + 5) for v in values)


def _listed(relation: Relation) -> int:
    """Return the SQL length of VALUES rows, with a type for each constant."""
    if not isinstance(relation.operator, Values):
        return 0
    return sum(24 + 2 * len(str(cell.value)) for row in relation.operator.rows for cell in row)


def expressions_below(relation: Relation) -> Iterator[Expr]:
    """Expressions of a relation and of everything below it; shared ones appear more than once."""
    return (expr for each in all_below(relation) for expr in _written(each))


def _written(relation: Relation) -> Iterator[Expr]:
    """Expressions that an operator writes, repeated as often as it writes them."""
    operator = relation.operator
    if isinstance(operator, Filter | Join | SemiJoin):
        yield operator.condition
    elif isinstance(operator, Project):
        yield from (expr for _, expr in operator.computed)
    elif isinstance(operator, SetOperation):
        yield from (Ref(f) for columns in operator.columns for f in columns)
    elif isinstance(operator, Sort):
        yield from (key.expr for key in operator.order)
    elif isinstance(operator, Window):
        yield from (expr for call in operator.calls for expr in read_by(call) * 3)  # as ordered aggregates
        yield from (Ref(call.field) for call in operator.calls for _ in range(13))  # OVER, frame, tie-breaking order
        yield from map(Ref, operator.source.fields)  # tie-breaking fields
    elif isinstance(operator, Group):
        yield from (expr for measure in operator.measures for expr in _aggregated(measure))


def _aggregated(measure: Measure) -> tuple[Expr, ...]:
    """Expressions that an aggregate writes: ordered ones write their arguments three times, a mean six times."""
    times = 6 if measure.function == "avg" else 3
    condition = (measure.condition,) if measure.condition is not None else ()
    return measure.arguments * times + condition * times
