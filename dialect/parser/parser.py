"""Parse SQL text to one syntax tree within limits, or to a statement other than SELECT.

The privacy clause is parsed separately.

The tree's root carries what the text states outside of the tree, in its `meta`: the text itself ("sql"), the options of
the privacy clause ("options"), the named contribution bounds by call ("bounds") and aliases ("alias_spellings").
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Refusal, Span, to_suggestions
from dialect.parser.clause_order import check_clause_order
from dialect.parser.privacy_clause import (
    NO_OPTIONS,
    BoundsByCall,
    Options,
    blank_out,
    check_bounded_calls,
    extract_clause,
    extract_named_bounds,
)
from dialect.parser.spans import first_word_span, span_of
from dialect.parser.tokens import DUCKDB, token_span, tokenize

MAX_DEPTH = 120
MAX_NODES = 2_000
MAX_JOINS = 20
MAX_AGGREGATES = 50

_QUERY_STARTS = {TokenType.SELECT, TokenType.WITH, TokenType.FROM}
CallCheck = Callable[[str, list[Token], Sequence[exp.Expr] | None], None]  # text, tokens, nodes if it parses
_is_parsing: ContextVar[bool] = ContextVar("_reading", default=False)
logging.getLogger("sqlglot").addFilter(lambda _: not _is_parsing.get())  # query text must not be logged
_IDENTIFIER_TOKENS = {TokenType.VAR, TokenType.IDENTIFIER}


class _Parser(DuckDBParser):
    """DuckDB's SQL, in which keys of ROLLUP, CUBE and GROUPING SETS may be conditions: sqlglot stops at them."""

    def _parse_cube_or_rollup(self, with_prefix: bool = False) -> exp.Cube | exp.Rollup | None:
        kind = exp.Cube if self._match(TokenType.CUBE) else exp.Rollup if self._match(TokenType.ROLLUP) else None
        if kind is None:
            return None
        keys = [] if with_prefix else self._parse_wrapped_csv(self._parse_disjunction)
        return self.expression(kind(expressions=keys))

    def _parse_grouping_set(self) -> exp.Expr | None:
        return self._parse_grouping_sets() or self._parse_cube_or_rollup() or self._parse_disjunction()


def _accept_calls(sql: str, tokens: list[Token], nodes: Sequence[exp.Expr] | None) -> None:
    """Accept every call."""


def parse(sql: str, check_calls: CallCheck = _accept_calls) -> exp.Query:
    """Parse exactly one query; raises Refusal with E_COMPLEX, E_STMT or E_PARSE, and what `check_calls` raises.

    `check_calls` also runs on tokens that do not parse: sqlglot rejects some argument counts without a usable message.
    """
    tokens = tokenize(sql)
    _check_statement(tokens)
    check_clause_order(sql, tokens)
    extracted = extract_clause(sql, tokens)
    text, remaining_tokens, named_bounds = extract_named_bounds(extracted.text, extracted.tokens)
    try:
        tree = _parse_tree(text, remaining_tokens)
    except Refusal as refusal:
        if refusal.code is Code.PARSE:
            check_calls(sql, remaining_tokens, None)
        raise
    nodes = _nodes_within_limits(tree)
    check_calls(sql, remaining_tokens, nodes)
    check_bounded_calls(tree, named_bounds)
    if any(isinstance(node, exp.Explode) for node in nodes):
        for select in nodes:
            if isinstance(select, exp.Select):
                _move_unnest_to_from(select)
    tree.meta["sql"], tree.meta["options"], tree.meta["bounds"] = sql, extracted.options, named_bounds
    tree.meta["has_arithmetic"] = any(isinstance(node, exp.Div | exp.Sub) for node in nodes)
    aliases = [node.alias for node in nodes if isinstance(node, exp.Alias)]
    tree.meta["alias_spellings"] = {alias.lower(): alias for alias in reversed(aliases)}
    return tree


def options_of(tree: exp.Expr) -> Options:
    """Options of a parsed query's privacy clause."""
    found = tree.meta.get("options")
    return found if isinstance(found, Options) else NO_OPTIONS


def bounds_of(tree: exp.Expr) -> BoundsByCall:
    """Named contribution bounds of a parsed query, by the start offset of their call."""
    return tree.meta.get("bounds", {})


def has_arithmetic(tree: exp.Expr) -> bool:
    """Return whether a parsed query has a quotient or a difference."""
    return bool(tree.meta["has_arithmetic"])


def alias_spellings(tree: exp.Expr) -> dict[str, str]:
    """Map each alias in lower case to its spelling in the text; the outermost query's spelling wins."""
    return tree.meta["alias_spellings"]


def _check_statement(tokens: list[Token]) -> None:
    """Refuse a text that does not begin a query."""
    first = next((token for token in tokens if token.token_type is not TokenType.L_PAREN), tokens[0])
    if first.token_type not in _QUERY_STARTS:
        is_pivot = first.text.upper() in {"PIVOT", "UNPIVOT"}
        raise (Kind.PIVOT_STATEMENT if is_pivot else Kind.NOT_A_SELECT).at(token_span(first))


def _parse_tree(sql: str, tokens: list[Token]) -> exp.Query:
    """Parse tokens with sqlglot; its errors, defects and log messages are replaced by refusals.

    Their texts may contain literals of the query, which must not appear in logs.
    """
    reset_token = _is_parsing.set(True)
    try:
        tree, *_ = _Parser(dialect=DUCKDB).parse(tokens, sql)  # tokenized already
    except ParseError as error:
        raise _parse_refusal(error, sql, tokens) from None
    except RecursionError:
        raise Kind.NESTED_TOO_DEEPLY.at() from None
    except Exception:  # defects of sqlglot become refusals, without their own message
        raise Kind.NOT_SQL.at() from None
    finally:
        _is_parsing.reset(reset_token)
    if not isinstance(tree, exp.Query):
        span = None if tree is None else span_of(tree)
        raise Kind.NOT_A_SELECT.at(span)
    return tree


def _parse_refusal(error: ParseError, sql: str, tokens: list[Token]) -> Refusal:
    """Convert a parse error of sqlglot to a refusal at the same place.

    sqlglot gives the text before the error and the word at it, not an offset. Both together are looked up in the query.
    """
    found = error.errors[0] if error.errors else {}
    before, word = found.get("start_context"), found.get("highlight") or ""
    if before is None:
        return Kind.UNREADABLE_SQL.at()
    start = sql.find(before + word)
    # at the end of the text nothing is found
    start = min(start + len(before) if start >= 0 else len(sql), len(sql) - 1)
    span = Span(start, min(len(sql), start + max(1, len(word))))
    return _reserved_word_refusal(span, tokens, sql) or Kind.UNREADABLE_FROM_HERE.at(span)


def _reserved_word_refusal(span: Span, tokens: list[Token], sql: str) -> Refusal | None:
    """Explain a reserved word where an identifier is expected, and suggest quoting it; None for other errors.

    An identifier is expected behind AS, GROUP BY, ORDER BY, a comma or a dot.
    """
    position = next((i for i, word in enumerate(tokens) if word.start == span.start), 0)
    if not position or tokens[position].token_type in _IDENTIFIER_TOKENS or not tokens[position].text.isidentifier():
        return None
    before = tokens[position - 1]
    if before.token_type not in {
        TokenType.ALIAS,
        TokenType.GROUP_BY,
        TokenType.ORDER_BY,
        TokenType.COMMA,
        TokenType.DOT,
    }:
        return None
    word = tokens[position].text
    return Kind.RESERVED_WORD.at(
        span,
        to_suggestions([f'{sql[: span.start]}"{word}"{sql[span.end :]}']),
        word=word.upper()[:40],
        keyword="AS " * (before.token_type is TokenType.ALIAS),
        name=word[:40],
    )


def _move_unnest_to_from(tree: exp.Select) -> None:
    """Move the unnest of a SELECT without FROM into its FROM, in place.

        SELECT unnest(range(24)) AS h  ->  SELECT unnest AS h FROM unnest(range(24))

    Only a single unnest, as several would be read side by side, and not before clauses that would see its rows.
    """
    if any(tree.args.get(clause) for clause in ("from_", "where", "group", "having")):
        return
    found = [node for item in tree.expressions for node in item.find_all(exp.Explode)]
    if len(found) != 1:
        return
    (call,) = found
    name = exp.to_identifier("unnest")
    unnest = exp.Unnest(expressions=[call.this], alias=exp.TableAlias(this=name, columns=[name.copy()]))
    call.replace(exp.column(name.copy()))
    tree.set("from_", exp.From(this=unnest))


def _nodes_within_limits(tree: exp.Expr) -> list[exp.Expr]:
    """List the nodes of a tree, those nearest to the root first.

    Raises Refusal with E_COMPLEX for a tree that is too deep or has too many nodes, joins or aggregates.
    """
    nodes, joins, aggregates = list[exp.Expr](), 0, 0
    waiting = deque([(tree, 0)])  # no recursion, which a deep tree would exhaust
    while waiting:
        node, depth = waiting.popleft()
        waiting.extend((part, depth + 1) for part in node.iter_expressions())
        nodes.append(node)
        joins += isinstance(node, exp.Join)
        aggregates += isinstance(node, exp.AggFunc)
        if depth > MAX_DEPTH:
            raise Kind.EXPRESSION_TOO_DEEP.at(span_of(node), limit=MAX_DEPTH)
        if len(nodes) > MAX_NODES:
            raise Kind.TOO_MANY_PARTS.at(limit=MAX_NODES)
        if joins > MAX_JOINS:
            raise Kind.TOO_MANY_JOINS.at(limit=MAX_JOINS)
        if aggregates > MAX_AGGREGATES:
            raise Kind.TOO_MANY_AGGREGATES.at(limit=MAX_AGGREGATES)
    return nodes


class Listing(StrEnum):
    """What SHOW can list."""

    TABLES = "TABLES"
    BUDGET = "BUDGET"
    RELEASES = "RELEASES"
    FUNCTIONS = "FUNCTIONS"


@dataclass(frozen=True)
class ExplainPrivacy:
    """Show a query's price and expected errors; offsets in `query` are those of the complete text."""

    query: str


@dataclass(frozen=True)
class Show:
    """List tables, budget, releases or functions."""

    listing: Listing
    like: str | None = None  # LIKE pattern of table or function names


@dataclass(frozen=True)
class Describe:
    """Show the columns of one table."""

    table: str


Statement = ExplainPrivacy | Show | Describe
_EXPLAIN_OPTIONS = re.compile(
    r"^\s*(?:\([^)]*\)|ANALY[SZ]E\b|VERBOSE\b|PLAN\s+FOR\b|QUERY\s+PLAN\b|\s)+", re.IGNORECASE
)
_MAX_SHOWN_QUERY = 400  # characters
_PRIVACY_KEYWORD = re.compile(r"\s+PRIVACY\b(?=\s*[^\s;])", re.IGNORECASE)
_LIKE_TOKEN_COUNT = 3  # tokens of FUNCTIONS LIKE '%date%'
_LISTINGS_WITH_LIKE = {Listing.TABLES, Listing.FUNCTIONS}
_STATEMENT_KEYWORDS = {"EXPLAIN", "SHOW", "DESCRIBE", "DESC"}


def parse_statement(sql: str) -> Statement | None:
    """Parse a statement other than SELECT; None for a query; raises Refusal with E_STMT for anything else.

    Most texts are queries: their first word decides without tokenization, unless a comment or a break may stand before
    it.
    """
    # 8: length of DESCRIBE, the longest of these keywords
    if sql.lstrip()[:8].partition(" ")[0].strip().upper() not in _STATEMENT_KEYWORDS and not _needs_tokenizing(sql):
        return None  # shortcut for nearly every text: no second tokenization
    try:
        return _parse_tokens(sql)
    except Refusal as refused:
        raise replace(refused, span=refused.span or first_word_span(sql)) from None


def _parse_tokens(sql: str) -> Statement | None:
    """Parse a statement by its tokens; None for a query."""
    tokens = [token for token in tokenize(sql) if token.text != ";"]
    if not tokens or tokens[0].text.upper() not in _STATEMENT_KEYWORDS:
        return None
    first, rest = tokens[0].text.upper(), tokens[1:]
    if first == "EXPLAIN":
        return _parse_explain(sql, tokens[0])
    return _parse_show(tokens[0], rest) if first == "SHOW" else _parse_describe(tokens[0], rest)


def _needs_tokenizing(sql: str) -> bool:
    """Return whether the text must be tokenized to find its first word, e.g. behind a comment."""
    return sql.lstrip().startswith(("--", "/*")) or not sql.lstrip()[:1].isalpha() or "\n" in sql.lstrip()[:9]


def _parse_explain(sql: str, first: Token) -> ExplainPrivacy:
    """Parse EXPLAIN PRIVACY as text: sqlglot does not tokenize what follows EXPLAIN."""
    match = _PRIVACY_KEYWORD.match(sql, first.end + 1)
    if match is None:
        query = _EXPLAIN_OPTIONS.sub("", sql[first.end + 1 :]).strip("; \n") or "SELECT COUNT(*) FROM ..."
        raise Kind.NOT_EXPLAINABLE.at(token_span(first), query=query[:_MAX_SHOWN_QUERY])
    return ExplainPrivacy(blank_out(sql, first.start, match.end()))


def _parse_show(first: Token, rest: list[Token]) -> Show:
    """Parse SHOW with a listing, or SHOW FUNCTIONS LIKE '%date%'; `first` is the token SHOW, `rest` those after it."""
    if (
        len(rest) == _LIKE_TOKEN_COUNT
        and rest[1].text.upper() in {"LIKE", "ILIKE"}
        and rest[2].token_type is TokenType.STRING
    ):
        return _parse_like(rest)
    names = [token.text.upper() for token in rest]
    if len(names) != 1 or names[0] not in Listing.__members__:
        raise Kind.UNKNOWN_LISTING.at(token_span(rest[0] if rest else first), listings=", ".join(Listing))
    return Show(Listing(names[0]))


def _parse_like(rest: list[Token]) -> Show:
    """Parse SHOW with LIKE and a pattern."""
    listing = rest[0].text.upper()
    if listing not in _LISTINGS_WITH_LIKE:
        raise Kind.LIKE_OF_OTHER_LISTING.at(token_span(rest[1]), listings=" or ".join(sorted(_LISTINGS_WITH_LIKE)))
    return Show(Listing(listing), rest[2].text)


def _parse_describe(first: Token, rest: list[Token]) -> Describe:
    """Parse DESCRIBE with a table name."""
    if len(rest) != 1:
        raise Kind.DESCRIBE_FORM.at(token_span(first))
    return Describe(rest[0].text)
