"""Suggestions for SQL that can't be parsed: a keyword of a similar name, a bracket too few or too many, no BY.

Only the text is read. Candidates are tried by whoever asks for them: the first one that compiles is the suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dialect.diagnostics.names import near_names
from dialect.errors import Span, Suggestion

_KEYWORDS = (
    *("select", "distinct", "from", "where", "group", "order", "by", "having", "limit", "join", "using", "between"),
    *("and", "interval", "union", "case", "when", "then", "else", "end", "with", "left", "inner"),
)
_CLAUSES = re.compile(r"\s+(?:as|from|where|group|order|having|limit)\b", re.IGNORECASE)
_WITHOUT_BY = re.compile(r"\b(group|order)\b(?!\s+by\b)", re.IGNORECASE)
_WORD = re.compile(r"[a-z_]+", re.IGNORECASE)
_MIN_SIMILARITY = 0.7
_MIN_LENGTH = 3  # of a word that may be a mistyped keyword


def corrections(sql: str, span: Span) -> tuple[Suggestion, ...]:
    """Candidates for a text that can't be read from `span` on, those nearest to it first."""
    return (*_with_balanced_brackets(sql, span), *_with_by(sql), *_with_keywords(sql, span))


def _with_keywords(sql: str, span: Span) -> Iterator[Suggestion]:
    """Replace a word at the span, or the nearest one before it, by the keyword that its letters resemble."""
    words = [word for word in _WORD.finditer(sql) if word.start() < span.end and len(word[0]) >= _MIN_LENGTH]
    for word in reversed(words):
        written = word[0].lower()
        near = near_names(written, _KEYWORDS, min_similarity=_MIN_SIMILARITY)
        # letters in another order are as near as can be: form and from
        near = [each for each in _KEYWORDS if sorted(each) == sorted(written)] or near
        if written not in _KEYWORDS and near:
            keyword = near[0].upper()
            yield Suggestion(sql[: word.start()] + keyword + sql[word.end() :], f"{keyword} is a near word")


def _with_balanced_brackets(sql: str, span: Span) -> Iterator[Suggestion]:
    """Close an open bracket before a clause, the nearest before the span first, or at the end; or drop one too many."""
    opened = sql.count("(") - sql.count(")")
    if opened > 0:
        clauses = [clause.start() for clause in _CLAUSES.finditer(sql) if clause.start() < span.end]
        for place in (*reversed(clauses[-2:]), len(sql.rstrip("; \n"))):
            yield Suggestion(f"{sql[:place]}{')' * opened}{sql[place:]}", "closes what is open")
    elif opened < 0 and (place := sql.rfind(")", 0, span.end)) >= 0:
        yield Suggestion(sql[:place] + sql[place + 1 :], "without a bracket that closes nothing")


def _with_by(sql: str) -> Iterator[Suggestion]:
    """Write BY behind GROUP and ORDER."""
    longer = _WITHOUT_BY.sub(r"\1 BY", sql)
    if longer != sql:
        yield Suggestion(longer, "with BY")
