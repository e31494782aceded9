"""Statements other than SELECT, answered without data and without charge.

EXPLAIN PRIVACY SELECT ...
SHOW TABLES | BUDGET | RELEASES | FUNCTIONS
SHOW FUNCTIONS LIKE '%date%'
DESCRIBE table
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlglot.tokenizer_core import Token, TokenType

from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal
from dialect.parser.privacy_clause import blank_out
from dialect.parser.spans import first_word_span
from dialect.parser.tokens import token_span, tokenize


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
        raise Kind.NOT_EXPLAINABLE.at(token_span(first))
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
