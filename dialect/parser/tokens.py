"""Tokens of SQL text, within limits of length and nesting that are checked before anything is parsed.

Suggested SQL has placeholders for values that only the analyst knows; a query that still has one is refused.
"""

from __future__ import annotations

import re
from itertools import pairwise

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from dialect.diagnostics.kinds import Kind
from dialect.errors import Span, to_suggestions

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


DUCKDB = Dialect.get_or_raise("duckdb")
MAX_CHARACTERS = 10_000
MAX_TOKENS = 3_000
MAX_NESTING = 40
MAX_OPEN_JOINS = 3  # JOINs without ON or USING: after each, sqlglot parses the rest twice

OPENERS = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
CLOSERS = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_JOINS = {TokenType.JOIN, TokenType.STRAIGHT_JOIN}
_AFTER_JOINED_TABLE = {*_JOINS, TokenType.COMMA, TokenType.APPLY}  # what may follow a joined table
_CONDITIONS = {TokenType.ON, TokenType.USING}
_PREFIXES = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.INTERVAL}
_LEXEME = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|[^'"$/-]+|.""", re.DOTALL
)  # one token, quotation or comment; a single quote mark is unclosed
_INVALID_CHARACTERS = re.compile("[\0\ud800-\udfff]")  # NUL and surrogates
_COMMENT_MARKS = ("--", "/*", "{", "#", ";")  # also begin a final semicolon; a text without any has no comments

_INTERVAL = re.compile(r"\s*-?\d+(\s*[a-z]+(\s+-?\d+\s*[a-z]+)*)?\s*|\d+:\d\d(:\d\d)?", re.IGNORECASE | re.ASCII)


def tokenize(sql: str) -> list[Token]:
    """Tokenize a text and check its limits; raises Refusal with E_COMPLEX, E_STMT or E_PARSE.

    Also E_PARAM for a placeholder that a suggestion left to fill, and E_FUNC for an interval that would be read in
    part.
    """
    _check_text(sql)
    tokens = _raw_tokens(sql)
    if not tokens:
        raise Kind.ONLY_A_COMMENT.at()
    _check_quotes(sql, tokens)
    _check_single(sql, tokens)
    refuse_placeholders(tokens)
    _check_numbers(tokens)
    _check_intervals(tokens)
    _check_nesting(tokens)
    _check_joins(tokens)
    return tokens


def strip_comments(sql: str) -> str:
    """Return an accepted text without comments and final semicolon; a comment becomes a space.

    Whitespace between tokens stays; other characters between them are comments.
    """
    if sql.isascii() and not any(mark in sql for mark in _COMMENT_MARKS):
        return sql.strip()
    tokens = [token for token in _raw_tokens(sql) if token.token_type is not TokenType.SEMICOLON]
    text, end = "", -1
    for token in tokens:
        whitespace = sql[end + 1 : token.start]
        text += (whitespace if not whitespace.strip() else " ") * bool(text) + sql[token.start : token.end + 1]
        end = token.end
    return text


def token_span(token: Token) -> Span:
    """Span of a token."""
    return Span(token.start, token.end + 1)


def closing_bracket(tokens: list[Token], opening: int) -> int | None:
    """Position of the bracket that closes the one at `opening`; None where none does."""
    depth = 0
    for position in range(opening, len(tokens)):
        depth += (tokens[position].token_type in OPENERS) - (tokens[position].token_type in CLOSERS)
        if depth == 0:
            return position
    return None


def split_at_commas(sql: str, tokens: list[Token], first: int, end: int) -> tuple[str, ...]:
    """Split the tokens from `first` up to `end` at their top-level commas into texts; empty parts are left out."""
    comma_positions, depth = [first - 1], 0
    for position in range(first, end):
        depth += (tokens[position].token_type in OPENERS) - (tokens[position].token_type in CLOSERS)
        if depth == 0 and tokens[position].token_type is TokenType.COMMA:
            comma_positions.append(position)
    parts = [tokens[one + 1 : other] for one, other in pairwise([*comma_positions, end])]
    return tuple(sql[part[0].start : part[-1].end + 1] for part in parts if part)


def split_list(text: str) -> tuple[str, ...]:
    """Split a list of expressions at its top-level commas; raises Refusal with E_PARSE."""
    tokens = _raw_tokens(text)
    return split_at_commas(text, tokens, 0, len(tokens))


def _check_text(sql: str) -> None:
    """Refuse a text that is empty, too long or contains characters that SQL can't have."""
    if len(sql) > MAX_CHARACTERS:
        raise Kind.TEXT_TOO_LONG.at(Span(MAX_CHARACTERS, MAX_CHARACTERS + 1), limit=MAX_CHARACTERS)
    if not sql.strip():
        raise Kind.NO_QUESTION.at()
    if invalid := _INVALID_CHARACTERS.search(sql):
        raise Kind.INVALID_CHARACTER.at(Span(*invalid.span()))


def _raw_tokens(sql: str) -> list[Token]:
    """Tokenize a text by DuckDB's rules; an unclosed quote or comment is a refusal."""
    try:
        return DUCKDB.tokenize(sql)
    except SqlglotError:
        raise Kind.UNCLOSED_QUOTATION.at(_unclosed_span(sql)) from None


def _unclosed_span(sql: str) -> Span | None:
    """Span of the quote or comment that is never closed."""
    for lexeme in _LEXEME.finditer(sql):
        if lexeme[0] in {"'", '"', "$"} or (lexeme[0] == "/" and sql.startswith("/*", lexeme.start())):
            return Span(lexeme.start(), lexeme.end())
    return None


def _check_single(sql: str, tokens: list[Token]) -> None:
    """Refuse more than one statement; a final semicolon is allowed. The suggestion is the first statement."""
    ends = [i for i, token in enumerate(tokens) if token.token_type is TokenType.SEMICOLON]
    if any(i < len(tokens) - 1 for i in ends):
        after = tokens[ends[0] + 1]
        first = sql[: tokens[ends[0]].start].strip()
        raise Kind.SEVERAL_STATEMENTS.at(token_span(after), to_suggestions([first], "the first statement alone"))


def _check_quotes(sql: str, tokens: list[Token]) -> None:
    """Refuse identifiers in backticks, and suggest double quotes, or none around a path: `main.visit`."""
    offsets = [token.start for token in tokens if token.token_type is TokenType.UNKNOWN and token.text == "`"]
    if offsets:
        quoted = "".join('"' if offset in offsets else character for offset, character in enumerate(sql))
        bare = "".join(character for offset, character in enumerate(sql) if offset not in offsets)
        raise Kind.BACKTICKS.at(Span(offsets[0], offsets[0] + 1), to_suggestions([quoted, bare]))


def _check_numbers(tokens: list[Token]) -> None:
    """Refuse numbers such as 0x7fff: DuckDB reads hexadecimal, sqlglot a number with an alias."""
    for token, after in pairwise(tokens):
        if token.token_type is TokenType.NUMBER and after.token_type is TokenType.VAR and after.start == token.end + 1:
            span = Span(token.start, after.end + 1)
            raise Kind.NOT_DECIMAL.at(span)


def _check_intervals(tokens: list[Token]) -> None:
    """Refuse INTERVAL '1 day ago': sqlglot reads only its first two words."""
    for token, after in pairwise(tokens):
        is_text = token.token_type is TokenType.INTERVAL and after.token_type is TokenType.STRING
        if is_text and not _INTERVAL.fullmatch(after.text):
            raise Kind.INTERVAL_FORM.at(token_span(after))


def _check_nesting(tokens: list[Token]) -> None:
    """Refuse too many tokens, or too many nested brackets, CASEs or prefix operators.

    Each nests the parser's recursion; prefix operators, as in NOT NOT x, nest while they follow each other.
    """
    if len(tokens) > MAX_TOKENS:
        raise Kind.TOO_MANY_WORDS.at(token_span(tokens[MAX_TOKENS]), limit=MAX_TOKENS)
    brackets = cases = prefixes = 0
    for token in tokens:
        brackets += (token.token_type in OPENERS) - (token.token_type in CLOSERS)
        cases += (token.token_type is TokenType.CASE) - (token.token_type is TokenType.END)
        prefixes = prefixes + 1 if token.token_type in _PREFIXES else 0
        if max(brackets, cases, prefixes) > MAX_NESTING:
            raise Kind.TOO_MANY_LEVELS.at(token_span(token), limit=MAX_NESTING)


def _check_joins(tokens: list[Token]) -> None:
    """Refuse many JOINs without their own condition: sqlglot backtracks, in time exponential in their number.

    A JOIN lacks its condition until ON or USING follows at its bracket level; CROSS JOIN needs none.
    """
    # JOINs that lack a condition, and per bracket level: does the last JOIN still lack its condition?
    unconditioned, lacks_condition = 0, [False]
    for before, token in pairwise((tokens[0], *tokens)):
        if token.token_type in OPENERS:
            lacks_condition.append(False)
        elif token.token_type in CLOSERS and len(lacks_condition) > 1:
            lacks_condition.pop()
        elif token.token_type in _AFTER_JOINED_TABLE:
            unconditioned += lacks_condition[-1]
            lacks_condition[-1] = token.token_type in _JOINS and before.token_type is not TokenType.CROSS
        elif token.token_type in _CONDITIONS:
            lacks_condition[-1] = False
        if unconditioned > MAX_OPEN_JOINS:
            raise Kind.TOO_MANY_OPEN_JOINS.at(token_span(token), limit=MAX_OPEN_JOINS)
