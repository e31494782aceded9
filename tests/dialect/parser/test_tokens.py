"""A text is split into tokens; comments and white space are dropped."""

from __future__ import annotations

import pytest

from dialect.errors import Code, Refusal
from dialect.parser.tokens import closing_bracket, split_list, strip_comments, tokenize


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("SELECT 1", "SELECT 1"),
        ("  /* mine */ SELECT\n  1 -- one\n, 2 ; -- end", "SELECT\n  1 , 2"),
        ("SELECT/**/1", "SELECT 1"),  # a comment parts words
        ("SELECT '--', '/* text */', \"a--b\", $$it's -- text$$, $q$;$q$", None),  # in quotes there are no comments
        ("SELECT 'it''s; so' AS \"a\"\"b\"", None),
    ],
)
def test_comments_are_left_out_and_nothing_else(sql: str, left: str | None) -> None:
    assert strip_comments(sql) == (sql if left is None else left)


def test_brackets_close_where_they_are_closed() -> None:
    words = tokenize("f(a, (b), [c])")
    assert words[closing_bracket(words, 1) or 0].end == 13
    assert closing_bracket(tokenize("((a)"), 0) is None


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("", Code.PARSE),
        ("-- nothing", Code.PARSE),
        ("SELECT 'a", Code.PARSE),
        ("SELECT 0x7f", Code.PARSE),
        ("SELECT 1; SELECT 2", Code.STMT),
        ("SELECT INTERVAL '1 day ago'", Code.FUNC),
        ("SELECT " + "(" * 41, Code.COMPLEX),
        ("SELECT 1" + ", 1" * 1_500, Code.COMPLEX),
    ],
)
def test_oversized_texts_are_refused_before_parsing(sql: str, code: Code) -> None:
    with pytest.raises(Refusal) as refused:
        tokenize(sql)
    assert refused.value.code is code


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("zone, hour(ts)", ("zone", "hour(ts)")),
        ("date_trunc('hour', ts) ,, zone = 'a, b'", ("date_trunc('hour', ts)", "zone = 'a, b'")),
        ("[1, 2], {'a': 1, 'b': 2}", ("[1, 2]", "{'a': 1, 'b': 2}")),
        ("", ()),
    ],
)
def test_a_list_is_split_at_its_top_level_commas(text: str, parts: tuple[str, ...]) -> None:
    assert split_list(text) == parts
