"""Every pattern that is accepted compiles in the engine; what could raise, or grow without end, is refused."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialect.algebra.expressions import Literal
from dialect.catalog.model import SqlType
from dialect.functions.emitter import quote_literal
from dialect.functions.scalar.patterns import (
    MAX_STATES,
    escape_mistake,
    fill_mistake,
    pattern_mistake,
    replacement_mistake,
)

TEXTS = ("", "abc", "Zürich 7", "a\nb", "a-b_c", "x" * 300)
# pieces that put together are patterns, nearly patterns, and nonsense
PIECES = st.sampled_from(
    (*"abü-._ /,:'\"&~`%@#!<>=;", *"|()[]{}*+?^$\\", "\\d", "\\W", "\\b", "\\.", "\\(", "\\]", "\\A", "\\z", "\\n", "\\x41", "\\p",
     "\\Q", "(?:", "(?i)", "(?P<n>", "(?=", "[a-z]", "[^a]", "[[:alpha:]]", "[\\d.]", "[a\\-b]", "[]", "[z-a]", "{2}", "{2,}",
     "{2,3}", "{,3}", "{3,2}", "{1000}", "{1001}", "*?", "+?", "??", "\\1", "\\0", "\\8")
)  # fmt: skip
PATTERNS = st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=6)


def _text(value: str) -> str:
    return quote_literal(Literal(value, SqlType.VARCHAR))


def _run(database: duckdb.DuckDBPyConnection, call: str) -> None:
    values = ", ".join(f"({_text(text)})" for text in TEXTS)
    database.execute(f"SELECT {call} FROM (VALUES {values}) v(x)").fetchall()


@given(pattern=PATTERNS)
@example(pattern="(?i)(a|b){1,3}?c*$")
@example(pattern="a" * MAX_STATES)
def test_an_accepted_pattern_compiles(pattern: str, database: duckdb.DuckDBPyConnection) -> None:
    if pattern_mistake(pattern) is None and "\x00" not in pattern:
        _run(database, f"regexp_matches(x, {_text(pattern)})")
        _run(database, f"regexp_full_match(x, {_text(pattern)})")
        _run(database, f"regexp_extract(x, {_text(pattern)}, 9)")


@given(pattern=PATTERNS, rewrite=st.lists(st.sampled_from((*"ab\\$01239ü",)), max_size=5).map("".join))
def test_a_replacement_that_is_accepted_can_be_made(
    pattern: str, rewrite: str, database: duckdb.DuckDBPyConnection
) -> None:
    if replacement_mistake(pattern, rewrite) is None and "\x00" not in pattern:
        _run(database, f"regexp_replace(x, {_text(pattern)}, {_text(rewrite)}, 'g')")


@given(pattern=st.text("a%_$\\b", max_size=6), escape=st.sampled_from(("", "$", "\\", "%", "a", "ü", "ab")))
def test_an_escape_that_is_accepted_is_one(pattern: str, escape: str, database: duckdb.DuckDBPyConnection) -> None:
    if escape_mistake(pattern, escape) is None:
        _run(database, f"x LIKE {_text(pattern)} ESCAPE {_text(escape)}")
        _run(database, f"x ILIKE {_text(pattern)} ESCAPE {_text(escape)}")


ACCEPTED = (
    "",
    "a",
    "^P[1-5]$",
    "(?i)abc",
    "\\d{4}-\\d{2}",
    "[^a-zü]+",
    "(a|b)*?c",
    "\\bx\\b",
    "[\\d\\-.]+",
    "a{0,1000}",
    "\\.",
    "(?:ab){2,}",
)


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_usual_patterns_are_accepted(pattern: str) -> None:
    assert pattern_mistake(pattern) is None


REFUSED = (
    "(", ")", "[", "a**", "*a", "a{1001}", "(a{40}){40}", "a{3,2}", "[z-a]", "[]", "(?=a)", "(?P<n>a)", "a(?i)b", "\\1", "\\", "{2}",
    "[[:alpha:]]", "\\p{L}", "\\x41", "\\Z", "(" * 30 + ")" * 30, "a" * 1001, "^*", "\\b+", "a{,3}",
)  # fmt: skip


@pytest.mark.parametrize("pattern", REFUSED)
def test_others_are_refused_with_a_reason(pattern: str) -> None:
    refused = pattern_mistake(pattern)
    assert refused is not None and refused.why.endswith(".")


def test_an_engine_would_raise_without_the_check(database: duckdb.DuckDBPyConnection) -> None:
    """What is refused is refused for a reason: most of it does not compile."""
    raising = 0
    for pattern in REFUSED:
        try:
            _run(database, f"regexp_matches(x, {_text(pattern)})")
        except duckdb.Error:
            raising += 1
    assert raising > len(REFUSED) // 2


def test_an_empty_padding_text_is_refused() -> None:
    assert fill_mistake(5, "x") is None and fill_mistake(5, "")
