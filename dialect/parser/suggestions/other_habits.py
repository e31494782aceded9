"""What other engines write in other words -> the same question in DuckDB's, for refusals to try."""

from __future__ import annotations

import re

from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Refusal, Span, Suggestion, joined_differences
from dialect.parser.suggestions.other_calls import FORMS
from dialect.parser.tokens import at_commas, closing, words_of

AMPERSANDS = "&& compares two lists; conditions are joined by AND."
_MOST = 20  # calls of one question
# [a name] of SQL Server, and no place in a list
_BRACKETED = re.compile(r"(?<![\w\])'\".])\[([a-z_]\w*)\]|(?<=\.)\[([a-z_]\w*)\]", re.IGNORECASE)
_TOP = re.compile(r"^(\s*select)\s+top\s*(?:\s(\d+)\b|\((\d+)\))(.*?)[\s;]*$", re.IGNORECASE | re.DOTALL)
_SET_OPERATION = re.compile(r"\b(?:union|intersect|except)\b", re.IGNORECASE)
_ROLLED = re.compile(
    r"\b(group\s+by)\s+((?:(?!\bgroup\s+by\b).)+?)(?<=\S)\s+with\s+(rollup|cube)\b", re.IGNORECASE | re.DOTALL
)


def in_duckdbs_words(sql: str) -> Suggestion:
    """Write every call of another engine as DuckDB does, the innermost first; the text itself where there is none."""
    differences: list[str] = []
    top = _TOP.match(sql)
    if top is not None and not _SET_OPERATION.search(sql):  # there LIMIT would end the whole, and TOP its own side
        sql = f"{top[1]}{top[4]} LIMIT {top[2] or top[3]}"
    sql = _without_brackets(sql)
    try:
        for _ in range(_MOST):
            found = _last_call(sql, words_of(sql))
            if found is None:
                break
            place, made = found
            sql = sql[: place.start] + made.sql + sql[place.end :]
            differences.insert(0, made.differs)
    except Refusal:  # too long by now, or not to be cut into words
        pass
    return Suggestion(sql, joined_differences(*differences))


def _without_brackets(sql: str) -> str:
    """Take names out of the brackets of SQL Server, where text has none."""
    parts = re.split(r"('(?:[^']|'')*')", sql)
    return "".join(p if p.startswith("'") else _BRACKETED.sub(lambda found: found[1] or found[2], p) for p in parts)


def with_and(sql: str) -> str:
    """Write AND in the place of every &&."""
    for word in reversed(words_of(sql)):
        if word.token_type is TokenType.DAMP:
            sql = f"{sql[: word.start]}AND{sql[word.end + 1 :]}"
    return sql


def keys_rolled_up(sql: str) -> str:
    """Write GROUP BY a, b WITH ROLLUP of MySQL and SQL Server with the keys in brackets."""
    return _ROLLED.sub(lambda found: f"{found[1]} {found[3]} ({found[2]})", sql)


def call_at(sql: str, span: Span) -> Suggestion | None:
    """Write the call of another engine that stands at a place as DuckDB does; None where there is none."""
    try:
        words = words_of(sql)
    except Refusal:
        return None
    for at in reversed(range(len(words))):
        found = _call(sql, words, at)
        if found is not None and found[0].start < span.end and span.start < found[0].end:
            return found[1]
    return None


def _last_call(sql: str, words: list[Token]) -> tuple[Span, Suggestion] | None:
    calls = (_call(sql, words, at) for at in reversed(range(len(words))))
    return next((call for call in calls if call is not None), None)


def _call(sql: str, words: list[Token], at: int) -> tuple[Span, Suggestion] | None:
    form = FORMS.get(words[at].text.lower())
    if form is None or at + 1 >= len(words) or words[at + 1].token_type is not TokenType.L_PAREN:
        return None
    end = closing(words, at + 1)
    given = [] if end is None else list(at_commas(sql, words, at + 2, end))
    made = form(given) if given else None
    if end is None or made is None:
        return None
    return Span(words[at].start, words[end].end + 1), made if isinstance(made, Suggestion) else Suggestion(made)
