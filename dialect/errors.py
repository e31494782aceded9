"""The refusal of a question: code, span, why, Try."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The stable codes of refusals; their meaning never changes."""

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
    """Half-open range of characters in the analyst's SQL."""

    start: int
    end: int


@dataclass(frozen=True)
class Suggestion:
    """SQL that may stand in the place of what was refused: a whole question, or a part of one.

    `differs` states what its answer means otherwise; it is empty only where both texts mean the same.
    """

    sql: str
    differs: str = ""

    def __str__(self) -> str:
        """Write the SQL with the difference in a comment behind it: what is copied can still be sent."""
        return f"{self.sql} -- {self.differs}" if self.differs else self.sql


def suggested(texts: Iterable[str], differs: str = "") -> tuple[Suggestion, ...]:
    """Make suggestions of texts that all differ from the refused one in the same respect."""
    return tuple(Suggestion(text, differs) for text in texts)


def joined_differences(*differences: str) -> str:
    """Write several differences as one, each once."""
    return "; ".join(dict.fromkeys(each for each in differences if each))


@dataclass
class Refusal(Exception):
    """A question that is not answered, decided from text and catalog alone, before the ledger."""

    code: Code
    why: str  # one sentence
    hint: str  # one rewrite that works, shown behind "Try:"
    span: Span | None = None
    rewrites: tuple[Suggestion, ...] = ()  # whole questions; the first that is itself accepted becomes the hint

    def __str__(self) -> str:
        """Give code, why and hint in one line."""
        return f"{self.code}: {self.why} Try: {self.hint}"
