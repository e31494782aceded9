"""SQL text -> one syntax tree, within the limits of length, depth and size."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextvars import ContextVar
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Code, Refusal, Span
from dialect.spans import span_of

MAX_CHARACTERS = 10_000
MAX_TOKENS = 3_000
MAX_NESTING = 40
MAX_DEPTH = 120
MAX_NODES = 2_000
MAX_JOINS = 20
MAX_AGGREGATES = 50

_OPENERS = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSERS = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_PREFIXES = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.INTERVAL}
_BEGINNINGS = {TokenType.SELECT, TokenType.WITH, TokenType.FROM}
_reading: ContextVar[bool] = ContextVar("_reading", default=False)
logging.getLogger("sqlglot").addFilter(lambda _: not _reading.get())  # questions do not belong into logs
_LEXEME = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|[^'"$/-]+|.""", re.DOTALL
)  # one whole word, quotation or comment; a quote on its own begins what has no end
_NAMES = {TokenType.VAR, TokenType.IDENTIFIER}
_SHORTER = "split the question into several statements"


def parse(sql: str) -> exp.Query:
    """Parse exactly one query; raises Refusal with E_COMPLEX, E_STMT or E_PARSE, and nothing else."""
    _check_text(sql)
    words = _tokens(sql)
    _check_tokens(words)
    tree = _tree(sql, words)
    _check_size(tree)
    tree.meta["sql"] = sql
    return tree


def as_written(tree: exp.Expr) -> dict[str, str]:
    """Find how the analyst writes each alias, the outermost first: names are looked up in lower case."""
    written: dict[str, str] = {}
    for alias in tree.find_all(exp.Alias):
        written.setdefault(alias.alias.lower(), alias.alias)
    return written


def _check_text(sql: str) -> None:
    if len(sql) > MAX_CHARACTERS:
        raise Refusal(Code.COMPLEX, f"The text is longer than {MAX_CHARACTERS:,} characters.", _SHORTER, _at_end(sql))
    if not sql.strip():
        raise Refusal(Code.PARSE, "There is no question here.", "SELECT COUNT(*) FROM ...")
    lone = next((place for place, char in enumerate(sql) if char == "\x00" or "\ud800" <= char <= "\udfff"), None)
    if lone is not None:
        raise Refusal(Code.PARSE, "This character can't stand in SQL.", "remove it", Span(lone, lone + 1))


def _tokens(sql: str) -> list[Token]:
    try:
        return sqlglot.tokenize(sql, read="duckdb")
    except SqlglotError:
        raise Refusal(
            Code.PARSE, "The text breaks off inside a quotation or comment.", "close every quote", _unclosed(sql)
        ) from None


def _unclosed(sql: str) -> Span | None:
    """Find the quote or comment that nothing ends."""
    for word in _LEXEME.finditer(sql):
        if word[0] in {"'", '"', "$"} or (word[0] == "/" and sql.startswith("/*", word.start())):
            return Span(word.start(), word.end())
    return None


def _check_tokens(words: list[Token]) -> None:
    if not words:
        raise Refusal(Code.PARSE, "There is no question here, only a comment.", "SELECT COUNT(*) FROM ...")
    _check_statement(words)
    _check_numbers(words)
    if len(words) > MAX_TOKENS:
        raise Refusal(
            Code.COMPLEX, f"The question has more than {MAX_TOKENS:,} words.", _SHORTER, _at(words[MAX_TOKENS])
        )
    brackets = cases = prefixes = 0
    for word in words:
        brackets += (word.token_type in _OPENERS) - (word.token_type in _CLOSERS)
        cases += (word.token_type is TokenType.CASE) - (word.token_type is TokenType.END)
        prefixes = prefixes + 1 if word.token_type in _PREFIXES else 0
        if max(brackets, cases, prefixes) > MAX_NESTING:
            why = f"More than {MAX_NESTING} levels are nested here."
            raise Refusal(Code.COMPLEX, why, _SHORTER, _at(word))


def _check_statement(words: list[Token]) -> None:
    ends = [i for i, word in enumerate(words) if word.token_type is TokenType.SEMICOLON]
    if any(i < len(words) - 1 for i in ends):
        after = words[ends[0] + 1]
        raise Refusal(Code.STMT, "Only one statement at a time is answered.", "send them one by one", _at(after))
    first = next((word for word in words if word.token_type is not TokenType.L_PAREN), words[0])
    if first.token_type not in _BEGINNINGS:
        raise Refusal(Code.STMT, "Only SELECT questions are answered.", "SELECT ... FROM ...", _at(first))


def _check_numbers(words: list[Token]) -> None:
    """Refuse 0x7fff, a number in DuckDB, which the parser takes for a number with a name."""
    for word, after in pairwise(words):
        if word.token_type is TokenType.NUMBER and after.token_type is TokenType.VAR and after.start == word.end + 1:
            span = Span(word.start, after.end + 1)
            raise Refusal(Code.PARSE, "A number is written in decimal digits.", "put a space before a name", span)


def _at_end(sql: str) -> Span:
    return Span(MAX_CHARACTERS, min(len(sql), MAX_CHARACTERS + 1))


def _at(word: Token) -> Span:
    return Span(word.start, word.end + 1)


def _tree(sql: str, words: list[Token]) -> exp.Query:
    token = _reading.set(True)
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except ParseError as error:
        raise _unreadable(error, sql, words) from None
    except RecursionError:
        raise Refusal(Code.COMPLEX, "The question is nested too deeply.", _SHORTER) from None
    except Exception:  # the parser's own defects must read as a refusal too, with nothing of theirs in the text
        raise Refusal(Code.PARSE, "This is not SQL that can be read.", "check the syntax") from None
    finally:
        _reading.reset(token)
    if not isinstance(tree, exp.Query):
        raise Refusal(Code.STMT, "Only SELECT questions are answered.", "SELECT ... FROM ...", span_of(tree))
    return tree


def _unreadable(error: ParseError, sql: str, words: list[Token]) -> Refusal:
    why, hint = "The SQL can't be read from here on.", "check the words around the caret"
    found = error.errors[0] if error.errors else {}
    before, word = found.get("start_context"), found.get("highlight") or ""
    if before is None:
        return Refusal(Code.PARSE, "The SQL can't be read.", "check brackets, commas and the order of the clauses")
    start = sql.find(before + word)
    start = min(start + len(before) if start >= 0 else len(sql), len(sql) - 1)
    span = Span(start, min(len(sql), start + max(1, len(word))))
    return _reserved(span, words) or Refusal(Code.PARSE, why, hint, span)


def _reserved(span: Span, words: list[Token]) -> Refusal | None:
    """Explain a word of SQL's own that stands where a name is expected."""
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
    return Refusal(Code.PARSE, why, f'{"AS " * (before.token_type is TokenType.ALIAS)}"{word[:40]}"', span)


def _check_size(tree: exp.Expr) -> None:
    joins = aggregates = 0
    for nodes, (node, depth) in enumerate(_with_depth(tree), 1):
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


def _with_depth(tree: exp.Expr) -> Iterator[tuple[exp.Expr, int]]:
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((part, depth + 1) for part in node.iter_expressions())
