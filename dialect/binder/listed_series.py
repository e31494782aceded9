"""range, generate_series and unnest of constants, in FROM or alone in a select list -> a public relation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sqlglot import exp

from dialect.algebra.expressions import Field, Literal
from dialect.algebra.relations import Public, Values
from dialect.binder.listed_values import constant, listed_column
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.constant_folding import later, moment, text_of
from dialect.parser.context import Reading, only, refusal

MOST_VALUES = 5_000  # written one by one into the text of a question's SQL
_TIMES = {SqlType.DATE, SqlType.TIMESTAMP}
_EXAMPLE = "range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])"


def is_series(node: exp.Expr) -> bool:
    """Tell whether a table of FROM is a call of range, generate_series or unnest."""
    return isinstance(node, exp.Unnest) or (isinstance(node, exp.Table) and isinstance(node.this, exp.GenerateSeries))


def series_below(tree: exp.Select) -> exp.From | None:
    """Put the unnest of a SELECT without FROM into its FROM: SELECT unnest(range(24)) AS h."""
    found = [node for item in tree.expressions for node in item.find_all(exp.Explode)]
    if len(found) != 1 or any(tree.args.get(clause) for clause in ("where", "group", "having")):
        return None
    (call,) = found
    name = exp.to_identifier("unnest")
    made = exp.From(this=exp.Unnest(expressions=[call.this], alias=exp.TableAlias(this=name, columns=[name.copy()])))
    call.replace(exp.column(name.copy()))
    tree.set("from_", made)
    return made


def listed_series(node: exp.Expr, reading: Reading) -> tuple[Public, str]:
    """Read a call into a public relation of one column, and say what it is called; raises Refusal with E_TABLE."""
    only(node, "this", "expressions", "alias", code=Code.TABLE)
    if (column := node.find(exp.Column)) is not None:
        raise _unread(column)
    call = node.this if isinstance(node, exp.Table) else _single(node)
    values = list(islice(_values(call), MOST_VALUES + 1))
    if len(values) > MOST_VALUES:
        raise refusal(Code.TABLE, f"A list in FROM has at most {MOST_VALUES:,} values.", _EXAMPLE, node)
    name = "unnest" if isinstance(node, exp.Unnest) else _called(call)
    alias = node.alias.lower() or name
    field = Field(reading.fresh(), alias, listed_column(values, node), any(each.value is None for each in values))
    return Public(Values(tuple((each,) for each in values), (field,)), (field,)), alias


def _called(call: exp.Expr) -> str:
    return "range" if call.args.get("is_end_exclusive") else "generate_series"


def _single(node: exp.Expr) -> exp.Expr:
    if len(node.expressions) != 1:
        raise _unread(node)
    call: exp.Expr = node.expressions[0]
    return call


def _unread(node: exp.Expr) -> Refusal:
    return refusal(Code.TABLE, "A list in FROM is made of constants of one kind, and a step is not 0.", _EXAMPLE, node)


def _values(call: exp.Expr) -> Iterator[Literal]:
    if isinstance(call, exp.Array):
        return iter([constant(each) for each in call.expressions])
    if not isinstance(call, exp.GenerateSeries):
        raise _unread(call)
    only(call, "start", "end", "step", "is_end_exclusive", code=Code.TABLE)
    start, end = constant(call.args["start"]), constant(call.args["end"])
    step = constant(_step(call.args["step"])) if call.args.get("step") else Literal(1, SqlType.BIGINT)
    kinds = {start.type, end.type}
    if kinds | {step.type} == {SqlType.BIGINT} and step.value:
        return _integers(start, end, int(step.value), call)
    amount, _, unit = str(step.value).partition(" ")
    if kinds <= _TIMES and step.type is SqlType.INTERVAL and int(amount):
        return _times(start, end, int(amount), unit, call)
    raise _unread(call)


def _step(written: exp.Expr) -> exp.Expr:
    """Read a step that stands in quotes alone as the interval that it is."""
    amount, _, unit = written.name.partition(" ")
    named = isinstance(written, exp.Literal) and written.is_string and amount.isdecimal() and unit.isalpha()
    return exp.Interval(this=exp.Literal.string(amount), unit=exp.var(unit.upper())) if named else written


def _integers(start: Literal, end: Literal, step: int, call: exp.Expr) -> Iterator[Literal]:
    first, last = int(start.value or 0), int(end.value or 0)
    behind = last if _called(call) == "range" else last + (1 if step > 0 else -1)
    return (Literal(value, SqlType.BIGINT) for value in range(first, behind, step))


def _times(start: Literal, end: Literal, amount: int, unit: str, call: exp.Expr) -> Iterator[Literal]:
    """Step from time to time, each from the one before it: of months, DuckDB keeps a day that was cut."""
    place, last = moment(str(start.value)), moment(str(end.value))
    try:
        while (place < last if amount > 0 else place > last) or (place == last and _called(call) != "range"):
            yield Literal(text_of(place, SqlType.TIMESTAMP), SqlType.TIMESTAMP)
            place = later(place, amount, unit)
    except (ValueError, OverflowError):  # outside of the years that Python can say
        raise _unread(call) from None
