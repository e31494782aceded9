"""Statements other than SELECT are parsed, or refused with a valid one."""

from __future__ import annotations

import pytest

import dialect
from dialect import Code, Describe, ExplainPrivacy, Listing, Refusal, Show


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        ("SHOW TABLES", Show(Listing.TABLES)),
        ("  show\nbudget ;", Show(Listing.BUDGET)),
        ("-- mine\nSHOW RELEASES", Show(Listing.RELEASES)),
        ("SHOW FUNCTIONS", Show(Listing.FUNCTIONS)),
        ("SHOW FUNCTIONS LIKE '%date%'", Show(Listing.FUNCTIONS, "%date%")),
        ("show tables ilike 'v_sit'", Show(Listing.TABLES, "v_sit")),
        ("DESCRIBE visit", Describe("visit")),
        ('DESC "visit"', Describe("visit")),
        ("EXPLAIN PRIVACY SELECT 1", ExplainPrivacy("                SELECT 1")),
        ("SELECT 1", None),
        ("FROM t SELECT 1", None),
        ("DROP TABLE t", None),  # a question, and refused as one
    ],
)
def test_a_statement_is_read(sql: str, meant: object) -> None:
    assert dialect.parse_statement(sql) == meant


@pytest.mark.parametrize(
    "sql", ["SHOW", "SHOW ALL", "SHOW TABLES FROM x", "SHOW BUDGET LIKE 'x'", "SHOW FUNCTIONS LIKE", "SHOW FUNCTIONS LIKE x", "DESCRIBE", "DESCRIBE SELECT 1", "EXPLAIN SELECT 1", "EXPLAIN PRIVACY", "SHOW TABLES; SHOW TABLES"]
)  # fmt: skip
def test_others_are_refused(sql: str) -> None:
    with pytest.raises(Refusal) as caught:
        dialect.parse_statement(sql)
    assert caught.value.code is Code.STMT and caught.value.hint and caught.value.span is not None
