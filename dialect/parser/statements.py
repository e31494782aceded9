"""Statements other than SELECT, answered without data and without charge.

EXPLAIN PRIVACY SELECT ...
SHOW TABLES | BUDGET | RELEASES | FUNCTIONS
SHOW FUNCTIONS LIKE '%date%'
DESCRIBE table
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Code, Refusal
from dialect.parser.privacy_clause import blanked
from dialect.parser.tokens import place_of, words_of


class Listing(StrEnum):
    """What SHOW can list."""

    TABLES = "TABLES"
    BUDGET = "BUDGET"
    RELEASES = "RELEASES"
    FUNCTIONS = "FUNCTIONS"


@dataclass(frozen=True)
class ExplainPrivacy:
    """Show a query's price and expected errors; offsets in `query` are those of the complete text."""

    question: str


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
_PRIVACY = re.compile(r"\s+PRIVACY\b(?=\s*[^\s;])", re.IGNORECASE)
_LIKE = 3  # tokens of FUNCTIONS LIKE '%date%'
_NAMED = {Listing.TABLES, Listing.FUNCTIONS}
_FIRST = {"EXPLAIN", "SHOW", "DESCRIBE", "DESC"}


def statement_of(sql: str) -> Statement | None:
    """Parse a statement; None for a query; raises Refusal with E_STMT, and what `words_of` raises."""
    if sql.lstrip()[:8].partition(" ")[0].strip().upper() not in _FIRST and not _commented(sql):
        return None  # shortcut for nearly every text: no second tokenization
    words = [word for word in words_of(sql) if word.text != ";"]
    if not words or words[0].text.upper() not in _FIRST:
        return None
    first, rest = words[0].text.upper(), words[1:]
    if first == "EXPLAIN":
        return _explain(sql, words[0])
    return _show(words[0], rest) if first == "SHOW" else _describe(words[0], rest)


def _commented(sql: str) -> bool:
    """Return whether the text must be tokenized to find its first word, e.g. behind a comment."""
    return sql.lstrip().startswith(("--", "/*")) or not sql.lstrip()[:1].isalpha() or "\n" in sql.lstrip()[:9]


def _explain(sql: str, first: Token) -> ExplainPrivacy:
    """Parse EXPLAIN PRIVACY as text: sqlglot does not tokenize what follows EXPLAIN."""
    found = _PRIVACY.match(sql, first.end + 1)
    if found is None:
        why = "Only EXPLAIN PRIVACY and a question can be explained."
        raise Refusal(Code.STMT, why, "EXPLAIN PRIVACY SELECT COUNT(*) FROM ...", place_of(first))
    return ExplainPrivacy(blanked(sql, first.start, found.end()))


def _show(first: Token, rest: list[Token]) -> Show:
    """Parse SHOW with a listing."""
    if len(rest) == _LIKE and rest[1].text.upper() in {"LIKE", "ILIKE"} and rest[2].token_type is TokenType.STRING:
        return _like(rest)
    names = [word.text.upper() for word in rest]
    if len(names) != 1 or names[0] not in Listing.__members__:
        why = f"SHOW lists {', '.join(Listing)}."
        raise Refusal(Code.STMT, why, "SHOW TABLES", place_of(rest[0] if rest else first))
    return Show(Listing(names[0]))


def _like(rest: list[Token]) -> Show:
    """Parse SHOW with LIKE and a pattern."""
    listing = rest[0].text.upper()
    if listing not in _NAMED:
        why = f"LIKE chooses among {' or '.join(sorted(_NAMED))} by name."
        raise Refusal(Code.STMT, why, "SHOW FUNCTIONS LIKE '%date%'", place_of(rest[1]))
    return Show(Listing(listing), rest[2].text)


def _describe(first: Token, rest: list[Token]) -> Describe:
    """Parse DESCRIBE with a table name."""
    if len(rest) != 1:
        raise Refusal(Code.STMT, "DESCRIBE takes the name of one table.", "SHOW TABLES", place_of(first))
    return Describe(rest[0].text)
