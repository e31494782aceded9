"""Clauses are read in SQL's order alone: DuckDB's parser judges which texts are in order."""

from __future__ import annotations

from functools import cache

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from dialect.errors import Refusal
from dialect.parser.clause_order import check_clause_order
from dialect.parser.parser import parse
from dialect.parser.tokens import tokenize

CLAUSES = (
    "FROM events",
    "FROM events a",
    "JOIN places p ON p.cell = a.cell_id",
    "LEFT OUTER JOIN places USING (cell)",
    "WHERE dwell_s > 1",
    "WHERE home IS DISTINCT FROM 'FROM x WHERE'",
    "WHERE dwell_s > 1, speed > 2",
    "GROUP BY home",
    "GROUP BY home, hour(ts)",
    "HAVING count(*) FILTER (WHERE dwell_s > 1) > 10",
    "WINDOW w AS (PARTITION BY home ORDER BY count(*))",
    "QUALIFY rank() OVER (ORDER BY count(*)) < 3",
    "ORDER BY count(*) DESC, home",
    "LIMIT 10",
    "OFFSET 5",
)
LISTS = ("count(*)", "home AS limit, count(*)", "extract(hour FROM ts) AS h", "string_agg(home ORDER BY ts)", "a.where")


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _duckdb_reads(sql: str) -> bool:
    try:
        _connection().extract_statements(sql)
    except duckdb.Error:
        return False
    return True


def _we_read(sql: str) -> bool:
    try:
        parse(sql)
    except Refusal:
        return False
    return True


def _in_order(sql: str) -> bool:
    try:
        check_clause_order(sql, tokenize(sql))
    except Refusal:
        return False
    return True


_words = st.lists(st.sampled_from(CLAUSES), max_size=5).map(" ".join)
_mostly = st.lists(st.sampled_from(CLAUSES), max_size=7, unique=True).map(
    lambda taken: " ".join(sorted(taken, key=CLAUSES.index))
)
_plain = st.builds("SELECT {} {}".format, st.sampled_from(LISTS), _words | _mostly)
_from_first = st.builds("{} SELECT {} {}".format, st.sampled_from(CLAUSES[:2]), st.sampled_from(LISTS), _words)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]), inner),
        st.builds("({}) {}".format, inner, _words),
        st.builds("SELECT count(*) FROM ({}) AS x {}".format, inner, _words),
        st.builds("WITH x AS ({}) {}".format, inner, _plain),
        st.builds("SELECT ({}) AS x {}".format, inner, _words),
        st.builds("SELECT count(*) FILTER (WHERE home IN ({})) {}".format, inner, _words),
    )


QUERIES = st.recursive(_plain | _from_first, _larger, max_leaves=4)


@given(QUERIES)
@settings(max_examples=500)
def test_what_duckdb_cannot_read_is_refused_and_nothing_else_is_for_its_order(sql: str) -> None:
    if _duckdb_reads(sql):
        assert _in_order(sql)
    else:
        assert not _we_read(sql)
