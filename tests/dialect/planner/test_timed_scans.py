"""Scans read the rows of charged windows, and say so in the SQL that a backend gets."""

from __future__ import annotations

from dialect import Target, bound_contributions, compile_query, generate_sql
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.dialect.windowed import CATALOGS, touched


def _sql(question: str) -> str:
    catalog = CATALOGS[PrivacyWindow.MONTH]
    (plan,) = compile_query(question, catalog).plans
    return generate_sql(
        plan, bound_contributions(plan, catalog, 1), Target({t.name: t.name for t in catalog.tables})
    ).text


def test_the_time_range_is_a_filter_of_the_scan() -> None:
    sql = _sql("SELECT COUNT(*) FROM visit WHERE day = '2026-02-10'")
    assert (
        "c2 >= CAST('2026-02-01 00:00:00' AS TIMESTAMP)" in sql
        and "c2 < CAST('2026-03-01 00:00:00' AS TIMESTAMP)" in sql
    )
    assert "timezone('Europe/Berlin'" in _sql("SELECT COUNT(*) FROM seen WHERE CAST(ts AS DATE) = '2026-02-10'")


def test_a_table_without_time_is_read_whole() -> None:
    assert "2026" not in _sql("SELECT COUNT(*) FROM person")


def test_a_row_without_time_has_the_window_of_the_first_on_its_path_that_has_one() -> None:
    assert touched("SELECT COUNT(*) FROM leg").windows == ("2026-01", "2026-02", "2026-03", "2026-04")
    sql = _sql("SELECT COUNT(*) FROM point WHERE began < '2026-02-01'")
    assert sql.count("2026-02-01 00:00:00") == 2  # the row, and the row that it names; a whole window is no condition


def test_declared_windows_are_a_list_of_days_and_months() -> None:
    for key in ("CAST(ts AS DATE)", "date_trunc('month', ts)", "date_trunc('week', ts)"):
        (plan,) = compile_query(f"SELECT {key}, COUNT(*) FROM seen GROUP BY 1", CATALOGS[PrivacyWindow.MONTH]).plans
        assert plan.key_set is not None and plan.key_set.is_exhaustive, key
