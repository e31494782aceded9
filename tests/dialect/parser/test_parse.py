"""Text becomes one syntax tree within limits, or a refusal: never anything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

import dialect
from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal
from dialect.parser.parser import parse
from dialect.parser.spans import span_of
from dialect.parser.tokens import MAX_CHARACTERS, MAX_NESTING
from tests.dialect.test_attacks import CASES

ACCEPTED = [sql for _, code, sql in CASES if code == "A" and len(sql) < 400]
WORDS = sorted({word for _, _, sql in CASES if len(sql) < 400 for word in sql.replace("(", " ( ").split()})


def _refused(sql: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse(sql)
    return caught.value


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("", Code.PARSE),
        ("  \n\t", Code.PARSE),
        ("-- only a comment", Code.PARSE),
        (";", Code.STMT),
        ("SELECT 'open", Code.PARSE),
        ("SELECT /* open", Code.PARSE),
        ("SELECT 1 FROM", Code.PARSE),
        ("SELECT (1", Code.PARSE),
        (")", Code.STMT),
        ("SELECT 1;;SELECT 2", Code.STMT),
        ("SELECT '\ud800'", Code.PARSE),
        ("SELECT 1 \x00", Code.PARSE),
        ("x" * (MAX_CHARACTERS + 1), Code.COMPLEX),
        ("SELECT " + "(" * (MAX_NESTING + 1), Code.COMPLEX),
        ("SELECT " + "CASE WHEN " * (MAX_NESTING + 1), Code.COMPLEX),
        ("SELECT COUNT(*) FROM events" + " JOIN cells" * 30, Code.COMPLEX),
        ("SELECT COUNT(*) FROM events e" + " LEFT JOIN cells AS c" * 30 + " ON true" * 30, Code.COMPLEX),
        ("SELECT 1 FROM a JOIN b" + " JOIN (SELECT 1 FROM a JOIN b" * 30 + " JOIN c" + ")" * 30, Code.COMPLEX),
        ("SELECT 1 FROM a JOIN b" + ", (SELECT 1 FROM a JOIN b" * 30 + ")" * 30, Code.COMPLEX),
        ("SELECT 1 FROM a" + " JOIN b ON TRUE" * 21, Code.COMPLEX),
        ("SELECT " + ", ".join(["COUNT(*)"] * 51), Code.COMPLEX),
        ("SELECT 1" + " + 1" * 130, Code.COMPLEX),
        ("SELECT x" + "::INT" * 130, Code.COMPLEX),
        ("SELECT x" + " IS NULL" * 130, Code.COMPLEX),
    ],
)
def test_a_text_that_is_no_query_is_refused(sql: str, code: Code) -> None:
    assert _refused(sql).code is code


def test_text_in_quotes_neither_opens_nor_closes_a_bracket() -> None:
    assert parse("SELECT '" + "(" * 100 + "' FROM t")
    deep = "SELECT " + "(')' || " * (MAX_NESTING + 1) + "1" + ")" * (MAX_NESTING + 1)
    assert _refused(deep).code is Code.COMPLEX


def test_an_end_that_closes_nothing_does_not_hide_nesting() -> None:
    assert _refused("SELECT f(END, " + "(END, " * (MAX_NESTING + 1)).code is Code.COMPLEX


@pytest.mark.parametrize(
    "nested", ["({})", "f({})", "[{}]", "CASE WHEN {} THEN 1 END", "a IN ({})", "EXISTS(SELECT {})"]
)
def test_a_query_just_within_the_limits_parses_quickly(nested: str) -> None:
    text = "1"
    for _ in range(MAX_NESTING - 1):
        text = nested.format(text)
    try:
        parse(f"SELECT {text}")
    except Refusal as refused:
        assert refused.code is Code.COMPLEX  # depth is counted too


def test_a_span_is_where_the_analyst_wrote_it() -> None:
    sql = "SELECT dwell + 1\nFROM events"
    span = span_of(next(parse(sql).find_all(exp.Column)))
    assert span is not None and sql[span.start : span.end] == "dwell"


def _reads_or_refuses(sql: str, catalog: Catalog) -> None:
    try:
        dialect.compile_query(sql, catalog)
    except Refusal as refused:
        assert refused.why and refused.hint and str(refused)
        if refused.span is not None:
            assert 0 <= refused.span.start < refused.span.end <= len(sql)


@given(sql=st.text(max_size=200))
def test_any_text_is_read_or_refused(sql: str, catalog: Catalog) -> None:
    _reads_or_refuses(sql, catalog)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes, catalog: Catalog) -> None:
    _reads_or_refuses("SELECT " + data.decode("latin-1"), catalog)


@given(words=st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words_are_read_or_refused(words: list[str], catalog: Catalog) -> None:
    _reads_or_refuses(" ".join(["SELECT", *words]), catalog)


@given(data=st.data())
def test_a_question_with_changed_words_is_read_or_refused(data: st.DataObject, catalog: Catalog) -> None:
    words = data.draw(st.sampled_from(ACCEPTED)).replace("(", " ( ").replace(")", " ) ").split()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(words)))
        words[place : place + data.draw(st.integers(0, 2))] = data.draw(st.lists(st.sampled_from(WORDS), max_size=2))
    _reads_or_refuses(" ".join(words), catalog)


def test_a_recursion_without_room_is_refused(catalog: Catalog, ask: Callable[[str], object]) -> None:
    def deeper(levels: int) -> None:
        if levels:
            deeper(levels - 1)
        else:
            _reads_or_refuses("SELECT " + "1 + " * 100 + "1", catalog)

    ask("SELECT 1")
    deeper(700)


def test_the_parser_logs_no_question(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        _refused("WITH x AS (CALL secret, dwell) SELECT 1")
    assert not caplog.records
