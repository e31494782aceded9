"""Parse SQL text to one syntax tree, within limits of depth and size; the privacy clause is parsed separately."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Code, Refusal, Span, suggested
from dialect.parser.aggregate_bounds import Named, check_taken, lift_bounds
from dialect.parser.clause_order import check_order
from dialect.parser.options import NO_OPTIONS, Options
from dialect.parser.privacy_clause import lift
from dialect.parser.spans import PIVOTED, span_of
from dialect.parser.tokens import DUCKDB, SHORTER, place_of, words_of

MAX_DEPTH = 120
MAX_NODES = 2_000
MAX_JOINS = 20
MAX_AGGREGATES = 50

_BEGINNINGS = {TokenType.SELECT, TokenType.WITH, TokenType.FROM}
Check = Callable[[str, list[Token], exp.Expr | None], None]  # text, tokens, and tree; None: it does not parse
_reading: ContextVar[bool] = ContextVar("_reading", default=False)
logging.getLogger("sqlglot").addFilter(lambda _: not _reading.get())  # query text must not be logged
_NAMES = {TokenType.VAR, TokenType.IDENTIFIER}


def _nothing_to_check(sql: str, words: list[Token], tree: exp.Expr | None) -> None:
    """Accept every call."""


def parse(sql: str, check_calls: Check = _nothing_to_check) -> exp.Query:
    """Parse exactly one query; raises Refusal with E_COMPLEX, E_STMT or E_PARSE, and what `check_calls` raises.

    `check_calls` also runs on tokens that do not parse: sqlglot rejects some argument counts without a usable message.
    """
    written = words_of(sql)
    _check_statement(written)
    check_order(sql, written)
    lifted = lift(sql, written)
    text, words, named = lift_bounds(lifted.text, lifted.words)
    try:
        tree = _tree(text, words)
    except Refusal as refused:
        if refused.code is Code.PARSE:
            check_calls(sql, words, None)
        raise
    _check_size(tree)
    check_calls(sql, words, tree)
    check_taken(tree, named)
    tree.meta["sql"], tree.meta["options"], tree.meta["bounds"] = sql, lifted.options, named
    return tree


def options_of(tree: exp.Expr) -> Options:
    """Options of a parsed query's privacy clause."""
    found = tree.meta.get("options")
    return found if isinstance(found, Options) else NO_OPTIONS


def bounds_of(tree: exp.Expr) -> Named:
    """Named contribution bounds of a parsed query, by the start offset of their call."""
    found: Named = tree.meta.get("bounds", {})
    return found


def as_written(tree: exp.Expr) -> dict[str, str]:
    """Map each alias in lower case to its spelling in the text; the outermost query's spelling wins."""
    written: dict[str, str] = {}
    for alias in tree.find_all(exp.Alias):
        written.setdefault(alias.alias.lower(), alias.alias)
    return written


def _check_statement(words: list[Token]) -> None:
    """Refuse a text that does not begin a query."""
    first = next((word for word in words if word.token_type is not TokenType.L_PAREN), words[0])
    if first.token_type not in _BEGINNINGS:
        hint = PIVOTED if first.text.upper() in {"PIVOT", "UNPIVOT"} else "SELECT ... FROM ..."
        raise Refusal(Code.STMT, "Only SELECT questions are answered.", hint, place_of(first))


def _tree(sql: str, words: list[Token]) -> exp.Query:
    """Parse tokens with sqlglot; its errors, defects and log messages are replaced by refusals."""
    token = _reading.set(True)
    try:
        tree, *_ = DUCKDB.parser().parse(words, sql)  # tokenized already
    except ParseError as error:
        raise _unreadable(error, sql, words) from None
    except RecursionError:
        raise Refusal(Code.COMPLEX, "The question is nested too deeply.", SHORTER) from None
    except Exception:  # defects of sqlglot become refusals, without their own message
        raise Refusal(Code.PARSE, "This is not SQL that can be read.", "check the syntax") from None
    finally:
        _reading.reset(token)
    if not isinstance(tree, exp.Query):
        span = None if tree is None else span_of(tree)
        raise Refusal(Code.STMT, "Only SELECT questions are answered.", "SELECT ... FROM ...", span)
    return tree


def _unreadable(error: ParseError, sql: str, words: list[Token]) -> Refusal:
    """Convert a parse error of sqlglot to a refusal at the same place."""
    why, hint = "The SQL can't be read from here on.", "check the words around the caret"
    found = error.errors[0] if error.errors else {}
    before, word = found.get("start_context"), found.get("highlight") or ""
    if before is None:
        return Refusal(Code.PARSE, "The SQL can't be read.", "check brackets, commas and the order of the clauses")
    start = sql.find(before + word)
    start = min(start + len(before) if start >= 0 else len(sql), len(sql) - 1)
    span = Span(start, min(len(sql), start + max(1, len(word))))
    return _reserved(span, words, sql) or Refusal(Code.PARSE, why, hint, span)


def _reserved(span: Span, words: list[Token], sql: str) -> Refusal | None:
    """Explain a reserved word where an identifier is expected, and suggest quoting it; None for other errors."""
    place = next((i for i, word in enumerate(words) if word.start == span.start), 0)
    if not place or words[place].token_type in _NAMES or not words[place].text.isidentifier():
        return None
    before = words[place - 1]
    if before.token_type not in {
        TokenType.ALIAS,
        TokenType.GROUP_BY,
        TokenType.ORDER_BY,
        TokenType.COMMA,
        TokenType.DOT,
    }:
        return None
    word = words[place].text
    why = f"{word.upper()[:40]} is a word of SQL's own, and stands here as a name."
    hint = f'{"AS " * (before.token_type is TokenType.ALIAS)}"{word[:40]}"'
    return Refusal(Code.PARSE, why, hint, span, suggested([f'{sql[: span.start]}"{word}"{sql[span.end :]}']))


def _check_size(tree: exp.Expr) -> None:
    """Refuse a tree that is too deep or has too many nodes, joins or aggregates."""
    joins = aggregates = 0
    for nodes, (node, depth) in enumerate(_with_depth(tree), 1):
        joins += isinstance(node, exp.Join)
        aggregates += isinstance(node, exp.AggFunc)
        if depth > MAX_DEPTH:
            raise Refusal(Code.COMPLEX, f"An expression is more than {MAX_DEPTH} steps deep.", SHORTER, span_of(node))
        for count, most, what in (
            (nodes, MAX_NODES, "parts"),
            (joins, MAX_JOINS, "joins"),
            (aggregates, MAX_AGGREGATES, "aggregates"),
        ):
            if count > most:
                raise Refusal(Code.COMPLEX, f"The question has more than {most:,} {what}.", SHORTER)


def _with_depth(tree: exp.Expr) -> Iterator[tuple[exp.Expr, int]]:
    """Iterate over the nodes of a tree with their depth."""
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((part, depth + 1) for part in node.iter_expressions())
