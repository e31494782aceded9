"""SQL text -> one syntax tree, within the limits of length, depth and size."""

from __future__ import annotations

from collections.abc import Iterable

import sqlglot
from sqlglot import exp, tokens

from dialect.errors import Code, Refusal, Span

MAX_CHARACTERS = 10_000
MAX_NESTING = 40
MAX_DEPTH = 120
MAX_NODES = 2_000
MAX_JOINS = 20
MAX_AGGREGATES = 50

_OPENERS = {"(", "[", "{"}
_CLOSERS = {")", "]", "}"}
_PREFIXES = {"NOT", "DASH", "PLUS", "TILDE", "CASE"}
_SHORTER = "split the question into several statements"


def parse(sql: str) -> exp.Query:
    """Parse exactly one query; raises Refusal with E_COMPLEX, E_STMT or E_PARSE, and nothing else."""
    if len(sql) > MAX_CHARACTERS:
        raise Refusal(Code.COMPLEX, f"The text is longer than {MAX_CHARACTERS:,} characters.", _SHORTER)
    words = _tokens(sql)
    _check_tokens(words)
    tree = _tree(sql)
    _check_size(tree)
    return tree


def span_of(node: exp.Expression) -> Span | None:
    """Find the stretch of the analyst's text that a node and its parts come from."""
    ends = [(part.meta["start"], part.meta["end"] + 1) for part in node.walk() if "start" in part.meta]
    if not ends:
        return None
    return Span(min(start for start, _ in ends), max(end for _, end in ends))


def _tokens(sql: str) -> list[tokens.Token]:
    if "\x00" in sql:
        raise Refusal(Code.PARSE, "The text holds a NUL character.", "remove it")
    try:
        return sqlglot.tokenize(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        raise Refusal(Code.PARSE, "The text breaks off inside a quotation or comment.", "close every quote") from None


def _check_tokens(words: list[tokens.Token]) -> None:
    if not words:
        raise Refusal(Code.PARSE, "There is no question here.", "SELECT COUNT(*) FROM ...")
    _check_statement(words)
    nesting = prefixes = 0
    for word in words:
        nesting += (word.text in _OPENERS) - (word.text in _CLOSERS)
        prefixes = prefixes + 1 if word.token_type.name in _PREFIXES else 0
        if nesting > MAX_NESTING or prefixes > MAX_NESTING:
            raise Refusal(
                Code.COMPLEX,
                f"More than {MAX_NESTING} levels are nested here.",
                _SHORTER,
                Span(word.start, word.end + 1),
            )


def _check_statement(words: list[tokens.Token]) -> None:
    semicolons = [i for i, word in enumerate(words) if word.token_type.name == "SEMICOLON"]
    if any(i < len(words) - 1 for i in semicolons):
        after = words[semicolons[0] + 1]
        raise Refusal(Code.STMT, "Only one statement at a time is answered.", "send them one by one", _at(after))
    first = next((word for word in words if word.text != "("), words[0])
    if first.token_type.name not in {"SELECT", "WITH", "FROM", "VALUES"}:
        raise Refusal(Code.STMT, "Only SELECT questions are answered.", "SELECT ... FROM ...", _at(first))


def _at(word: tokens.Token) -> Span:
    return Span(word.start, word.end + 1)


def _tree(sql: str) -> exp.Query:
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except sqlglot.errors.ParseError as error:
        raise _unreadable(error, sql) from None
    except RecursionError:
        raise Refusal(Code.COMPLEX, "The question is nested too deeply.", _SHORTER) from None
    except Exception:  # the parser's own defects must read as a refusal too, with nothing of theirs in the text
        raise Refusal(Code.PARSE, "This is not SQL that can be read.", "check the syntax") from None
    if not isinstance(tree, exp.Query):
        raise Refusal(Code.STMT, "Only SELECT questions are answered.", "SELECT ... FROM ...", span_of(tree))
    return tree


def _unreadable(error: sqlglot.errors.ParseError, sql: str) -> Refusal:
    span = None
    if error.errors and error.errors[0].get("start_context") is not None:
        start = sql.find(error.errors[0]["start_context"] + (error.errors[0].get("highlight") or ""))
        start += len(error.errors[0]["start_context"]) if start >= 0 else len(sql) + 1
        span = Span(start, min(len(sql), start + max(1, len(error.errors[0].get("highlight") or ""))))
    return Refusal(Code.PARSE, "The SQL can't be read from here on.", "check the words around the caret", span)


def _check_size(tree: exp.Expression) -> None:
    nodes = joins = aggregates = 0
    for node, depth in _with_depth(tree):
        nodes += 1
        joins += isinstance(node, exp.Join)
        aggregates += isinstance(node, exp.AggFunc)
        if depth > MAX_DEPTH:
            raise Refusal(Code.COMPLEX, f"An expression is more than {MAX_DEPTH} steps deep.", _SHORTER, span_of(node))
    for count, most, what in (
        (nodes, MAX_NODES, "parts"),
        (joins, MAX_JOINS, "joins"),
        (aggregates, MAX_AGGREGATES, "aggregates"),
    ):
        if count > most:
            raise Refusal(Code.COMPLEX, f"The question has more than {most:,} {what}.", _SHORTER)


def _with_depth(tree: exp.Expression) -> Iterable[tuple[exp.Expression, int]]:
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((part, depth + 1) for part in node.iter_expressions())
