"""A date in an unusual format suggests its unambiguous reading, or none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlglot import exp

from dialect import Question
from dialect.catalog.model import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.literals import iso_suggestion, parse_as

MEANT = {
    ("10.11.2026", "DATE"): "'2026-11-10'",
    ("1.2.2026 7:05", "TIMESTAMP"): "'2026-02-01 07:05:00'",
    ("1.2.2026 7:05", "DATE"): "'2026-02-01'",
    ("2026/10/9", "DATE"): "'2026-10-09'",
    ("20261010", "TIMESTAMP"): "'2026-10-10'",
    ("13/10/2026", "DATE"): "'2026-10-13'",
    ("10/13/2026", "DATE"): "'2026-10-13'",
    ("10-10-2026", "DATE"): "'2026-10-10'",
    ("10/11/2026", "DATE"): None,  # either of two days
    ("10.11.26", "DATE"): None,
    ("31.2.2026", "DATE"): None,
    ("2026-13-45", "DATE"): None,
    ("10.10.2026 25:00", "TIMESTAMP"): None,
    ("today", "DATE"): None,
    ("10.10.2026", "TIME"): None,
}


@pytest.mark.parametrize(("text", "kind"), MEANT)
def test_an_odd_date_format_is_read_only_if_it_is_unambiguous(text: str, kind: str) -> None:
    assert iso_suggestion(text, kind) == MEANT[text, kind]


@pytest.mark.parametrize(
    ("condition", "instead"),
    [
        ("ts > '10.10.2026'", "SELECT COUNT(*) FROM events WHERE ts > '2026-10-10'"),
        ("ts > DATE '10.10.2026'", "SELECT COUNT(*) FROM events WHERE ts > DATE '2026-10-10'"),
        ("ts > CAST('2026/10/10 03:00' AS TIMESTAMP)",
         "SELECT COUNT(*) FROM events WHERE ts > CAST('2026-10-10 03:00:00' AS TIMESTAMP)"),
        ("ts > '10/11/2026'", "TIMESTAMP 'YYYY-MM-DD HH:MM:SS'"),
        ("ts > DATE 'today'", "DATE 'YYYY-MM-DD'"),
    ],
)  # fmt: skip
def test_a_refused_date_suggests_its_unambiguous_reading(
    condition: str, instead: str, ask: Callable[[str], Question]
) -> None:
    with pytest.raises(Refusal) as refused:
        ask(f"SELECT COUNT(*) FROM events WHERE {condition}")
    assert (refused.value.code, refused.value.hint) == (Code.PARSE, instead)


def test_other_types_show_a_number() -> None:
    with pytest.raises(Refusal) as refused:
        parse_as("many", SqlType.BIGINT, exp.Null())
    assert refused.value.hint == "a number in digits"
