"""Statements other than SELECT, answered without data and without charge; None where the text is a question.

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
    """What SHOW lists."""

    TABLES = "TABLES"
    BUDGET = "BUDGET"
    RELEASES = "RELEASES"
    FUNCTIONS = "FUNCTIONS"


@dataclass(frozen=True)
class ExplainPrivacy:
    """What would a question cost and show; its places are those of the whole text."""

    question: str


@dataclass(frozen=True)
class Show:
    """List what is known without data."""

    listing: Listing
    like: str | None = None  # pattern of names: of tables and functions


@dataclass(frozen=True)
class Describe:
    """Show one table's columns."""

    table: str


Statement = ExplainPrivacy | Show | Describe
_PRIVACY = re.compile(r"\s+PRIVACY\b(?=\s*[^\s;])", re.IGNORECASE)
_LIKE = 3  # words of FUNCTIONS LIKE '%date%'
_NAMED = {Listing.TABLES, Listing.FUNCTIONS}
_FIRST = {"EXPLAIN", "SHOW", "DESCRIBE", "DESC"}


def statement_of(sql: str) -> Statement | None:
    """Read a statement; raises Refusal with E_STMT for what none of them is, and as `words_of` does."""
    if sql.lstrip()[:8].partition(" ")[0].strip().upper() not in _FIRST and not _commented(sql):
        return None  # nearly every text, which is cut into words once only
    words = [word for word in words_of(sql) if word.text != ";"]
    if not words or words[0].text.upper() not in _FIRST:
        return None
    first, rest = words[0].text.upper(), words[1:]
    if first == "EXPLAIN":
        return _explain(sql, words[0])
    return _show(words[0], rest) if first == "SHOW" else _describe(words[0], rest)


def _commented(sql: str) -> bool:
    return sql.lstrip().startswith(("--", "/*")) or not sql.lstrip()[:1].isalpha() or "\n" in sql.lstrip()[:9]


def _explain(sql: str, first: Token) -> ExplainPrivacy:
    """Read the text behind the word: the parser cuts it into no words."""
    found = _PRIVACY.match(sql, first.end + 1)
    if found is None:
        why = "Only EXPLAIN PRIVACY and a question can be explained."
        raise Refusal(Code.STMT, why, "EXPLAIN PRIVACY SELECT COUNT(*) FROM ...", place_of(first))
    return ExplainPrivacy(blanked(sql, first.start, found.end()))


def _show(first: Token, rest: list[Token]) -> Show:
    if len(rest) == _LIKE and rest[1].text.upper() in {"LIKE", "ILIKE"} and rest[2].token_type is TokenType.STRING:
        return _like(rest)
    names = [word.text.upper() for word in rest]
    if len(names) != 1 or names[0] not in Listing.__members__:
        why = f"SHOW lists {', '.join(Listing)}."
        raise Refusal(Code.STMT, why, "SHOW TABLES", place_of(rest[0] if rest else first))
    return Show(Listing(names[0]))


def _like(rest: list[Token]) -> Show:
    listing = rest[0].text.upper()
    if listing not in _NAMED:
        why = f"LIKE chooses among {' or '.join(sorted(_NAMED))} by name."
        raise Refusal(Code.STMT, why, "SHOW FUNCTIONS LIKE '%date%'", place_of(rest[1]))
    return Show(Listing(listing), rest[2].text)


def _describe(first: Token, rest: list[Token]) -> Describe:
    if len(rest) != 1:
        raise Refusal(Code.STMT, "DESCRIBE takes the name of one table.", "SHOW TABLES", place_of(first))
    return Describe(rest[0].text)
