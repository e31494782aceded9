"""Check each written call against its function's argument lists, so that no argument is dropped silently.

sqlglot builds a node from the arguments that it knows and drops the rest; the tokens of the text are complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from dialect.binder.arities import ORDERED_SET_AGGREGATES, Arity, arity_of, is_aggregate, is_table_function
from dialect.diagnostics.kinds import Kind
from dialect.diagnostics.names import near_names
from dialect.errors import Code, Refusal, Span, Suggestion
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.window_functions import WINDOW_FUNCTIONS
from dialect.parser.aggregate_bounds import ARGUMENT_NAME
from dialect.parser.privacy_clause import OPTION_NAMES
from dialect.parser.tokens import CLOSERS, DUCKDB, OPENERS, closing_bracket

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

        substring(x FROM 2 FOR 3) has three, PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x) two.
        """
        parts = self.arguments if self.name in _FUNCTIONS_WITH_KEYWORDS else ()
        keyword_count = sum(token.token_type in _KEYWORDS for part in parts for token in _top_level_tokens(part))
        return len(self.arguments) + keyword_count + (self.is_within_group and self.name in ORDERED_SET_AGGREGATES)


def check_argument_lists(sql: str, tokens: list[Token], tree: exp.Expr | None) -> None:
    """Refuse a call whose arguments do not match its function; raises Refusal.

    `tokens` are those of the query without clause and named bounds. Without a tree, calls are found by name.
    """
    for call in _written_calls(tokens, tree):
        if is_table_function(call.name) or (call.node is not None and _is_table_function_call(call.node)):
            continue  # checks its own parameters
        if call.name in _SQLGLOT_ONLY:
            raise Kind.UNKNOWN_FUNCTION.at(call.span, name=_written_name(call, sql))
        arity = arity_of(call.name, call.node)
        if arity is None:
            continue  # not in the dialect: the binder refuses it
        _check_named_arguments(call, sql)
        aggregate = AGGREGATES.get(call.name)
        is_count = aggregate is not None and aggregate.is_count
        is_distinct_count = is_count and any(map(_is_distinct, call.arguments))  # the binder refuses it
        if not is_distinct_count and not arity.accepts(call.count):
            raise _arity_refusal(call, arity, sql)
        _check_time_units(call, sql)


def _written_calls(tokens: list[Token], tree: exp.Expr | None) -> Iterator[WrittenCall]:
    """Iterate over the calls in text order: a name before an opening bracket, if `_nodes_by_offset` has its node.

    Names without a node are calls by the rules of `_is_call`.
    """
    nodes = {} if tree is None else _nodes_by_offset(tree)
    for position in range(len(tokens) - 1):
        name, opening = tokens[position], tokens[position + 1]
        if opening.token_type is not TokenType.L_PAREN or (end := closing_bracket(tokens, position + 1)) is None:
            continue
        node = nodes.get(name.start)
        if node is None and not _is_call(tokens, position, end, tree is None):
            continue
        after = tokens[end + 1].text.upper() if len(tokens) > end + 1 else ""
        span, parts = Span(name.start, tokens[end].end + 1), _split_arguments(tokens[position + 2 : end])
        yield WrittenCall(name.text.lower(), span, parts, after == "WITHIN", node)


def _nodes_by_offset(tree: exp.Expr) -> dict[int, exp.Expr]:
    """Map start offset of a call's name -> its node, the outermost at each offset."""
    nodes: dict[int, exp.Expr] = {}
    for node in tree.walk():
        if "start" in node.meta and not isinstance(node, _NON_CALL_NODES):
            nodes.setdefault(node.meta["start"], node)
    return nodes


def _is_table_function_call(node: exp.Expr) -> bool:
    """Return whether a call is a table function in FROM, other than a list of values."""
    return isinstance(node.parent, exp.Table) and not isinstance(node, exp.GenerateSeries)


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


def _is_distinct(argument: tuple[Token, ...]) -> bool:
    """Return whether an argument begins with DISTINCT."""
    return bool(argument) and argument[0].token_type is TokenType.DISTINCT


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
