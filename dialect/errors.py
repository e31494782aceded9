"""Refusals: why a query is not answered, as a stable code, a span of the text, a reason and a suggestion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Stable codes of refusals; the meaning of a code never changes."""

    PARSE = "E_PARSE"
    COMPLEX = "E_COMPLEX"
    STMT = "E_STMT"
    TABLE = "E_TABLE"
    COLUMN = "E_COLUMN"
    PERSON_KEY = "E_PERSON_KEY"
    FUNC = "E_FUNC"
    AGG = "E_AGG"
    ROWS = "E_ROWS"
    JOIN = "E_JOIN"
    KEY = "E_KEY"
    WINDOW = "E_WINDOW"
    SUBQUERY = "E_SUBQUERY"
    BOUNDS = "E_BOUNDS"
    SAMPLE = "E_SAMPLE"
    PARAM = "E_PARAM"


@dataclass(frozen=True)
class Span:
    """Half-open range of character offsets in the analyst's SQL."""

    start: int
    end: int


@dataclass(frozen=True)
class Suggestion:
    """Suggested SQL: a replacement for a refused query or for the refused part of it.

    `difference` states how its answer differs in meaning; it is empty only where both texts are equivalent.
    """

    sql: str
    difference: str = ""

    def __str__(self) -> str:
        """Return the SQL with the difference as a trailing comment, so that a copied line still parses."""
        return f"{self.sql} -- {self.difference}" if self.difference else self.sql


def to_suggestions(texts: Iterable[str], difference: str = "") -> tuple[Suggestion, ...]:
    """Wrap SQL texts as suggestions that all differ from the refused text in the same respect."""
    return tuple(Suggestion(text, difference) for text in texts)


def join_differences(*differences: str) -> str:
    """Concatenate differences with semicolons, without duplicates and empty ones."""
    return "; ".join(dict.fromkeys(each for each in differences if each))


@dataclass
class Refusal(Exception):
    """Refusal of a query, decided from its text and the catalog alone, before anything is charged."""

    code: Code
    why: str  # one sentence
    hint: str  # one rewrite that works, shown behind "Try:"
    span: Span | None = None
    rewrites: tuple[Suggestion, ...] = ()  # complete queries; the first one that compiles becomes the hint

    def __str__(self) -> str:
        """Return code, reason and suggestion in one line."""
        return f"{self.code}: {self.why} Try: {self.hint}"
