"""Calls of foreign dialects are rewritten for DuckDB, and the rewrites are answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Question
from dialect.errors import Code, Refusal, Span, Suggestion
from dialect.parser.suggestions.foreign_dialects import rewrite_call_at, to_duckdb
from dialect.parser.tokens import fill_placeholders

SHOWN = {
    "safe_divide(a, f(b, c))": "((a) / nullif(f(b, c), 0))",
    "DIV0(a, zeroifnull(b))": "CASE WHEN (coalesce(b, 0)) = 0 AND (a) IS NOT NULL THEN 0 ELSE (a) / nullif(coalesce(b, 0), 0) END",
    "ratio_to_report(n) OVER (ORDER BY d)": "1.0 * (n) / SUM(n) OVER (ORDER BY d)",
    "to_char(d, 'YYYY-MM-DD HH24:MI')": "strftime(d, '%Y-%m-%d %H:%M')",
    "to_char(n)": "CAST(n AS VARCHAR)",
    "format_date('%Y', d)": "strftime(d, '%Y')",
    "timestamp_diff(b, a, MINUTE)": "date_sub('minute', a, b)",
    "datediff(day, a, b)": "date_diff('day', a, b)",
    "date_diff('day', a, b)": "date_diff('day', a, b)",  # as DuckDB writes it
    "date_trunc(d, ISOWEEK)": "date_trunc('week', d)",
    "date_trunc('week', d)": "date_trunc('week', d)",
    "dateadd(month, 2, d)": "(d + INTERVAL 2 MONTH)",
    "dateadd(day, a - b, d)": "(d + INTERVAL (a - b) DAY)",
    "timestamp_sub(t, INTERVAL 1 HOUR)": "(t - INTERVAL 1 HOUR)",
    "time_slice(t, 15, 'MINUTE')": "time_bucket(INTERVAL 15 MINUTE, t)",
    "extract(ISOWEEK FROM d)": "week(d)",
    "extract(hour FROM d)": "extract(hour FROM d)",
    "isnull(a, 0)": "coalesce(a, 0)",
    "isnull(a)": "(a IS NULL)",
    "isnull()": "isnull()",
    "to_date(t)": "CAST(t AS DATE)",
    "to_date(a, b)": "to_date(a, b)",
    "to_date('2026-10-14', 'YYYY-MM-DD')": "DATE '2026-10-14'",
    "to_timestamp('2026-10-14 08:00:00.5', 'YYYY-MM-DD HH24:MI:SS.US')": "TIMESTAMP '2026-10-14 08:00:00.5'",
    "to_timestamp(n)": "to_timestamp(n)",
    "date_format(t, 'yyyy-MM-dd HH:mm')": "strftime(t, '%Y-%m-%d %H:%M')",
    "date_format(t, 'EEEE')": "strftime(t, '%A')",
    "DATE_FORMAT(t, '%Y-%m-%d %H:%i %M')": "strftime(t, '%Y-%m-%d %H:%M %B')",
    "date_format(t)": "date_format(t)",
    "date_sub('2026-10-14', INTERVAL 7 DAY)": "(DATE '2026-10-14' - INTERVAL 7 DAY)",
    "date_add(d, 3)": "(d + 3)",
    "date_sub('day', a, b)": "date_sub('day', a, b)",  # as DuckDB writes it
    "unix_timestamp(b) - unix_timestamp(a)": "epoch(b) - epoch(a)",
    "unix_timestamp()": "unix_timestamp()",
    "COUNT_BIG(*)": "count(*)",
    "percentile_approx(n, 0.9)": "quantile_cont(n, 0.9)",
    "datepart(hour, t)": "date_part('hour', t)",
    "date_part('hour', t)": "date_part('hour', t)",
    "dateadd(hour, datediff(hour, 0, t), 0)": "date_trunc('hour', t)",
    "dateadd(day, 6, '2026-03-09')": "(DATE '2026-03-09' + INTERVAL 6 DAY)",
    "dateadd(hour, 6, '2026-03-09 01:00')": "(TIMESTAMP '2026-03-09 01:00' + INTERVAL 6 HOUR)",
    "extract(DATE FROM t)": "CAST(t AS DATE)",
    "date(t, 'Europe/Vienna')": "CAST((t AT TIME ZONE 'Europe/Vienna') AS DATE)",
    "date(t)": "date(t)",
    "from_utc_timestamp(t, 'Europe/Vienna')": "((t AT TIME ZONE 'UTC') AT TIME ZONE 'Europe/Vienna')",
    "decode(a, 'x', 1, 'y', 2, 3)": "CASE a WHEN 'x' THEN 1 WHEN 'y' THEN 2 ELSE 3 END",
    "decode(a, 'x', 1)": "CASE a WHEN 'x' THEN 1 END",
    "decode(a)": "decode(a)",
    "datepart(weekday, t)": "(dayofweek(t) + 1)",
    "datename(weekday, t)": "dayname(t)",
    "datename(month, t)": "monthname(t)",
    "datename(year, t)": "CAST(date_part('year', t) AS VARCHAR)",
    "datename(t)": "datename(t)",
    "date_trunc(d, WEEK(MONDAY))": "date_trunc('week', d)",
    "trunc(d, 'MM')": "date_trunc('month', d)",
    "trunc(n, 2)": "trunc(n, 2)",  # as DuckDB writes it
    "window(t, '15 minutes')": "time_bucket(INTERVAL 15 MINUTE, t)",
    "window(t, d)": "window(t, d)",
    "range_bucket(n, [5, 15])": "CASE WHEN n < 5 THEN 0 WHEN n < 15 THEN 1 WHEN n >= 15 THEN 2 END",
    "range_bucket(n, ends)": "range_bucket(n, ends)",
    "convert(date, t)": "CAST(t AS date)",
    "to_date('2026-10-14', 'YYYY-DD-MM')": "to_date('2026-10-14', 'YYYY-DD-MM')",  # another day
    "date_format(t, '%D')": "date_format(t, '%D')",  # no such sign
    "time_slice(t, 15, 'MINUTE', 'END')": "time_slice(t, 15, 'MINUTE', 'END')",
    "convert(t USING utf8)": "convert(t USING utf8)",
    "size(a)": "len(a)",
    "dayofweekiso(t)": "isodow(t)",
    "format(t, 'yyyy-MM')": "strftime(t, '%Y-%m')",
    "format('{}', n)": "format('{}', n)",  # as DuckDB writes it
    "[Order Count].[a]": "[Order Count].a",
    "t.[a] + [b]": "t.a + b",
    "list[a] + '[b]' + unnest([1])": "list[a] + '[b]' + unnest([1])",
    "safe_divide(a)": "safe_divide(a)",  # too few
    "'safe_divide(a, b)'": "'safe_divide(a, b)'",  # text
    "safe_divide(a, 'it''s, so')": "((a) / nullif('it''s, so', 0))",
    "safe_divide(a, b": "safe_divide(a, b",
}
TAUGHT = {
    "SELECT cell_id, SAFE_DIVIDE(COUNT(*), COUNT(DISTINCT subscriber_id)) AS x FROM events GROUP BY 1": Code.FUNC,
    "SELECT DATE_TRUNC(ts, ISOWEEK) AS w, COUNT(*) FROM events WHERE ts >= '2026-10-05' AND ts < '2026-10-19' GROUP BY 1": Code.FUNC,
    "SELECT cell_id, RATIO_TO_REPORT(COUNT(*)) OVER () AS share FROM events GROUP BY 1": Code.WINDOW,
    "SELECT DATE_FORMAT(ts, 'yyyy-MM-dd') AS d, COUNT(*) FROM events WHERE ts >= '2026-10-05' AND ts < '2026-10-19' GROUP BY 1": Code.FUNC,
    "SELECT COUNT(*) FROM events WHERE ts >= DATE_SUB('2026-10-20', INTERVAL 7 DAY)": Code.FUNC,
    "SELECT PERCENTILE_APPROX(dwell_s, 0.5) FROM events": Code.FUNC,
    "SELECT TOP (3) cell_id, COUNT(*) AS n FROM events GROUP BY 1 ORDER BY n DESC": Code.FUNC,
    "SELECT EXTRACT(DATE FROM ts) AS d, COUNT(*) FROM events GROUP BY 1": Code.FUNC,
    "SELECT DATEADD(hour, DATEDIFF(hour, 0, ts), 0) AS h, COUNT(*) FROM events GROUP BY 1": Code.FUNC,
    "SELECT [cell_id], COUNT(*) AS n FROM [events] GROUP BY [cell_id]": Code.PARSE,
    "SELECT DAYOFWEEKISO(ts) AS d, COUNT(*) FROM events GROUP BY 1": Code.FUNC,
    "SELECT TOP 3 cell_id, COUNT(*) AS n FROM events GROUP BY 1 ORDER BY n DESC;": Code.PARSE,
}


@pytest.mark.parametrize("written", SHOWN)
def test_a_call_of_a_foreign_dialect_is_rewritten_for_duckdb(written: str) -> None:
    assert to_duckdb(f"SELECT {written} FROM t").sql == f"SELECT {SHOWN[written]} FROM t"


@pytest.mark.parametrize("what", ["ROLLUP", "cube"])
def test_keys_before_with_rollup_stand_in_brackets(refused: Callable[[str], Refusal], what: str) -> None:
    sql = "SELECT cell_id, hour(ts), COUNT(*) FROM events GROUP BY"
    found = refused(f"{sql} cell_id, hour(ts) WITH {what} ORDER BY 3 DESC")
    assert found.hint == f"{sql} {what} (cell_id, hour(ts)) ORDER BY 3 DESC"


def test_top_becomes_limit() -> None:
    assert to_duckdb("select top 3 a from t ; ").sql == "select a from t LIMIT 3"
    assert to_duckdb("SELECT TOP (3) a FROM t").sql == "SELECT a FROM t LIMIT 3"
    assert to_duckdb("SELECT topic FROM t").sql == "SELECT topic FROM t"
    of_one_side = "SELECT TOP 3 a FROM t UNION ALL SELECT b FROM u"
    assert to_duckdb(of_one_side).sql == of_one_side, "LIMIT would end the whole"


def test_the_call_at_a_place_is_shown_and_no_other() -> None:
    sql = "SELECT div0(a, b), zeroifnull(c), d"
    assert rewrite_call_at(sql, Span(sql.index("c)"), sql.index("c)") + 1)) == Suggestion("coalesce(c, 0)")
    assert rewrite_call_at(sql, Span(len(sql) - 1, len(sql))) is None


@pytest.mark.parametrize("sql", TAUGHT)
def test_a_rewritten_query_is_answered(sql: str, ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask(sql)
    assert (refused.value.code, refused.value.hint) == (TAUGHT[sql], str(to_duckdb(sql)))
    assert ask(refused.value.hint).plans


def test_all_rewrites_of_a_foreign_query_are_shown_at_once(ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask("SELECT AVG(TIMESTAMP_DIFF(ts + INTERVAL 1 MONTH, ts, MINUTE)) AS m FROM events")
    assert "LEAST(GREATEST(DATE_SUB('minute'" in refused.value.hint
    assert ask(fill_placeholders(refused.value.hint)).plans


def test_refusals_unrelated_to_foreign_dialects_are_unchanged(ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask("SELECT ZEROIFNULL(COUNT(*)) AS n, nothing FROM events")
    assert "nothing" not in refused.value.hint
    with pytest.raises(Refusal) as refused:
        ask("SELECT COUNT(*) FROM events WHERE cell_id > CURRENT_DATE")
    assert "written out" in refused.value.hint
