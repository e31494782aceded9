"""Tokens of SQL text, within limits of length and nesting that are checked before anything is parsed."""

from __future__ import annotations

import re
from itertools import pairwise

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Code, Refusal, Span, suggested
from dialect.parser.placeholders import refuse_placeholders

DUCKDB = Dialect.get_or_raise("duckdb")
MAX_CHARACTERS = 10_000
MAX_TOKENS = 3_000
MAX_NESTING = 40
MAX_OPEN_JOINS = 3  # JOINs without ON or USING: after each, sqlglot parses the rest twice
SHORTER = "split the question into several statements"

OPENERS = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
CLOSERS = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_JOINS = {TokenType.JOIN, TokenType.STRAIGHT_JOIN}
_GO_ON = {*_JOINS, TokenType.COMMA, TokenType.APPLY}  # what may follow a joined table
_CONDITIONS = {TokenType.ON, TokenType.USING}
_PREFIXES = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.INTERVAL}
_LEXEME = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|[^'"$/-]+|.""", re.DOTALL
)  # one token, quotation or comment; a single quote mark is unclosed
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # NUL and surrogates
_BEGIN_COMMENTS = ("--", "/*", "{", "#", ";")  # also begin a final semicolon; a text without any has no comments

_INTERVAL = re.compile(r"\s*-?\d+(\s*[a-z]+(\s+-?\d+\s*[a-z]+)*)?\s*|\d+:\d\d(:\d\d)?", re.IGNORECASE | re.ASCII)


def words_of(sql: str) -> list[Token]:
    """Tokenize a text and check its limits; raises Refusal with E_COMPLEX, E_STMT or E_PARSE."""
    _check_text(sql)
    words = _tokens(sql)
    if not words:
        raise Refusal(Code.PARSE, "There is no question here, only a comment.", "SELECT COUNT(*) FROM ...")
    _check_quotes(sql, words)
    _check_single(sql, words)
    refuse_placeholders(words)
    _check_numbers(words)
    _check_intervals(words)
    _check_nesting(words)
    _check_joins(words)
    return words


def uncommented(sql: str) -> str:
    """Return an accepted text without comments and final semicolon; a comment becomes a space."""
    if sql.isascii() and not any(mark in sql for mark in _BEGIN_COMMENTS):
        return sql.strip()
    words = [word for word in _tokens(sql) if word.token_type is not TokenType.SEMICOLON]
    text, end = "", -1
    for word in words:
        gap = sql[end + 1 : word.start]
        text += (gap if not gap.strip() else " ") * bool(text) + sql[word.start : word.end + 1]
        end = word.end
    return text


def several(text: str) -> tuple[str, ...]:
    """Split a file of statements at its semicolons, keeping leading comments; raises Refusal with E_PARSE."""
    words = _tokens(text)
    ends = [word.start for word in words if word.token_type is TokenType.SEMICOLON]
    parts = [text[a:b].strip() for a, b in pairwise([0, *ends, len(text)])]
    made = [part.removeprefix(";").strip() for part in parts]
    return tuple(part for part in made if part and _tokens(part))


def place_of(word: Token) -> Span:
    """Span of a token."""
    return Span(word.start, word.end + 1)


def closing(words: list[Token], opening: int) -> int | None:
    """Position of the bracket that closes the one at `opening`; None where none does."""
    depth = 0
    for place in range(opening, len(words)):
        depth += (words[place].token_type in OPENERS) - (words[place].token_type in CLOSERS)
        if depth == 0:
            return place
    return None


def at_commas(sql: str, words: list[Token], first: int, end: int) -> tuple[str, ...]:
    """Split the tokens from `first` up to `end` at their top-level commas into texts; empty parts are left out."""
    cuts, depth = [first - 1], 0
    for at in range(first, end):
        depth += (words[at].token_type in OPENERS) - (words[at].token_type in CLOSERS)
        if depth == 0 and words[at].token_type is TokenType.COMMA:
            cuts.append(at)
    parts = [words[one + 1 : other] for one, other in pairwise([*cuts, end])]
    return tuple(sql[part[0].start : part[-1].end + 1] for part in parts if part)


def listed(text: str) -> tuple[str, ...]:
    """Split a list of expressions at its top-level commas; raises Refusal with E_PARSE."""
    words = _tokens(text)
    return at_commas(text, words, 0, len(words))


def _check_text(sql: str) -> None:
    """Refuse a text that is empty, too long or contains characters that SQL can't have."""
    if len(sql) > MAX_CHARACTERS:
        raise Refusal(Code.COMPLEX, f"The text is longer than {MAX_CHARACTERS:,} characters.", SHORTER, _at_end(sql))
    if not sql.strip():
        raise Refusal(Code.PARSE, "There is no question here.", "SELECT COUNT(*) FROM ...")
    if lone := _NO_TEXT.search(sql):
        raise Refusal(Code.PARSE, "This character can't stand in SQL.", "remove it", Span(*lone.span()))


def _at_end(sql: str) -> Span:
    """Span of the first character beyond the length limit."""
    return Span(MAX_CHARACTERS, min(len(sql), MAX_CHARACTERS + 1))


def _tokens(sql: str) -> list[Token]:
    """Tokenize a text by DuckDB's rules; an unclosed quote or comment is a refusal."""
    try:
        return DUCKDB.tokenize(sql)
    except SqlglotError:
        raise Refusal(
            Code.PARSE, "The text breaks off inside a quotation or comment.", "close every quote", _unclosed(sql)
        ) from None


def _unclosed(sql: str) -> Span | None:
    """Span of the quote or comment that is never closed."""
    for word in _LEXEME.finditer(sql):
        if word[0] in {"'", '"', "$"} or (word[0] == "/" and sql.startswith("/*", word.start())):
            return Span(word.start(), word.end())
    return None


def _check_single(sql: str, words: list[Token]) -> None:
    """Refuse more than one statement."""
    ends = [i for i, word in enumerate(words) if word.token_type is TokenType.SEMICOLON]
    if any(i < len(words) - 1 for i in ends):
        after = words[ends[0] + 1]
        why, first = "Only one statement at a time is answered.", sql[: words[ends[0]].start].strip()
        raise Refusal(
            Code.STMT, why, "send them one by one", place_of(after), suggested([first], "the first statement alone")
        )


def _check_quotes(sql: str, words: list[Token]) -> None:
    """Refuse identifiers in backticks, and suggest double quotes."""
    places = [word.start for word in words if word.token_type is TokenType.UNKNOWN and word.text == "`"]
    if places:
        made = "".join('"' if place in places else sign for place, sign in enumerate(sql))
        why = "Names stand in double quotes, or in none."
        raise Refusal(Code.PARSE, why, '"a name"', Span(places[0], places[0] + 1), suggested([made]))


def _check_numbers(words: list[Token]) -> None:
    """Refuse numbers such as 0x7fff: DuckDB reads hexadecimal, sqlglot a number with an alias."""
    for word, after in pairwise(words):
        if word.token_type is TokenType.NUMBER and after.token_type is TokenType.VAR and after.start == word.end + 1:
            span = Span(word.start, after.end + 1)
            raise Refusal(Code.PARSE, "A number is written in decimal digits.", "put a space before a name", span)


def _check_intervals(words: list[Token]) -> None:
    """Refuse INTERVAL '1 day ago': sqlglot reads only its first two words."""
    for word, after in pairwise(words):
        is_text = word.token_type is TokenType.INTERVAL and after.token_type is TokenType.STRING
        if is_text and not _INTERVAL.fullmatch(after.text):
            raise Refusal(Code.FUNC, "An interval is one constant and one unit.", "INTERVAL 15 MINUTE", place_of(after))


def _check_nesting(words: list[Token]) -> None:
    """Refuse too many tokens, or too many nested brackets, CASEs or prefix operators."""
    if len(words) > MAX_TOKENS:
        why = f"The question has more than {MAX_TOKENS:,} words."
        raise Refusal(Code.COMPLEX, why, SHORTER, place_of(words[MAX_TOKENS]))
    brackets = cases = prefixes = 0
    for word in words:
        brackets += (word.token_type in OPENERS) - (word.token_type in CLOSERS)
        cases += (word.token_type is TokenType.CASE) - (word.token_type is TokenType.END)
        prefixes = prefixes + 1 if word.token_type in _PREFIXES else 0
        if max(brackets, cases, prefixes) > MAX_NESTING:
            why = f"More than {MAX_NESTING} levels are nested here."
            raise Refusal(Code.COMPLEX, why, SHORTER, place_of(word))


def _check_joins(words: list[Token]) -> None:
    """Refuse many JOINs without their own condition: sqlglot backtracks, in time exponential in their number."""
    opened, waiting = 0, [False]  # per bracket level: does the last JOIN still lack its condition?
    for before, word in pairwise((words[0], *words)):
        if word.token_type in OPENERS:
            waiting.append(False)
        elif word.token_type in CLOSERS and len(waiting) > 1:
            waiting.pop()
        elif word.token_type in _GO_ON:
            opened += waiting[-1]
            waiting[-1] = word.token_type in _JOINS and before.token_type is not TokenType.CROSS
        elif word.token_type in _CONDITIONS:
            waiting[-1] = False
        if opened > MAX_OPEN_JOINS:
            why = f"More than {MAX_OPEN_JOINS} JOINs have no ON or USING right behind them."
            raise Refusal(Code.COMPLEX, why, "ON or USING behind each JOIN, or CROSS JOIN", place_of(word))
