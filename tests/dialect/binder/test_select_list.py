"""Names, groups, order and slices mean what they mean in DuckDB: asked of public tables, where answers are exact."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.codegen.outer_query import write_outer_query
from dialect.errors import Code, Refusal
from dialect.postprocess.question import Question
from tests.support.sql.sql_cases import SqlCase, sql_cases

Rows = list[tuple[object, ...]]


def _same_rows(ours: Rows, theirs: Rows) -> bool:
    return len(ours) == len(theirs) and all(
        len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(ours, theirs, strict=True)
    )


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and other is not None:
        return abs(one - float(other)) < 1e-9  # type: ignore[arg-type]
    return one == other


@pytest.mark.parametrize("case", sql_cases("public"), ids=lambda case: case.title)
def test_a_public_answer_is_duckdbs(
    case: SqlCase, ask: Callable[[str], Question], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    question = ask(case.sql)
    assert not question.plans
    ours = database.execute(write_outer_query(question, {}, target).text).fetchall()
    theirs = database.execute(case.sql).fetchall()
    if "ORDER BY" not in case.sql.upper():
        ours, theirs = sorted(ours, key=repr), sorted(theirs, key=repr)
    assert _same_rows(ours, theirs), (ours, theirs)


@pytest.mark.parametrize(
    ("code", "sql"),
    [
        (Code.KEY, "SELECT h, COUNT(*) FROM hours"),
        (Code.KEY, "SELECT *, COUNT(*) FROM hours GROUP BY h % 2"),
        (Code.KEY, "SELECT COUNT(*) FROM hours GROUP BY 2"),
        (Code.KEY, "SELECT COUNT(*) FROM hours GROUP BY 0"),
        (Code.KEY, "SELECT h, COUNT(*) FROM hours GROUP BY ()"),
        (Code.KEY, "SELECT GROUPING(h + 1) FROM hours GROUP BY ROLLUP (h)"),
        (Code.AGG, "SELECT SUM(GROUPING(h)) FROM hours GROUP BY ROLLUP (h)"),
        (Code.KEY, "SELECT COUNT(*) FROM hours GROUP BY ((h, h), h)"),
        (Code.KEY, "SELECT COUNT(*) FROM hours HAVING h > 1"),
        (Code.KEY, "SELECT h FROM hours GROUP BY h % 2"),
        (Code.AGG, "SELECT COUNT(*) FROM hours GROUP BY 1"),
        (Code.AGG, "SELECT h FROM hours GROUP BY COUNT(*)"),
        (Code.AGG, "SELECT h FROM hours WHERE COUNT(*) > 1"),
        (Code.AGG, "SELECT SUM(COUNT(*)) FROM hours"),
        (Code.AGG, "SELECT h FROM hours ORDER BY COUNT(*)"),
        (Code.AGG, "SELECT MAX(h, 2) FROM hours"),
        (Code.COLUMN, "SELECT h + 1 AS x, COUNT(*) AS n FROM hours WHERE n > 1 GROUP BY x"),
        (Code.COLUMN, "SELECT h FROM hours ORDER BY 2"),
        (Code.COLUMN, "SELECT h FROM hours ORDER BY 0"),
        (Code.COLUMN, "SELECT DISTINCT h FROM hours ORDER BY h + 1"),
        (Code.COLUMN, "SELECT h FROM hours a JOIN hours b ON a.h = b.h"),
        (Code.COLUMN, "SELECT x FROM hours AS t(x, y)"),
        (Code.COLUMN, "SELECT rowid FROM hours"),
        (Code.COLUMN, "SELECT t.x FROM hours AS t"),
        (Code.TABLE, "SELECT hours.h FROM hours AS t"),
        (Code.TABLE, "SELECT t.* FROM hours"),
        (Code.TABLE, "SELECT *"),
        (Code.TABLE, "SELECT 1 FROM hours JOIN hours USING (h)"),
        (Code.COLUMN, "SELECT * EXCLUDE (h) FROM hours"),
        (Code.COLUMN, "SELECT * EXCLUDE (x) FROM hours"),
        (Code.COLUMN, "SELECT * REPLACE (1 AS x) FROM hours"),
        (Code.COLUMN, "SELECT * RENAME (x AS h) FROM hours"),
        (Code.ROWS, "SELECT DISTINCT ON (h) h FROM hours"),
        (Code.TABLE, "SELECT h FROM (hours)"),
        (Code.JOIN, "SELECT a.h FROM (hours a JOIN hours b USING (h)) AS x"),
        (Code.TABLE, "SELECT h FROM hours a JOIN (hours b JOIN hours a ON TRUE) ON TRUE"),
        (Code.JOIN, "SELECT 1 FROM hours a JOIN (hours b JOIN hours c USING (h)) ON a.h = b.h"),
        (Code.ROWS, "SELECT COUNT(*) + * FROM hours"),
        (Code.ROWS, "SELECT DISTINCT ON (h) h FROM hours"),
        (Code.PARAM, "SELECT h FROM hours LIMIT (SELECT 1)"),
        (Code.PARAM, "SELECT h FROM hours LIMIT 10%"),
        (Code.PARAM, "SELECT h FROM hours LIMIT 1.5"),
        (Code.PARAM, "SELECT h FROM hours LIMIT -1"),
        (Code.PARAM, "SELECT h FROM hours LIMIT 99999999999999999999"),
        (Code.PARAM, "SELECT h FROM hours OFFSET '1'"),
        (Code.PARAM, "SELECT h FROM hours FETCH FIRST 3 PERCENT ROWS ONLY"),
        (Code.PARAM, "SELECT h FROM hours ORDER BY h FETCH FIRST 3 ROWS WITH TIES"),
        (Code.PARAM, "SELECT h FROM hours LIMIT 3 PERCENT"),
        (Code.STMT, "SELECT h FROM hours FOR UPDATE"),
        (Code.STMT, "SELECT h INTO x FROM hours"),
        (Code.STMT, "(SELECT h FROM hours) LIMIT 3"),
        (Code.STMT, "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT * FROM a"),
        (Code.COLUMN, "WITH a(x, y) AS (SELECT 1) SELECT x FROM a"),
        (Code.FUNC, "WITH unused AS (SELECT random()) SELECT COUNT(*) FROM hours"),
        (Code.FUNC, "WITH unused AS (SELECT random()), b AS (SELECT 1 AS x) SELECT x FROM b"),
        (Code.FUNC, "SELECT h FROM hours WHERE h"),
        (Code.FUNC, "SELECT h FROM hours WHERE 'x'"),
        (Code.JOIN, "SELECT COUNT(*) FROM hours a LEFT JOIN hours b"),
        (Code.JOIN, "SELECT COUNT(*) FROM hours a CROSS JOIN hours b ON a.h = b.h"),
        (Code.JOIN, "SELECT COUNT(*) FROM hours a JOIN cells b ON a.h = b.cell_id NATURAL JOIN hours"),
        (Code.JOIN, "SELECT COUNT(*) FROM (SELECT zone AS h FROM cells) a JOIN hours USING (h)"),
    ],
)
def test_syntax_with_another_meaning_in_duckdb_is_refused(
    code: Code, sql: str, refused: Callable[[str], Refusal]
) -> None:
    assert refused(sql).code is code


def test_shown_columns_have_names_of_their_own(ask: Callable[[str], Question]) -> None:
    question = ask("SELECT h, h, h AS h_1, COUNT(*), 1 + 1 FROM hours GROUP BY h")
    assert [shown.name for shown in question.columns] == ["h", "h_1", "h_1_1", "count_star()", "1 + 1"]


def test_a_lock_is_named_as_it_is_written(ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal, match=r"FOR UPDATE is not part of the dialect here\. Try: leave FOR UPDATE out"):
        ask("SELECT COUNT(*) FROM events FOR UPDATE")
