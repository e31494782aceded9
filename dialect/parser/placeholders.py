"""Placeholders in suggested SQL for values that only the analyst knows; a query that still has one is refused."""

from __future__ import annotations

import re

from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Code, Refusal, Span

LEAST, MOST, START, END = "YOUR_MIN", "YOUR_MAX", "YOUR_START", "YOUR_END"
# sample values, with which a suggestion is compiled before it is shown
_TRIED = {
    LEAST: "-10000",
    MOST: "10000",
    START: "TIMESTAMP '2026-10-14 00:00:00'",
    END: "TIMESTAMP '2026-10-15 00:00:00'",
}
_KINDS = {LEAST: "number", MOST: "number", START: "time", END: "time"}
_WORD = re.compile(rf"\b(?:{'|'.join(_TRIED)})\b")


def filled(sql: str) -> str:
    """Replace every placeholder by a sample value, so that a suggestion can be compiled."""
    return _WORD.sub(lambda found: _TRIED[found[0]], sql)


def refuse_placeholders(words: list[Token]) -> None:
    """Refuse a suggestion sent without replacing its placeholders; raises Refusal with E_PARAM."""
    for word in words:
        if word.token_type is TokenType.VAR and word.text in _TRIED:
            kind = _KINDS[word.text]
            why = f"{word.text} stands for a {kind} that you choose."
            raise Refusal(Code.PARAM, why, f"write your {kind} in its place", Span(word.start, word.end + 1))
