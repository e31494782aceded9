"""Number of arguments of every function, aggregate and window function, derived from the allow-lists.

The allow-lists are tables of the functions that the dialect has; a row is one overload. A flag, a separator or a unit
that is not an argument of the bound call counts as an argument here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from sqlglot import exp

from dialect.binder.special_calls import LIST_TESTS
from dialect.functions.aggregates import AGGREGATE_NODES, AGGREGATES
from dialect.functions.registry import NODE_FUNCTIONS, OTHER_NAMES, all_overloads, overloads
from dialect.functions.signatures import VARIADIC, kind_name
from dialect.functions.table_functions import TABLE_FUNCTIONS
from dialect.functions.window_functions import WINDOW_FUNCTIONS, WINDOW_NODES
from dialect.parser.tokens import DUCKDB

# one of their arguments is in WITHIN GROUP
ORDERED_SET_AGGREGATES = {"percentile_cont", "percentile_disc", "quantile", "quantile_cont", "quantile_disc", "mode"}


@dataclass(frozen=True)
class Arity:
    """Allowed number of arguments of a function."""

    minimum: int
    maximum: int | None  # None: any number
    argument_lists: tuple[str, ...]  # its argument lists as text, for messages

    def accepts(self, count: int) -> bool:
        """Return whether the function accepts this number of arguments."""
        return self.minimum <= count and (self.maximum is None or count <= self.maximum)

    def format(self, name: str) -> str:
        """Format a function with each of its argument lists: 'log(x) or log(base, x)'."""
        *others, last = (f"{name}{each}" for each in self.argument_lists)
        return f"{', '.join(others)} or {last}" if others else last

    def __str__(self) -> str:
        """Format the number in words: 'no arguments', '1 or 2 arguments', '1 argument or more'."""
        if self.maximum == 0:
            return "no arguments"
        if self.maximum == self.minimum:
            return f"{self.minimum} argument{'s' * (self.minimum != 1)}"
        if self.maximum is None:
            return f"{self.minimum} argument{'s' * (self.minimum != 1)} or more"
        return f"{self.minimum} {'or' if self.maximum == self.minimum + 1 else 'to'} {self.maximum} arguments"


# functions with other written arguments than their rows in the allow-list, or without a row
_SPECIAL_ARITIES: dict[str, Arity] = {
    "regexp_matches": Arity(2, 3, ("(text, pattern)", "(text, pattern, 'i')")),
    "regexp_full_match": Arity(2, 3, ("(text, pattern)", "(text, pattern, 'i')")),
    "regexp_i_like": Arity(2, 2, ("(text, pattern)",)),
    "regexp_extract": Arity(2, 4, ("(text, pattern)", "(text, pattern, group)", "(text, pattern, group, 'i')")),
    "regexp_replace": Arity(3, 4, ("(text, pattern, replacement)", "(text, pattern, replacement, 'g')")),
    "log": Arity(1, 2, ("(x)", "(base, x)")),
    "to_timestamp": Arity(1, 1, ("(seconds)",)),
    "if": Arity(2, 3, ("(condition, x)", "(condition, x, y)")),
    "iff": Arity(2, 3, ("(condition, x)", "(condition, x, y)")),
    "ifnull": Arity(2, 2, ("(x, y)",)),
    "extract": Arity(2, 2, ("(hour FROM ts)",)),
    "date_part": Arity(2, 2, ("('hour', ts)",)),
    "datepart": Arity(2, 2, ("('hour', ts)",)),
    "date_add": Arity(2, 2, ("(ts, INTERVAL 1 DAY)",)),
    "timezone": Arity(2, 2, ("('Europe/Berlin', ts)",)),
    **{f"to_{unit}s": Arity(1, 1, ("(5)",)) for unit in ("year", "month", "week", "day", "hour", "minute", "second")},
    "h3_cell": Arity(3, 3, ("(lon, lat, 9)",)),
    "st_contains": Arity(2, 2, ("(polygon, ST_Point(lon, lat))",)),
    "st_within": Arity(2, 2, ("(ST_Point(lon, lat), polygon)",)),
    "st_point": Arity(2, 2, ("(lon, lat)",)),
    "range": Arity(1, 3, ("(24)", "(1, 25)", "(1, 25, 2)")),
    "generate_series": Arity(1, 3, ("(23)", "(1, 24)", "(1, 24, 2)")),
    "unnest": Arity(1, 1, ("(['a', 'b'])",)),
    "grouping": Arity(0, None, ("(key, ...)",)),
    "grouping_id": Arity(0, None, ("(key, ...)",)),
    "count": Arity(0, 1, ("(*)", "(x)", "(DISTINCT x)")),
    "string_agg": Arity(1, 2, ("(x)", "(x, ',')")),
    **{name: Arity(2, 2, ("(x, ['a', 'b'])",)) for name in LIST_TESTS},
}
# nodes of calls without a row in the allow-list
_NODES_WITHOUT_ROW: dict[type[exp.Expr], str] = {
    exp.DateAdd: "date_add",
    exp.UnixToTime: "to_timestamp",
    exp.AtTimeZone: "timezone",
    exp.ToDays: "to_days",
    exp.Extract: "extract",
    exp.RegexpILike: "regexp_i_like",
    exp.ArrayOverlaps: "list_has_any",
    exp.ArrayContainsAll: "list_has_all",
    exp.If: "if",
    exp.GenerateSeries: "generate_series",
    exp.Explode: "unnest",
    exp.Grouping: "grouping",
}
_NODE_NAMES: dict[type[exp.Expr], str] = {
    **{node: name for node, (name, _) in NODE_FUNCTIONS.items()},
    **_NODES_WITHOUT_ROW,
    **WINDOW_NODES,
    **AGGREGATE_NODES,
}


def arity_of(name: str, node: exp.Expr | None = None) -> Arity | None:
    """Arity of a lower-case function name or of its node; None where the dialect has no such function."""
    arity = _arity_of_name(OTHER_NAMES.get(name, name))
    if arity is not None:
        return arity
    node_class = _node_class(name) if node is None else type(node)
    return None if node_class not in _NODE_NAMES else _arity_of_name(_NODE_NAMES[node_class])


def is_table_function(name: str) -> bool:
    """Return whether a name is a table function; these check their named parameters themselves."""
    return any(each.name == name for each in TABLE_FUNCTIONS)


def is_aggregate(name: str, node: exp.Expr | None = None) -> bool:
    """Return whether a name or its node is an aggregate of the allow-list."""
    return name in AGGREGATES or (_node_class(name) if node is None else type(node)) in AGGREGATE_NODES


@cache
def _node_class(name: str) -> type[exp.Expr] | None:
    """Node class that sqlglot builds for a function name; if several, the one with the fewest arguments."""
    build = DUCKDB.parser().FUNCTIONS.get(name.upper())
    if build is not None:
        for count in range(1, 5):
            with suppress(Exception):  # builders that need another number of arguments
                return type(build([exp.column("x") for _ in range(count)]))
    return exp.FUNCTION_BY_NAME.get(name.upper())


def _arity_of_name(name: str) -> Arity | None:
    """Arity of a canonical function name."""
    return _SPECIAL_ARITIES.get(name) or _ARITIES.get(name)


def _derive_arities() -> dict[str, Arity]:
    """Derive arities from the allow-lists of functions, window functions and aggregates.

    The minimum and maximum are those over all overloads; argument lists of messages are named x, y, n.
    """
    arities: dict[str, Arity] = {}
    for name in dict.fromkeys(row.name for row in all_overloads()):
        signatures = [row.argument_kinds for row in overloads(name)]
        repeated = any(each and each[-1].endswith(VARIADIC) for each in signatures)
        takes = tuple(sorted({f"({', '.join(map(kind_name, each))})" for each in signatures}))
        arities[name] = Arity(min(map(len, signatures)), None if repeated else max(map(len, signatures)), takes)
    for name, function in WINDOW_FUNCTIONS.items():
        arities[name] = Arity(
            function.min_arguments, len(function.argument_slots), (f"({', '.join('xny'[: function.min_arguments])})",)
        )
    for name, aggregate in AGGREGATES.items():
        arities[name] = Arity(
            aggregate.argument_count, aggregate.argument_count, (f"({', '.join('xy'[: aggregate.argument_count])})",)
        )
    return arities


_ARITIES = _derive_arities()
