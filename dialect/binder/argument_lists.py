"""Check each written call against its function's argument lists, so that no argument is dropped silently.

sqlglot builds a node from the arguments that it knows and drops the rest; the tokens of the text are complete. Numbers
of arguments follow from the allow-lists, the tables of the functions that the dialect has: a row is one overload. A
flag, a separator or a unit that is not an argument of the bound call counts as an argument here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from dialect.binder.special_calls import LIST_TESTS
from dialect.diagnostics.kinds import Kind
from dialect.diagnostics.names import near_names
from dialect.errors import Code, Refusal, Span, Suggestion
from dialect.functions.aggregates import AGGREGATE_NODES, AGGREGATES
from dialect.functions.registry import NODE_FUNCTIONS, OTHER_NAMES, OVERLOADS_BY_NAME, all_overloads
from dialect.functions.signatures import VARIADIC, kind_name
from dialect.functions.table_functions import TABLE_FUNCTIONS
from dialect.functions.window_functions import WINDOW_FUNCTIONS, WINDOW_NODES
from dialect.parser.privacy_clause import ARGUMENT_NAME, OPTION_NAMES
from dialect.parser.tokens import CLOSERS, DUCKDB, OPENERS, closing_bracket

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
        signatures = [row.argument_kinds for row in OVERLOADS_BY_NAME[name]]
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


_NON_CALL_NODES = (exp.Identifier, exp.Column, exp.Table, exp.TableAlias, exp.Star, exp.Var, exp.Literal)
_NAMED_ARGUMENT_TOKENS = {TokenType.FARROW, TokenType.COLON_EQ}
_KEYWORDS = {TokenType.FROM, TokenType.FOR}  # between arguments of some: substring(x FROM 2 FOR 3)
_FUNCTIONS_WITH_KEYWORDS = {"extract", "substring", "trim"}
_PARSER = DUCKDB.parser()
_NODES_WITHOUT_OFFSET = {*_PARSER.FUNCTION_PARSERS, *_PARSER.NO_PAREN_FUNCTION_PARSERS}  # their nodes carry no offsets
# functions of no engine, which sqlglot turns into casts and drops their other arguments
_SQLGLOT_ONLY = {"date_to_date_str", "time_to_time_str", "ts_or_ds_to_date_str"}


@dataclass(frozen=True)
class WrittenCall:
    """A call as tokens of the text."""

    name: str  # lower case
    span: Span  # from the name to the closing bracket
    arguments: tuple[tuple[Token, ...], ...]  # without ORDER BY
    is_within_group: bool  # WITHIN GROUP follows
    node: exp.Expr | None  # its node, where offsets are known

    @property
    def count(self) -> int:
        """Number of arguments, with those set off by a keyword or WITHIN GROUP.

        substring(x FROM 2 FOR 3) has three, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x) two, and f(, x) has one.
        """
        parts = self.arguments if self.name in _FUNCTIONS_WITH_KEYWORDS else ()
        keyword_count = sum(token.token_type in _KEYWORDS for part in parts for token in _top_level_tokens(part))
        return (
            sum(map(bool, self.arguments))
            + keyword_count
            + (self.is_within_group and self.name in ORDERED_SET_AGGREGATES)
        )


def check_argument_lists(sql: str, tokens: list[Token], nodes: Sequence[exp.Expr] | None) -> None:
    """Refuse a call whose arguments do not match its function; raises Refusal.

    `tokens` are those of the query without clause and named bounds. Without nodes of a tree, calls are found by name.
    """
    for call in _written_calls(tokens, nodes):
        is_source = call.node is not None and isinstance(call.node.parent, exp.Table)
        if any(each.name == call.name for each in TABLE_FUNCTIONS) or (
            is_source and not isinstance(call.node, exp.GenerateSeries)
        ):
            continue  # checks its own parameters
        if call.name in _SQLGLOT_ONLY:
            raise Kind.UNKNOWN_FUNCTION.at(call.span, name=_written_name(call, sql))
        arity = arity_of(call.name, call.node)
        if arity is None:
            continue  # not in the dialect: the binder refuses it
        _check_named_arguments(call, sql)
        aggregate = AGGREGATES.get(call.name)
        is_count = aggregate is not None and aggregate.is_count
        first_tokens = (argument[0] for argument in call.arguments if argument)
        is_distinct_count = is_count and any(first.token_type is TokenType.DISTINCT for first in first_tokens)
        if not is_distinct_count and not arity.accepts(call.count):  # those the binder refuses
            raise _arity_refusal(call, arity, sql)
        _check_time_units(call, sql)


def _written_calls(tokens: list[Token], tree_nodes: Sequence[exp.Expr] | None) -> Iterator[WrittenCall]:
    """Iterate over the calls in text order: a name before an opening bracket, if `_nodes_by_offset` has its node.

    Names without a node are calls by the rules of `_is_call`.
    """
    nodes = _nodes_by_offset(tree_nodes or ())
    for position in range(len(tokens) - 1):
        name, opening = tokens[position], tokens[position + 1]
        if opening.token_type is not TokenType.L_PAREN or (end := closing_bracket(tokens, position + 1)) is None:
            continue
        node = nodes.get(name.start)
        if node is None and not _is_call(tokens, position, end, tree_nodes is None):
            continue
        after = tokens[end + 1].text.upper() if len(tokens) > end + 1 else ""
        span, parts = Span(name.start, tokens[end].end + 1), _split_arguments(tokens[position + 2 : end])
        yield WrittenCall(name.text.lower(), span, parts, after == "WITHIN", node)


def _nodes_by_offset(tree_nodes: Sequence[exp.Expr]) -> dict[int, exp.Expr]:
    """Map start offset of a call's name -> its node, the outermost at each offset."""
    nodes: dict[int, exp.Expr] = {}
    for node in tree_nodes:
        if "start" in node.meta and not isinstance(node, _NON_CALL_NODES):
            nodes.setdefault(node.meta["start"], node)
    return nodes


def _is_call(tokens: list[Token], position: int, end: int, by_name: bool) -> bool:
    """Return whether a name before parentheses is a call, not a table alias with column names.

    Asked only for names without a node. `by_name`: there is no tree, so every name counts; else only functions whose
    nodes have no offsets. AS x(a, b) is an alias, and so is the name of a CTE, x(a, b) AS (...).
    """
    if not by_name and tokens[position].text.upper() not in _NODES_WITHOUT_OFFSET:
        return False
    follows_as = position > 0 and tokens[position - 1].token_type is TokenType.ALIAS
    precedes_as = len(tokens) > end + 2 and tokens[end + 1].token_type is TokenType.ALIAS
    return not follows_as and not (precedes_as and tokens[end + 2].token_type in OPENERS)


def _split_arguments(tokens: list[Token]) -> tuple[tuple[Token, ...], ...]:
    """Split the tokens between parentheses at top-level commas, up to an ORDER BY; () has no arguments."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.token_type in OPENERS) - (token.token_type in CLOSERS)
        if depth == 0 and token.token_type is TokenType.ORDER_BY:
            break
        if depth == 0 and token.token_type is TokenType.COMMA:
            parts.append([])
        else:
            parts[-1].append(token)
    return tuple(tuple(part) for part in parts) if len(parts) > 1 or parts[0] else ()


def _top_level_tokens(argument: tuple[Token, ...]) -> Iterator[Token]:
    """Iterate over an argument's tokens that are not in brackets."""
    depth = 0
    for token in argument:
        depth += (token.token_type in OPENERS) - (token.token_type in CLOSERS)
        if depth == 0:
            yield token


def _check_named_arguments(call: WrittenCall, sql: str) -> None:
    """Refuse a named argument; aggregate bounds, the only supported ones, have been removed already.

    An option of the privacy clause is explained as such; in an aggregate a misspelt bounds argument is corrected.
    """
    for part in call.arguments:
        if len(part) < 2 or part[1].token_type not in _NAMED_ARGUMENT_TOKENS:
            continue
        name, span = part[0].text.lower(), Span(part[0].start, part[-1].end + 1)
        near = near_names(name, [ARGUMENT_NAME, *OPTION_NAMES])
        if near and near[0] != ARGUMENT_NAME:
            value = sql[part[2].start : part[-1].end + 1] if len(part) > 2 else "..."
            raise Kind.OPTION_AS_ARGUMENT.at(
                span, name=_written_name(call, sql), argument=name[:40], option=near[0], value=value[:40]
            )
        if not is_aggregate(call.name, call.node):
            written_argument = sql[part[0].start : part[1].end + 1]
            raise Kind.NAMED_ARGUMENT.at(
                span, name=_written_name(call, sql), argument=name[:40], written=written_argument[:60]
            )
        corrected = f"{sql[: part[0].start]}{ARGUMENT_NAME} =>{sql[part[1].end + 1 :]}"
        raise Kind.UNKNOWN_ARGUMENT.at(
            span, (Suggestion(corrected),) if near else (), name=_written_name(call, sql), argument=name[:40]
        )


def _check_time_units(call: WrittenCall, sql: str) -> None:
    """Refuse an unquoted time unit, which DuckDB reads as a column.

    sqlglot parses date_trunc(month, ts) as if month were quoted; the tokens show that it is not.
    """
    units = {node.name.upper() for node in call.node.args.values() if isinstance(node, exp.Var)} if call.node else set()
    if call.arguments and [token.token_type for token in call.arguments[0]] == [TokenType.STRING]:
        return  # the unit is the first argument, quoted; a column may have the unit's name
    for part in call.arguments:
        is_bare_word = len(part) == 1 and part[0].token_type is not TokenType.STRING
        if is_bare_word and part[0].text.upper() in units:
            token = sql[part[0].start : part[0].end + 1]
            span, quoted = Span(part[0].start, part[0].end + 1), f"'{part[0].text.lower()}'"
            suggestion = Suggestion(
                f"{sql[: span.start]}{quoted}{sql[span.end :]}", f"the unit, not a column named {token[:40]}"
            )
            raise Kind.UNQUOTED_UNIT.at(
                span, (suggestion,), word=token[:40], name=_written_name(call, sql), unit=part[0].text.lower()
            )


def _arity_refusal(call: WrittenCall, arity: Arity, sql: str) -> Refusal:
    """Refusal of a wrong number of arguments."""
    code = Code.FUNC
    if call.name in WINDOW_FUNCTIONS:
        code = Code.WINDOW
    elif is_aggregate(call.name, call.node):
        code = Code.AGG
    shown = _written_name(call, sql)
    kind = {0: Kind.ARGUMENTS_MISSING, 1: Kind.ONE_ARGUMENT_GIVEN}.get(call.count, Kind.ARGUMENT_COUNT)
    return kind.at(call.span, code=code, name=shown, arity=arity, count=call.count, form=arity.format(shown))


def _written_name(call: WrittenCall, sql: str) -> str:
    """Return the function name as the analyst wrote it."""
    return sql[call.span.start :].partition("(")[0].strip()[:40]
