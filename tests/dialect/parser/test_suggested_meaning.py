"""Every suggestion means the same as the refused query, or states the difference: computed by plain DuckDB.

Calls of other engines stand beside their meaning in that engine, written in DuckDB; refused questions run in DuckDB as
they are, or as `IN_DUCKDB` reads them. A form, a text or a place that suggests and has no such check fails here.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest
from sqlglot import exp

from dialect.catalog.model import Catalog
from dialect.errors import Code, Suggestion
from dialect.functions.registry import callable_names
from dialect.parser.suggestions import aggregates as aggregate_refusals
from dialect.parser.suggestions import foreign_dialects
from dialect.parser.suggestions.foreign_dialects import CALL_REWRITES, to_duckdb
from dialect.parser.tokens import fill_placeholders
from dialect.stability.typed_calls import nearest_name
from tests.support.sql.plain import MACROS
from tests.support.sql.refusal_sites import below_dialect
from tests.support.sql.refused import followed, refusal_of
from tests.support.sql.sql_snapshots import snapshots
from tests.support.tree import ROOT

# a, b, n: numbers; s: text; p: the text of a pattern; t, u: times; d: a day; z: an instant; lon, lat: places
VALUES = """
CREATE TABLE v AS SELECT * FROM (VALUES
    (6, 4, 3, 'Mall of X', '^Mall', TIMESTAMP '2026-03-08 09:07:05.25', TIMESTAMP '2026-03-09 08:59:59', 13.4, 52.5, 1),
    (7, 0, 5, 'the Mall', '^Mall', TIMESTAMP '2026-12-31 23:59:59', TIMESTAMP '2027-01-01 00:00:01', 16.37, 48.2, 2),
    (NULL, 0, 15, 'a.b', 'a.b', TIMESTAMP '2026-01-31 12:30:00', TIMESTAMP '2026-02-28 12:30:00', 0.0, 0.0, 3),
    (5, NULL, 40, 'axb', 'a.b', TIMESTAMP '2024-02-29 00:00:00', TIMESTAMP '2026-03-01 00:00:00', 179.0, -10.0, 4),
    (-3, 2, NULL, NULL, 'x', NULL, TIMESTAMP '2026-03-01 06:00:00', 1.0, 2.0, 5)
) AS w(a, b, n, s, p, t, u, lon, lat, i)
"""
ROWS = "(SELECT *, CAST(t AS DATE) AS d, CAST(u AS DATE) AS e, t AT TIME ZONE 'UTC' AS z FROM v) ORDER BY i"
# the great circle of Snowflake and Presto, in kilometres, of (lat, lon, lat, lon)
KILOMETRES = (
    "2 * 6371 * asin(sqrt(pow(sin(radians(52 - lat) / 2), 2)"
    " + cos(radians(lat)) * cos(radians(52)) * pow(sin(radians(13 - lon) / 2), 2)))"
)
SUNDAY = "date_trunc('week', {} + INTERVAL 1 DAY) - INTERVAL 1 DAY"  # when a week begins in BigQuery and SQL Server
# form -> calls as another engine writes them, each beside its meaning there
FOREIGN: dict[str, dict[str, str]] = {
    "safe_divide": {"safe_divide(a, b - 0)": "CASE WHEN b <> 0 THEN a / b END"},
    "div0": {"div0(a, b)": "CASE WHEN b = 0 AND a IS NOT NULL THEN 0 WHEN b <> 0 THEN a / b END"},
    "div0null": {"div0null(a, b)": "CASE WHEN b IS NULL OR b = 0 THEN 0 ELSE a / b END"},
    "zeroifnull": {"zeroifnull(a)": "CASE WHEN a IS NULL THEN 0 ELSE a END"},
    "nullifzero": {"nullifzero(b)": "CASE WHEN b <> 0 THEN b END"},
    "ratio_to_report": {"ratio_to_report(n) OVER ()": "n / (SELECT sum(n) FROM v)"},
    "average": {"average(n) OVER ()": "sum(n) OVER () / count(n) OVER ()"},
    "dow": {"dow(t)": "isodow(t) % 7"},
    "isnull": {"isnull(a, 0)": "CASE WHEN a IS NULL THEN 0 ELSE a END", "isnull(a)": "a IS NULL"},
    "to_date": {"to_date(t)": "t::DATE", "to_date('2026-10-14', 'YYYY-MM-DD')": "DATE '2026-10-14'"},
    "to_timestamp": {"to_timestamp('2026-10-14 08:00', 'YYYY-MM-DD HH24:MI')": "TIMESTAMP '2026-10-14 08:00:00'"},
    "date_format": {
        "date_format(t, 'yyyy-MM-dd HH:mm:ss')": "left(t::VARCHAR, 19)",
        "date_format(t, 'EEEE d/M hh a')": "dayname(t) || ' ' || day(t) || '/' || month(t) || ' ' || strftime(t, '%I %p')",
        "date_format(t, '%H:%i %M %c')": "strftime(t, '%H') || ':' || lpad(minute(t)::VARCHAR, 2, '0') || ' ' || monthname(t) || ' ' || month(t)",
        "date_format(t, '%x-%v')": "isoyear(t) || '-' || lpad(weekofyear(t)::VARCHAR, 2, '0')",
    },
    "date_add": {"date_add(d, 3)": "d + 3", "date_add('hour', n, t)": "t + to_hours(n)"},
    "date_sub": {"date_sub(d, INTERVAL 7 DAY)": "d - INTERVAL 7 DAY"},
    "count_big": {"count_big(a) OVER ()": "4"},
    "unix_timestamp": {"unix_timestamp(t)": "floor(epoch(t))"},
    "percentile": {"percentile(n, 0.5) OVER ()": "10.0"},
    "percentile_approx": {"percentile_approx(n, 0.5) OVER ()": "5"},
    "approx_percentile": {"approx_percentile(n, 0.5) OVER ()": "5"},
    "datepart": {
        "datepart(weekday, t)": "CASE dayname(t) WHEN 'Sunday' THEN 1 WHEN 'Thursday' THEN 5 WHEN 'Saturday' THEN 7 END",
        "datepart(week, t)": "strftime(t, '%U')::INT + 1",
        "datepart(hh, t)": "hour(t)",
    },
    "date_part": {"date_part(month, t)": "month(t)"},
    "datename": {"datename(month, t)": "monthname(t)", "datename(dd, t)": "day(t)::VARCHAR", "datename(dw, t)": "dayname(t)"},
    "decode": {
        "decode(b, 0, 'none', NULL, 'unknown', 'some')": "CASE WHEN b IS NULL THEN 'unknown' WHEN b = 0 THEN 'none' ELSE 'some' END",
        "decode(a, b, 1)": "CASE WHEN a IS NOT DISTINCT FROM b THEN 1 END",
        "decode(b, 0, 'none', 4, 'four')": "CASE WHEN b = 0 THEN 'none' WHEN b = 4 THEN 'four' END",
    },
    "from_utc_timestamp": {"from_utc_timestamp(t, 'Asia/Tokyo')": "t + INTERVAL 9 HOUR"},
    "date": {"date(z, 'Asia/Tokyo')": "(t + INTERVAL 9 HOUR)::DATE"},
    "trunc": {"trunc(t, 'MM')": "make_timestamp(year(t), month(t), 1, 0, 0, 0)", "trunc(t, 'DAY')": SUNDAY.format("t")},
    "window": {"window(t, '15 minutes')": "epoch_ms(epoch_ms(t) // 900000 * 900000)", "window(t, '7 days')": "epoch_ms(epoch_ms(t) // 604800000 * 604800000)"},
    "range_bucket": {"range_bucket(n, [5, 15])": "CASE WHEN n IS NOT NULL THEN (n >= 5)::INT + (n >= 15)::INT END"},
    "convert": {"convert(int, a / 2)": "trunc(a / 2)", "convert(date, t)": "t::DATE", "convert(varchar, a)": "a::VARCHAR"},
    "size": {"size(string_split(s, ' '))": "CASE WHEN s IS NULL THEN -1 ELSE len(string_split(s, ' ')) END"},
    "dayofweekiso": {"dayofweekiso(t)": "1 + datediff('day', date_trunc('week', t), t)"},
    "format": {"format(t, 'yyyy-MM-dd')": "t::DATE::VARCHAR"},
    "to_char": {
        "to_char(t, 'YYYY-MM-DD HH24:MI:SS')": "left(t::VARCHAR, 19)",
        "to_char(t, 'Month')": "rpad(monthname(t), 9, ' ')",
        "to_char(t, 'DDD')": "lpad(dayofyear(t)::VARCHAR, 3, '0')",
        "to_char(t, 'IYYY')": "isoyear(t)::VARCHAR",
        "to_char(a)": "a::VARCHAR",
    },
    "format_date": {"format_date('%F', d)": "d::VARCHAR"},
    "format_timestamp": {"format_timestamp('%T', t)": "left(t::TIME::VARCHAR, 8)"},
    "format_datetime": {"format_datetime('%R', t)": "left(t::TIME::VARCHAR, 5)"},
    "timestamp_diff": {"timestamp_diff(u, t, HOUR)": "trunc(epoch(u - t) / 3600)"},
    "timestampdiff": {"timestampdiff(hour, t, u)": "trunc(epoch(u - t) / 3600)", "timestampdiff(day, t, u)": "u::DATE - t::DATE"},
    "datetime_diff": {"datetime_diff(u, t, DAY)": "u::DATE - t::DATE"},
    "date_diff": {"date_diff(e, d, WEEK)": f"epoch(({SUNDAY.format('e')}) - ({SUNDAY.format('d')})) / 604800", "date_diff(e, d, DAY)": "e - d"},
    "datediff": {"datediff(month, t, u)": "(year(u) - year(t)) * 12 + month(u) - month(t)", "datediff(u, t)": "u::DATE - t::DATE"},
    "timestamp_trunc": {"timestamp_trunc(t, HOUR)": "t::DATE + to_hours(hour(t))"},
    "datetime_trunc": {"datetime_trunc(t, WEEK(MONDAY))": "t::DATE - (isodow(t) - 1)::INT"},
    "date_trunc": {"date_trunc(d, WEEK)": SUNDAY.format("d"), "date_trunc(d, ISOWEEK)": "d - (isodow(d) - 1)::INT"},
    "dateadd": {
        "dateadd(month, 1, d)": "least(d + to_months(1), last_day(date_trunc('month', d) + to_months(1)))",
        "dateadd(hour, datediff(hour, 0, t), 0)": "t::DATE + to_hours(hour(t))",
        "dateadd(week, datediff(week, 0, t), 0)": "DATE '1900-01-01' + datediff('week', DATE '1899-12-25', t::DATE + 1)::INT * 7 - 7",
    },
    "timestampadd": {"timestampadd(minute, n, t)": "t + to_minutes(n)"},
    "timestamp_add": {"timestamp_add(t, INTERVAL 1 HOUR)": "t + to_hours(1)"},
    "datetime_add": {"datetime_add(t, INTERVAL 1 DAY)": "t + to_days(1)"},
    "timestamp_sub": {"timestamp_sub(t, INTERVAL 1 HOUR)": "t - to_hours(1)"},
    "datetime_sub": {"datetime_sub(t, INTERVAL 1 DAY)": "t - to_days(1)"},
    "add_months": {"add_months(e, 1)": "CASE WHEN e = last_day(e) THEN last_day(e + to_months(1)) ELSE e + to_months(1) END"},
    "time_slice": {
        "time_slice(t, 15, 'MINUTE')": "epoch_ms(epoch_ms(t) // 900000 * 900000)",
        "time_slice(t, 7, 'HOUR', 'START')": "epoch_ms(epoch_ms(t) // 25200000 * 25200000)",
    },
    "date_bin": {"date_bin('15 minutes', t, TIMESTAMP '2000-01-01')": "epoch_ms(epoch_ms(t) // 900000 * 900000)"},
    "make_interval": {"t + make_interval(mins => 90)": "t + to_minutes(90)", "t - make_interval(days := 2)": "t - to_days(2)"},
    "months_between": {"months_between(t, u)": "12 * (year(t) - year(u)) + month(t) - month(u) + (day(t) - day(u)) / 31"},
    **{f"tostartof{unit}": {f"tostartof{unit}(t)": f"date_trunc('{unit}', t)"} for unit in ("minute", "hour", "day")},
    "tostartofmonth": {"tostartofmonth(t)": "t::DATE - (day(t)::INT - 1)"},
    "tostartofquarter": {"tostartofquarter(t)": "make_date(year(t), (month(t) - 1) // 3 * 3 + 1, 1)"},
    "tostartofyear": {"tostartofyear(t)": "make_date(year(t), 1, 1)"},
    "tostartoffifteenminutes": {"tostartoffifteenminutes(t)": "epoch_ms(epoch_ms(t) // 900000 * 900000)"},
    "tomonday": {"tomonday(t)": "t::DATE - (isodow(t)::INT - 1)"},
    "toyyyymm": {"toyyyymm(t)": "year(t) * 100 + month(t)"},
    "sumif": {"sumif(n, b > 0) OVER ()": "sum(CASE WHEN b > 0 THEN n END) OVER ()"},
    "avgif": {"avgif(n, b > 0) OVER ()": "avg(CASE WHEN b > 0 THEN n END) OVER ()"},
    "uniq": {"uniq(b) OVER ()": "3"},
    "uniqexact": {"uniqexact(b) OVER ()": "3"},
    "extract": {"extract(ISOWEEK FROM t)": "strftime(t, '%V')::INT", "extract(DATE FROM t)": "t::DATE"},
    "generate_date_array": {
        "generate_date_array('2026-10-01', '2026-10-03')": "[TIMESTAMP '2026-10-01', TIMESTAMP '2026-10-02', TIMESTAMP '2026-10-03']",
        "generate_date_array(DATE '2026-10-01', DATE '2026-10-03', INTERVAL 2 DAY)": "[TIMESTAMP '2026-10-01', TIMESTAMP '2026-10-03']",
    },
    "regexp_contains": {"regexp_contains(s, '^Mall')": "starts_with(s, 'Mall')", "regexp_contains(s, 'a.b')": "s LIKE '%a_b%'"},
    "regexp_like": {"regexp_like(s, 'Mall')": "s = 'Mall'", "regexp_like(s, '^Mall')": "starts_with(s, 'Mall')"},
    **{form: {f"{form}(lat, lon, 52, 13)": KILOMETRES} for form in ("haversine", "great_circle_distance")},
}  # fmt: skip
# a refused question that DuckDB does not read either -> what it means there, in other words than the suggestion's
IN_DUCKDB: dict[str, str] = {
    "SELECT COUNT(*) FROM events WHERE ts LIKE '2026-10-02%'": "SELECT COUNT(*) FROM events WHERE ts::VARCHAR LIKE '2026-10-02%'",
    "SELECT COUNT(*) FROM events WHERE ts > '2026/10/03'": "SELECT COUNT(*) FROM events WHERE ts > make_date(2026, 10, 3)",
    "SELECT COUNT(*) FROM events WHERE ts > '13.10.2026'": "SELECT COUNT(*) FROM events WHERE ts > make_date(2026, 10, 13)",
    "SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id WITH ROLLUP": "SELECT cell_id, COUNT(*) FROM events GROUP BY GROUPING SETS ((cell_id), ())",
    'SELECT COUNT(*) FROM subscribers WHERE gender IN ("f", "m")': "SELECT COUNT(*) FROM subscribers WHERE gender = 'f' OR gender = 'm'",
    'SELECT COUNT(*) AS "gender", gender AS "g" FROM subscribers WHERE gender = "f" OR gender IN ("m") GROUP BY "g"': "SELECT COUNT(*), gender FROM subscribers WHERE gender <> 'x' GROUP BY ALL",
    "SELECT `cell_id`, COUNT(*) FROM `main.events` GROUP BY `cell_id`": "SELECT cell_id, COUNT(*) FROM events GROUP BY ALL",
    "SELECT toStartOfHour(ts) AS h, sumIf(dwell_s, cell_id = 1) AS s FROM events GROUP BY h": "SELECT time_bucket(INTERVAL 1 HOUR, ts), SUM(CASE WHEN cell_id = 1 THEN dwell_s END) FROM events GROUP BY 1",
    "SELECT TRUNC(ts) AS day, COUNT(*) AS n FROM events GROUP BY TRUNC(ts)": "SELECT make_date(year(ts), month(ts), day(ts)), COUNT(*) FROM events GROUP BY ALL",
    "SELECT * FROM (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id ORDER BY n DESC, cell_id) WHERE ROWNUM < 4": "SELECT * FROM (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id) QUALIFY row_number() OVER (ORDER BY n DESC, cell_id) <= 3",
    "SELECT COUNT_IF(dwell_s) FROM events": "SELECT COUNT(*) FROM events WHERE dwell_s::BOOLEAN",
    "SELECT COUNT_IF(age) FROM subscribers": "SELECT COUNT(*) FROM subscribers WHERE age::BOOLEAN",
    "SELECT cell_id, COUNT(*) AS n FROM events GROUP BY cell_id WHERE dwell_s > 60": "FROM events SELECT cell_id, COUNT_IF(dwell_s > 60) AS n GROUP BY ALL HAVING n > 0",
    "SELECT zone, COUNT(*) AS n FROM events e WHERE e.dwell_s > 60 LEFT JOIN cells c ON c.cell_id = e.cell_id GROUP BY zone": "SELECT zone, COUNT(*) FROM (SELECT * FROM events WHERE dwell_s > 60) LEFT JOIN cells USING (cell_id) GROUP BY zone",
    "SELECT cell_id, COUNT(*) AS n LIMIT 10 FROM events ORDER BY n HAVING COUNT(*) > 10 GROUP BY cell_id": "SELECT * FROM (SELECT cell_id, COUNT(*) AS n FROM events GROUP BY ALL) WHERE n > 10 ORDER BY n LIMIT 10",
    "SELECT COUNT(*) AS n FROM events WHERE dwell_s > 60 WHERE cell_id = 1 OR cell_id = 2": "SELECT COUNT(*) FROM (SELECT * FROM events WHERE dwell_s > 60) WHERE cell_id IN (1, 2)",
    "SELECT COUNT(*) AS n FROM events WHERE dwell_s > 60, cell_id = 1": "SELECT COUNT(*) FROM (SELECT * FROM events WHERE dwell_s > 60) WHERE cell_id = 1",
    "SELECT COUNT(*) AS n FROM events UNION ALL WITH e AS (SELECT * FROM events) SELECT COUNT(*) FROM e": "SELECT unnest([n, n]) FROM (SELECT COUNT(*) AS n FROM events)",
    "SELECT COUNT(*) FROM subscribers WHERE gender == 'f' && age > 30": "SELECT COUNT_IF(age > 30) FROM subscribers WHERE gender = 'f'",
    "SELECT gender, COUNT(*) AS n FROM subscribers WHERE n > 100 GROUP BY 1": "SELECT * FROM (SELECT gender, COUNT(*) AS n FROM subscribers GROUP BY 1) WHERE n > 100",
    "SELECT COUNT(*) FROM subscribers WHERE gender = F": "SELECT COUNT(*) FROM subscribers WHERE gender LIKE 'F'",
    "SELECT COUNT(*) FROM subscribers WHERE regexp_contains(home_zone, '^Z')": "SELECT COUNT(*) FROM subscribers WHERE starts_with(home_zone, 'Z')",
    "SELECT COUNT(*) FROM events WHERE ts >= DATE_SUB('2026-10-20', INTERVAL 7 DAY)": "SELECT COUNT(*) FROM events WHERE ts >= DATE '2026-10-13'",
    "SELECT COUNT(*) FROM (SELECT row_number(dwell_s) OVER (PARTITION BY subscriber_id ORDER BY ts) AS p FROM events) WHERE p > 1": "SELECT COUNT(*) FROM (SELECT row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) AS p FROM events) WHERE p > 1",
    "SELECT COUNT(*, contribution_bound_per_group => (0, 1)) FROM events": "SELECT COUNT(*) FROM events",
}  # fmt: skip
BOUNDS = re.compile(r", contribution_bounds_per_group => \(\d+, \d+\)")  # of privacy, and not of what is counted
# aggregates that the dialect has not, whose text in another aggregate's place means the same
AGGREGATES = {
    "CORR({0}, {1}) * CORR({0}, {1})": "regr_r2({0}, {1})",
    "COUNT(*) FILTER (WHERE {0} IS NOT NULL AND {1} IS NOT NULL)": "regr_count({0}, {1})",
    "AVG({1}) FILTER (WHERE {0} IS NOT NULL AND {1} IS NOT NULL)": "regr_avgx({0}, {1})",
    "AVG({0}) FILTER (WHERE {0} IS NOT NULL AND {1} IS NOT NULL)": "regr_avgy({0}, {1})",
    "CAST({0} AS INT)": "CASE WHEN {0} THEN 1 WHEN NOT ({0}) THEN 0 END",
}


@pytest.fixture(scope="module")
def values() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"SET TimeZone = 'UTC'; {MACROS.read_text(encoding='utf-8')}; {VALUES}")
        yield connection


def answers(connection: duckdb.DuckDBPyConnection, expression: str) -> list[object]:
    rows = connection.execute(f"SELECT {expression} FROM {ROWS}").fetchall()
    return [round(value, 6) if isinstance(value, float) else value for (value,) in rows]


def mismatches(connection: duckdb.DuckDBPyConnection, form: str) -> list[str]:
    """Calls whose suggestion means something else and states no difference."""
    wrong = []
    for call, meaning in FOREIGN[form].items():
        suggestion = to_duckdb(call)
        assert suggestion.sql != call, f"{call} is left as it is"
        computed, meant = (_comparable(answers(connection, text)) for text in (suggestion.sql, meaning))
        if computed != meant and not suggestion.difference:
            wrong.append(f"{call} -> {suggestion.sql}: {computed}, not {meant}")
    return wrong


def _comparable(values: list[object]) -> list[object]:
    """A day is the midnight it begins with; a number is compared by value."""
    return [
        f"{value} 00:00:00" if type(value).__name__ == "date" else str(value) if hasattr(value, "year") else value
        for value in values
    ]


@pytest.mark.parametrize("form", CALL_REWRITES)
def test_a_call_of_another_engine_means_the_same_or_states_what_differs(
    form: str, values: duckdb.DuckDBPyConnection
) -> None:
    assert mismatches(values, form) == []


def test_every_form_has_its_meaning_in_its_own_engine() -> None:
    assert set(FOREIGN) == set(CALL_REWRITES)
    assert [call for form, calls in FOREIGN.items() for call in calls if f"{form}(" not in call] == []


def test_arguments_in_another_order_would_be_found(
    values: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = foreign_dialects._template("(haversine_m({0}, {1}, {2}, {3}) / 1000)")
    monkeypatch.setitem(CALL_REWRITES, "haversine", swapped)
    monkeypatch.setitem(CALL_REWRITES, "regexp_contains", foreign_dialects._template("contains({0}, {1})"))
    assert mismatches(values, "haversine") and mismatches(values, "regexp_contains")


def test_a_function_of_another_engine_is_no_misspelling(values: duckdb.DuckDBPyConnection) -> None:
    of_duckdb = {name for (name,) in values.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()}
    foreign = {name.lower() for name in exp.FUNCTION_BY_NAME} | of_duckdb | set(CALL_REWRITES)
    there = {
        *callable_names(),
        "avg",
        "count",
        "count_if",
        "max",
        "median",
        "min",
        "quantile_cont",
        "stddev",
        "sum",
        "variance",
    }
    assert len(foreign) > 1_000
    assert {name: near for name in foreign - there if (near := nearest_name(name)) not in (None, name)} == {}
    assert (nearest_name("lenght"), nearest_name("coun"), nearest_name("haversin_m")) == (
        "length",
        "count",
        "haversine_m",
    )


def test_every_text_in_an_aggregate_s_place_states_what_it_is(values: duckdb.DuckDBPyConnection) -> None:
    same = [text for text, differs in aggregate_refusals._DIFFERENCES.items() if not differs]
    assert set(same) <= set(AGGREGATES) | {"{0} <> 0", "CAST({0} AS VARCHAR), ','"}
    used = {text for *_, instead in aggregate_refusals._SUGGESTIONS.values() for text in instead}
    assert used <= set(aggregate_refusals._DIFFERENCES)
    for text, meant in AGGREGATES.items():
        given = ("a > 0",) if "INT" in text else ("a", "n")
        one, other = (values.execute(f"SELECT {each.format(*given)} FROM v").fetchall() for each in (text, meant))
        assert one == other, text


def refused_questions() -> list[str]:
    return [*(case.sql for file in ("read__refused", "refusals") for case in snapshots(file)), *IN_DUCKDB]


def unlike(sql: str, catalog: Catalog, database: duckdb.DuckDBPyConnection) -> str | None:
    """How a suggestion without a stated difference answers otherwise than the refused query."""
    refusal = refusal_of(sql, catalog)
    sent = None if refusal is None else followed(sql, refusal)
    if refusal is None or sent is None or " -- " in refusal.hint or sent.upper().startswith(("SHOW", "DESCRIBE")):
        return None
    try:
        meant = database.execute(IN_DUCKDB.get(sql, sql)).fetchall()
    except duckdb.Error as error:
        return f"{sql}: DuckDB does not read it either, and IN_DUCKDB has no meaning of it: {str(error)[:80]}"
    try:
        given = database.execute(BOUNDS.sub("", sent)).fetchall()
    except duckdb.Error as error:
        return f"{sql} -> {sent}: {str(error)[:80]}"
    return None if sorted(map(repr, given)) == sorted(map(repr, meant)) else f"{sql} -> {sent}: {given} not {meant}"


def test_a_suggested_query_answers_the_refused_one_or_states_the_difference(
    catalog: Catalog, database: duckdb.DuckDBPyConnection
) -> None:
    assert [found for sql in refused_questions() if (found := unlike(sql, catalog, database)) is not None] == []


_MAKERS = ("Suggestion", "suggested")


def unstated() -> set[tuple[str, int]]:
    """Find every call in the dialect that makes suggestions without a difference: file and line."""
    found = set()
    for path in sorted((ROOT / "dialect").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in _MAKERS:
                continue
            if len(node.args) + len(node.keywords) == 1:
                found.add((below_dialect(path), node.lineno))
    return found


@contextmanager
def made() -> Iterator[set[tuple[str, int]]]:
    """Note from where suggestions are made meanwhile."""
    noted: set[tuple[str, int]] = set()
    plain = Suggestion.__init__

    def noting(self: Suggestion, sql: str, differs: str = "") -> None:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.endswith("errors.py"):
            frame = frame.f_back
        noted.add((below_dialect(frame.f_code.co_filename), frame.f_lineno))
        plain(self, sql, differs)

    Suggestion.__init__ = noting  # type: ignore[method-assign]
    try:
        yield noted
    finally:
        Suggestion.__init__ = plain  # type: ignore[method-assign]


def test_every_suggestion_without_a_stated_difference_is_checked_on_duckdb(
    catalog: Catalog, values: duckdb.DuckDBPyConnection
) -> None:
    with made() as noted:
        for sql in refused_questions():
            refusal_of(sql, catalog)
        for form in CALL_REWRITES:
            mismatches(values, form)
    assert len(unstated()) > 10
    assert sorted(unstated() - noted) == [], "add a question that is refused there to tests/sql/refusals.sql"


def test_a_suggestion_with_a_placeholder_is_refused_until_it_is_edited(catalog: Catalog) -> None:
    refused = refusal_of("SELECT AVG(lon) FROM events", catalog)
    assert refused is not None and "YOUR_MIN" in refused.hint and "YOUR_MAX" in refused.hint
    unedited = refusal_of(refused.hint, catalog)
    assert unedited is not None and unedited.code is Code.PARAM
    assert unedited.why == "YOUR_MIN stands for a number that you choose."
    assert refusal_of(fill_placeholders(refused.hint), catalog) is None
    assert refusal_of("SELECT COUNT(*) FROM subscribers WHERE home_zone = 'YOUR_MIN'", catalog) is None, "text is none"


RECURSIVE = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r"


def test_recursion_is_not_suggested_again(catalog: Catalog) -> None:
    refused = refusal_of(RECURSIVE, catalog)
    assert refused is not None and "WITHOUT" not in refused.hint.upper() and "range(24)" in refused.hint


def test_a_hint_to_leave_something_out_names_text_of_the_query(catalog: Catalog) -> None:
    of_parts = ("SELECT COUNT(last_day(ts, 'x')) FROM events", "SELECT COUNT(month(ts, 'x')) FROM events")
    left_out = [
        (sql, refusal.hint.removeprefix("leave ").removesuffix(" out").removeprefix("this form of "))
        for sql in (*refused_questions(), *of_parts)
        if (refusal := refusal_of(sql, catalog)) is not None and refusal.hint.startswith("leave ")
    ]
    assert len(left_out) > 5
    spoken = ("RECURSIVE", "them", "it out", "radius_m", "FOR UPDATE", "AT ")
    assert [
        pair for pair in left_out if pair[1].lower() not in pair[0].lower() and not pair[1].startswith(spoken)
    ] == []
