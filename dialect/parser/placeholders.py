"""Placeholders in suggested SQL for values that only the analyst knows; a query that still has one is refused."""

from __future__ import annotations

import re

from sqlglot.tokenizer_core import Token, TokenType

from dialect.diagnostics.kinds import Kind
from dialect.errors import Span

MIN_PLACEHOLDER, MAX_PLACEHOLDER, START_PLACEHOLDER, END_PLACEHOLDER = "YOUR_MIN", "YOUR_MAX", "YOUR_START", "YOUR_END"
# sample values, with which a suggestion is compiled before it is shown
_SAMPLE_VALUES = {
    MIN_PLACEHOLDER: "-10000",
    MAX_PLACEHOLDER: "10000",
    START_PLACEHOLDER: "TIMESTAMP '2026-10-14 00:00:00'",
    END_PLACEHOLDER: "TIMESTAMP '2026-10-15 00:00:00'",
}
_PLACEHOLDER = re.compile(rf"\b(?:{'|'.join(_SAMPLE_VALUES)})\b")


def fill_placeholders(sql: str) -> str:
    """Replace every placeholder by a sample value, so that a suggestion can be compiled."""
    return _PLACEHOLDER.sub(lambda found: _SAMPLE_VALUES[found[0]], sql)


def refuse_placeholders(tokens: list[Token]) -> None:
    """Refuse a suggestion that was sent as a query without replacing its placeholders; raises Refusal with E_PARAM."""
    for token in tokens:
        if token.token_type is TokenType.VAR and token.text in _SAMPLE_VALUES:
            is_number = token.text in {MIN_PLACEHOLDER, MAX_PLACEHOLDER}
            kind = Kind.NUMBER_PLACEHOLDER if is_number else Kind.TIME_PLACEHOLDER
            raise kind.at(Span(token.start, token.end + 1), text=token.text)
