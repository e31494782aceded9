"""Check each written call against its function's argument lists, so that no argument is dropped silently.

sqlglot builds a node from the arguments that it knows and drops the rest; the tokens of the text are complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from dialect.binder.arities import ORDERED_SETS, Arity, arity_of, is_aggregate, is_table_function
from dialect.errors import Code, Refusal, Span, Suggestion
from dialect.functions.window_functions import WINDOW_FUNCTIONS
from dialect.parser.aggregate_bounds import NAME
from dialect.parser.privacy_clause import OPTION_NAMES
from dialect.parser.tokens import CLOSERS, DUCKDB, OPENERS, closing

_NO_CALLS = (exp.Identifier, exp.Column, exp.Table, exp.TableAlias, exp.Star, exp.Var, exp.Literal)
_NAMED_BY = {TokenType.FARROW, TokenType.COLON_EQ}
_KEYWORDS = {TokenType.FROM, TokenType.FOR}  # between arguments of some: substring(x FROM 2 FOR 3)
_KEYWORDED = {"extract", "substring", "trim"}
_PARSER = DUCKDB.parser()
_UNMARKED = {*_PARSER.FUNCTION_PARSERS, *_PARSER.NO_PAREN_FUNCTION_PARSERS}  # their nodes carry no offsets
# functions of no engine, which sqlglot turns into casts and drops their other arguments
_OF_THE_PARSER = {"date_to_date_str", "time_to_time_str", "ts_or_ds_to_date_str"}
_SEE_DOCS = "see docs/functions.md"
_BOUNDS = f"COUNT(*, {NAME} => (0, 5))"


@dataclass(frozen=True)
class WrittenCall:
    """A call as tokens of the text."""

    name: str  # lower case
    span: Span  # from the name to the closing bracket
    arguments: tuple[tuple[Token, ...], ...]  # without ORDER BY
    in_group: bool  # WITHIN GROUP follows
    node: exp.Expr | None  # its node, where offsets are known

    @property
    def count(self) -> int:
        """Number of arguments, with those set off by a keyword or WITHIN GROUP."""
        words = [word for part in self.arguments for word in _outside(part)] if self.name in _KEYWORDED else []
        parted = sum(word.token_type in _KEYWORDS for word in words)
        return len(self.arguments) + parted + (self.in_group and self.name in ORDERED_SETS)


def check_arguments(sql: str, words: list[Token], tree: exp.Expr | None) -> None:
    """Refuse a call whose arguments do not match its function; raises Refusal.

    `tokens` are those of the query without clause and named bounds. Without a tree, calls are found by name.
    """
    for call in _calls(words, tree):
        if is_table_function(call.name) or (call.node is not None and _is_table(call.node)):
            continue  # checks its own parameters
        if call.name in _OF_THE_PARSER:
            raise Refusal(Code.FUNC, f"The function {_shown(call, sql)} is not in the dialect.", _SEE_DOCS, call.span)
        arity = arity_of(call.name, call.node)
        if arity is None:
            continue  # not in the dialect: the binder refuses it
        _check_names(call, sql)
        counted = call.name == "count" and any(_is_distinct(part) for part in call.arguments)  # the binder refuses it
        if not counted and not arity.fits(call.count):
            raise _refused(call, arity, sql)
        _check_units(call, sql)


def _calls(words: list[Token], tree: exp.Expr | None) -> Iterator[WrittenCall]:
    """Iterate over the calls in text order."""
    nodes = {} if tree is None else _nodes(tree)
    for place in range(len(words) - 1):
        name, opening = words[place], words[place + 1]
        if opening.token_type is not TokenType.L_PAREN or (end := closing(words, place + 1)) is None:
            continue
        node = nodes.get(name.start)
        if node is None and not _is_call(words, place, end, tree is None):
            continue
        after = words[end + 1].text.upper() if len(words) > end + 1 else ""
        span, parts = Span(name.start, words[end].end + 1), _parts(words[place + 2 : end])
        yield WrittenCall(name.text.lower(), span, parts, after == "WITHIN", node)


def _nodes(tree: exp.Expr) -> dict[int, exp.Expr]:
    """Map start offset of a call's name -> its node, the outermost at each offset."""
    made: dict[int, exp.Expr] = {}
    for node in tree.walk():
        if "start" in node.meta and not isinstance(node, _NO_CALLS):
            made.setdefault(node.meta["start"], node)
    return made


def _is_table(node: exp.Expr) -> bool:
    """Return whether a call is a table function in FROM, other than a list of values."""
    return isinstance(node.parent, exp.Table) and not isinstance(node, exp.GenerateSeries)


def _is_call(words: list[Token], place: int, end: int, by_name: bool) -> bool:
    """Return whether a name before parentheses is a call, not a table alias with column names."""
    if not by_name and words[place].text.upper() not in _UNMARKED:
        return False
    named = place > 0 and words[place - 1].token_type is TokenType.ALIAS
    listed = len(words) > end + 2 and words[end + 1].token_type is TokenType.ALIAS
    return not named and not (listed and words[end + 2].token_type in OPENERS)


def _parts(words: list[Token]) -> tuple[tuple[Token, ...], ...]:
    """Split the tokens between parentheses at top-level commas, up to an ORDER BY."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for word in words:
        depth += (word.token_type in OPENERS) - (word.token_type in CLOSERS)
        if depth == 0 and word.token_type is TokenType.ORDER_BY:
            break
        if depth == 0 and word.token_type is TokenType.COMMA:
            parts.append([])
        else:
            parts[-1].append(word)
    return tuple(tuple(part) for part in parts) if len(parts) > 1 or parts[0] else ()


def _outside(part: tuple[Token, ...]) -> Iterator[Token]:
    """Iterate over an argument's tokens that are not in brackets."""
    depth = 0
    for word in part:
        depth += (word.token_type in OPENERS) - (word.token_type in CLOSERS)
        if depth == 0:
            yield word


def _is_distinct(part: tuple[Token, ...]) -> bool:
    return bool(part) and part[0].token_type is TokenType.DISTINCT


def _check_names(call: WrittenCall, sql: str) -> None:
    """Refuse a named argument; aggregate bounds, the only supported ones, have been removed already."""
    for part in call.arguments:
        if len(part) < 2 or part[1].token_type not in _NAMED_BY:
            continue
        name, span = part[0].text.lower(), Span(part[0].start, part[-1].end + 1)
        near = get_close_matches(name, [NAME, *OPTION_NAMES], n=1)
        why = f"{_shown(call, sql)} has no argument named {name[:40]}."
        if near and near[0] != NAME:
            value = sql[part[2].start : part[-1].end + 1] if len(part) > 2 else "..."
            hint = f"{near[0]} is an option of the question: OPTIONS({near[0]} = {value[:40]})"
            raise Refusal(Code.PARAM, why, hint, span)
        if not is_aggregate(call.name, call.node):
            named = sql[part[0].start : part[1].end + 1]
            raise Refusal(Code.PARAM, why, f"leave {named[:60]} out", span)
        written = f"{sql[: part[0].start]}{NAME} =>{sql[part[1].end + 1 :]}"
        raise Refusal(Code.PARAM, why, _BOUNDS, span, (Suggestion(written),) if near else ())


def _check_units(call: WrittenCall, sql: str) -> None:
    """Refuse an unquoted time unit, which DuckDB reads as a column."""
    units = {node.name.upper() for node in call.node.args.values() if isinstance(node, exp.Var)} if call.node else set()
    if call.arguments and [word.token_type for word in call.arguments[0]] == [TokenType.STRING]:
        return  # the unit is the first argument, quoted; a column may have the unit's name
    for part in call.arguments:
        bare = len(part) == 1 and part[0].token_type is not TokenType.STRING
        if bare and part[0].text.upper() in units:
            word = sql[part[0].start : part[0].end + 1]
            span, quoted = Span(part[0].start, part[0].end + 1), f"'{part[0].text.lower()}'"
            why = f"{word[:40]} is the name of a column here, and {_shown(call, sql)} takes a constant."
            made = Suggestion(
                f"{sql[: span.start]}{quoted}{sql[span.end :]}", f"the unit, not a column named {word[:40]}"
            )
            raise Refusal(Code.FUNC, why, quoted, span, (made,))


def _refused(call: WrittenCall, arity: Arity, sql: str) -> Refusal:
    """Refusal of a wrong number of arguments."""
    code = Code.FUNC
    if call.name in WINDOW_FUNCTIONS:
        code = Code.WINDOW
    elif is_aggregate(call.name, call.node):
        code = Code.AGG
    shown, given = _shown(call, sql), "none" if not call.count else str(call.count)
    why = f"{shown} takes {arity}, and {given} {'is' if call.count < 2 else 'are'} given."
    return Refusal(code, why, arity.written(shown), call.span)


def _shown(call: WrittenCall, sql: str) -> str:
    """Return the function name as the analyst wrote it."""
    return sql[call.span.start :].partition("(")[0].strip()[:40]
