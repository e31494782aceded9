"""Properties of Spark's forms that need no Spark: every function has one or a reason, and constants stay constants."""

from __future__ import annotations

import re

import duckdb
import pytest

from dialect.algebra.expressions import Literal
from dialect.catalog.model import SqlType
from dialect.functions.emitter import SPARK, quote_for_spark, write_expr
from dialect.functions.registry import all_overloads
from dialect.functions.scalar.patterns import spark_glob, spark_like
from dialect.functions.signatures import NoForm, quote_spark_text
from tests.support.sql.form_samples import samples

PATTERNS = ("a%", "%b%", "a_c", "", "%", "%%", "_%_", "a\\%", "%a%c%", "a.c", "%ü", "[a]%", "(", "a%b%", "_")
GLOBS = (
    "a*",
    "a?c",
    "[aA]*",
    "*-*",
    "[!a]*",
    "[a",
    "[]a]",
    "[!]",
    "[a-]",
    "[c-a]",
    "[!c-a]",
    "[a-c-x]*",
    "a\\*",
    "a\\",
    "[^a]",
    "**b",
    "*.c",
)
TEXTS = (
    "",
    "a",
    "abc",
    "a.c",
    "-",
    "]",
    "^",
    "x",
    "!",
    "a*",
    "a\\",
    "ü",
    "Zürich",
    "aabbc",
    "a\nc",
    "[a]b",
    "(",
    "😀",
    "b",
)


def test_every_function_has_a_spark_form_or_a_reason_for_its_absence() -> None:
    rows = all_overloads()
    assert [row.row_name for row in rows if isinstance(row.spark, NoForm) and not row.spark.reason] == []
    assert sum(not isinstance(row.spark, NoForm) for row in rows) > 250


@pytest.mark.parametrize(
    "row", [row for row in all_overloads() if not isinstance(row.spark, NoForm)], ids=lambda row: row.row_name
)
def test_a_form_is_written_for_every_choice_of_constants(row) -> None:
    for sample in samples(row):
        assert "{" not in write_expr(sample.call(), SPARK)


@pytest.mark.parametrize("text", ["a'b", "\\", "\\'", "${system:user.home}", "{0}", "\x00", "'; --", "\\u0041"])
def test_a_constant_argument_is_written_as_a_constant(text: str) -> None:
    written = quote_for_spark(Literal(text, SqlType.VARCHAR))
    assert written == quote_spark_text(text)
    assert not re.search(r"[${}\x00]", written)
    assert re.fullmatch(r"'(?:[^'\\]|\\[\\']|\\u[0-9A-F]{4})*'", written)
    assert _read(written) == text


def _read(written: str) -> str:
    """Read a constant as Spark does."""
    return re.sub(
        r"\\(u([0-9A-F]{4})|.)", lambda found: chr(int(found[2], 16)) if found[2] else found[1], written[1:-1]
    )


@pytest.mark.parametrize(("name", "write", "patterns"), [("LIKE", spark_like, PATTERNS), ("GLOB", spark_glob, GLOBS)])
def test_a_pattern_means_what_it_means_in_duckdb(name: str, write, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for text in TEXTS:
            wanted = duckdb.execute(f"SELECT $1 {name} $2", [text, pattern]).fetchall()[0][0]
            assert _matches(write(pattern), text) is wanted, (text, pattern)


def test_a_pattern_with_an_escape_means_what_it_means_in_duckdb() -> None:
    for pattern, escape in (("a$%", "$"), ("a%%", "%"), ("$a_$$", "$"), ("\\", "$"), ("\\a%", "\\")):
        for text in (*TEXTS, "a%", "ab$", "\\"):
            wanted = duckdb.execute(f"SELECT $1 LIKE $2 ESCAPE '{escape}'", [text, pattern]).fetchall()[0][0]
            assert _matches(spark_like(pattern, escape), text) is wanted, (text, pattern)


def test_no_pattern_backtracks() -> None:
    assert _matches(spark_like("%a" * 30 + "b"), "a" * 5_000) is False


def _matches(form: str, text: str) -> bool:
    """Match as Java does; the constructs of these patterns mean the same in Python."""
    if "FALSE" in form:
        return False
    return re.search(_read(form.removeprefix("({0} RLIKE ")[:-1]).replace("\\z", "\\Z"), text) is not None
