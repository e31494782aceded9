"""Refusals: why a query is not answered, as a kind with typed fields, a span of the text and suggestions.

The texts of all kinds are in `dialect/diagnostics/kinds.py`, and in `engine/errors.py` for what the engine refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum


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


class Diagnostic(Enum):
    """Base of the tables of refusals: each member is one kind, a code and templates of its reason and its hint.

    Templates have {names} in braces, which are the fields of a refusal of this kind.
    """

    code: Code
    why: str  # one sentence
    hint: str  # what works instead, shown behind "Try:"

    def __init__(self, code: Code, why: str, hint: str) -> None:
        """Keep the columns of the row."""
        self.code, self.why, self.hint = code, why, hint

    def at(
        self,
        span: Span | None = None,
        rewrites: tuple[Suggestion, ...] = (),
        /,
        *,
        code: Code | None = None,
        **fields: object,
    ) -> Refusal:
        """Build a refusal of this kind at a span; `code` replaces the row's where one reason has several."""
        return Refusal(self, fields, span, rewrites, code=code or self.code)


@dataclass
class Refusal(Exception):
    """Refusal of a query, decided from its text and the catalog alone, before anything is charged.

    It is data: a kind and the values of its fields. Text is made only when it is shown.
    """

    kind: Diagnostic
    fields: Mapping[str, object]
    span: Span | None
    rewrites: tuple[Suggestion, ...]  # complete queries; the first one that compiles becomes the suggestion
    code: Code
    suggestion: Suggestion | None = None  # shown in place of the kind's hint

    @property
    def why(self) -> str:
        """The reason, one sentence."""
        return self.kind.why.format_map(self.fields)

    @property
    def hint(self) -> str:
        """One rewrite that works, shown behind "Try:"."""
        return self.kind.hint.format_map(self.fields) if self.suggestion is None else str(self.suggestion)

    def explained(self, kind: Diagnostic, /, *rewrites: Suggestion, **fields: object) -> Refusal:
        """Return the refusal as a kind that says more: with further fields, and suggestions in place of its own."""
        return replace(self, kind=kind, fields={**self.fields, **fields}, rewrites=rewrites)

    def __str__(self) -> str:
        """Return code, reason and suggestion in one line."""
        return f"{self.code}: {self.why} Try: {self.hint}"
