"""A call in FROM -> which table function it is, the rows that it is asked of, and its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from sqlglot import exp, parse_one

from dialect.algebra.expressions import Literal
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Suggestion, suggested
from dialect.functions import literals
from dialect.functions.movement import Number, Sightings
from dialect.functions.table_functions import Parameter, TableFunction, table_function, table_function_names
from dialect.parser.context import only, refusal

_MINUTES = {"minute": 1, "hour": 60, "day": 1_440, "week": 10_080}


@dataclass(frozen=True)
class TableCall:
    """One call of a table function."""

    node: exp.Table
    function: TableFunction
    rows: exp.Expr  # a table or a subquery, as FROM would hold it
    settings: dict[str, Number | None]


def table_call(node: exp.Table) -> TableCall:
    """Read a call; raises Refusal with E_TABLE, or with E_PARAM for what it is given."""
    only(node, "this", "alias", code=Code.TABLE)
    called = node.this
    function = table_function(str(called.this).lower()) if isinstance(called, exp.Anonymous) else None
    if function is None:
        hint = f"FROM a declared table, or {table_function_names()}"
        raise refusal(Code.TABLE, "This table function is not in the dialect.", hint, node)
    arguments = list(called.expressions)
    if not arguments or _named(arguments[0]) is not None:
        raise refusal(Code.TABLE, f"{function.name} needs the rows it is asked of.", f"{function.name}(event)", node)
    return TableCall(node, function, _rows(arguments[0], function), _settings(function, arguments[1:]))


def derived_query(call: TableCall, seen: Sightings) -> exp.Query:
    """Give the query that a call stands for."""
    if call.settings.get("radius_m") is not None and not seen.placed:
        why = "radius_m needs places, and of these rows no lon and lat are known."
        raise refusal(Code.PARAM, why, "leave radius_m out: stays are in one zone then", call.node)
    return _parsed(call.function.write(seen, call.settings))


@lru_cache(maxsize=64)
def _parsed(sql: str) -> exp.Query:
    tree = parse_one(sql, dialect="duckdb")
    assert isinstance(tree, exp.Query)  # noqa: S101  written by dialect.functions.movement
    for node in tree.walk():
        node.meta.clear()  # its places are none in the analyst's text
    return tree


def _rows(node: exp.Expr, function: TableFunction) -> exp.Expr:
    """Put what is asked of into the form that FROM has."""
    made: exp.Expr | None = None
    if isinstance(node, exp.Column) and not node.table and isinstance(node.this, exp.Identifier):
        made = exp.Table(this=node.this.copy())
    elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
        return node
    elif isinstance(node, exp.Query):
        made = exp.Subquery(this=node.copy())
    if made is None:
        why = f"{function.name} is asked of one table, CTE or subquery."
        raise refusal(Code.TABLE, why, f"{function.name}(event) or {function.name}((SELECT ...))", node)
    made.parent = node.parent  # refusals find the analyst's text there
    return made


def _named(node: exp.Expr) -> str | None:
    return node.name.lower() if isinstance(node, exp.Kwarg | exp.PropertyEQ) else None


def _settings(function: TableFunction, given: Sequence[exp.Expr]) -> dict[str, Number | None]:
    settings = {parameter.name: parameter.default for parameter in function.parameters}
    seen: set[str] = set()
    for parameter, value in _pairs(function, given):
        if parameter.name in seen:
            raise refusal(Code.PARAM, f"{parameter.name} is given twice.", "give it once", value)
        seen.add(parameter.name)
        settings[parameter.name] = _number(parameter, value)
    return settings


def _pairs(function: TableFunction, given: Sequence[exp.Expr]) -> Iterator[tuple[Parameter, exp.Expr]]:
    parameters, by_name = function.parameters, False
    for place, node in enumerate(given):
        name = _named(node)
        if name is None and (by_name or place >= len(parameters)):
            why = "Behind a named parameter all are named." if by_name else f"{function.name} takes fewer values."
            raise refusal(Code.PARAM, why, _written(function), node)
        by_name = name is not None
        if name is None:
            yield parameters[place], node
            continue
        found = next((each for each in parameters if name in (each.name, each.alias)), None)
        if found is None:
            near = get_close_matches(name, [each.name for each in parameters], n=1)
            hint = f"{near[0]} => ..." if near else _written(function)
            instead = suggested(f"{each} => {node.expression.sql('duckdb', comments=False)}" for each in near)
            raise refusal(Code.PARAM, f"{function.name} has no parameter {name[:40]}.", hint, node, *instead)
        yield found, node.expression


def _written(function: TableFunction) -> str:
    return f"{function.name}(event, {', '.join(f'{each.name} => ...' for each in function.parameters)})"


def _number(parameter: Parameter, node: exp.Expr) -> Number:
    negative = isinstance(node, exp.Neg)
    literal = literals.constant(node.this if negative else node)
    value = None if literal is None else _value(parameter, literal)
    if value is None or negative or not parameter.lowest <= value <= parameter.largest:
        kind = "a whole number" if parameter.whole else "a number"
        ends = f"{parameter.lowest:,} to {parameter.largest:,}"
        shown, meaning = (
            (parameter.lowest, "the least") if parameter.default is None else (parameter.default, "the default")
        )
        why, hint = f"{parameter.name} is {kind} from {ends}.", f"{parameter.name} => {shown}"
        raise refusal(Code.PARAM, why, hint, node, Suggestion(str(shown), f"with {shown}, {meaning}"))
    return value


def _value(parameter: Parameter, literal: Literal) -> Number | None:
    value = literal.value
    if parameter.minutes and literal.type is SqlType.INTERVAL:
        amount, _, unit = str(value).partition(" ")
        return int(amount) * _MINUTES[unit] if unit in _MINUTES else None
    if isinstance(value, bool) or not isinstance(value, int if parameter.whole else int | float):
        return None
    return value
