"""Natural limits of columns: exact answers lie within them, whatever the noisy numbers are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from dialect import compile_query
from dialect.algebra.relations import Released
from dialect.catalog.model import Catalog
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.postprocess.interval_functions import column_limits
from engine.catalog.file import load_catalog
from tests.support.neighbours.window_worlds import catalog_text
from tests.support.planted import instead
from tests.support.sql.exact import ExactEngine, exact_engine

INF = math.inf
CELLS = "(SELECT cell_id AS c, COUNT(*) AS n, AVG(dwell_s) AS m FROM events GROUP BY 1)"
COLUMNS = {
    "COUNT(*) FROM events": (0, INF),
    "COUNT(DISTINCT subscriber_id) FROM events": (0, INF),
    "-COUNT(dwell_s) + COUNT(*) FROM events": (-INF, INF),
    "-COUNT(*) FROM events": (-INF, 0),
    "COUNT(*) / 2 + 1 FROM events": (1, INF),
    "SUM(dwell_s) FROM events": (0, INF),
    "SUM(dwell_s) - 5 FROM events": (-5, INF),
    "AVG(dwell_s) FROM events": (0, 7200),
    "AVG(dwell_s) FROM events WHERE dwell_s < 60": (0, 60),
    "1 - AVG(dwell_s) / 60 FROM events": (-119, 1),
    "ROUND(AVG(dwell_s) / 7, 1) FROM events": (0, 1028.6),
    "AVG(CASE WHEN dwell_s > 9 THEN 1 ELSE 0 END) FROM events": (0, 1),
    "100.0 * COUNT(*) FILTER (WHERE dwell_s > 9) / COUNT(*) FROM events": (0, 100),
    "COUNT(dwell_s) / COUNT(*) FROM events": (0, 1),
    "COUNT(*) / COUNT(dwell_s) FROM events": (0, INF),
    "COUNT(DISTINCT subscriber_id) / COUNT(*) FROM events": (0, 1),
    "COUNT(*) / COUNT(DISTINCT subscriber_id) FROM events": (0, INF),
    "COUNT(*) FILTER (WHERE dwell_s > 9) / COUNT(*) FILTER (WHERE dwell_s > 5) FROM events": (0, INF),
    "COUNT(DISTINCT dwell_s > 9) FROM events": (0, 2),
    "COUNT(DISTINCT CAST(ts AS DATE)) FROM events WHERE ts >= '2026-10-05' AND ts < '2026-10-08'": (0, 3),
    "COUNT(DISTINCT date_trunc('month', ts)) FROM events WHERE ts >= '2026-10-05' AND ts < '2026-10-08'": (0, 1),
    "COUNT(DISTINCT cell_id) FROM events": (0, INF),
    "VAR_POP(dwell_s) FROM events": (0, 3600**2),
    "STDDEV(dwell_s) FROM events": (0, 7200 / math.sqrt(2)),
    "CORR(dwell_s, hour(ts)) FROM events": (-1, 1),
    "COVAR_POP(dwell_s, hour(ts)) FROM events": (-7200 * 23 / 4, 7200 * 23 / 4),
    "REGR_SLOPE(dwell_s, hour(ts)) FROM events": (-INF, INF),
    f"SUM(n) FROM {CELLS} AS x": (0, INF),
    f"SUM(m) FROM {CELLS} AS x": (-INF, INF),
}
PRIVATE = "SELECT home_zone AS k, COUNT(*) AS n, COUNT(*) FILTER (WHERE age > 50) AS old FROM subscribers GROUP BY 1"


@pytest.mark.parametrize("column", COLUMNS)
def test_limits_of_columns(catalog: Catalog, column: str) -> None:
    (limits,) = column_limits(compile_query(f"SELECT {column}", catalog))
    assert limits == pytest.approx(COLUMNS[column])


def test_a_group_by_private_keys_has_a_row(catalog: Catalog) -> None:
    question = compile_query(PRIVATE, catalog)
    assert question.plans[0].key_set is None and isinstance(question.outer, Released)
    assert column_limits(question)[1:] == ((1, INF), (0, INF))


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("value", ["listed", "date_trunc('month', listed)", "listed + 1"])
def test_dates_outside_a_list_that_is_not_complete_are_counted(tmp_path: Path, value: str, complete: bool) -> None:
    listed = f'listed = {{ type = "DATE", values = ["2026-01-01", "2026-01-02"], complete = {str(complete).lower()} }}'
    file = tmp_path / "listed.toml"
    file.write_text(catalog_text(PrivacyWindow.MONTH).replace("[tables.seen]", f"{listed}\n[tables.seen]", 1))
    ((lower, upper),) = column_limits(compile_query(f"SELECT COUNT(DISTINCT {value}) FROM visit", load_catalog(file)))
    assert lower == 0 and (2 <= upper <= 3 if complete else upper == INF)


@pytest.fixture(scope="module")
def exact(catalog: Catalog) -> Iterator[ExactEngine]:
    with exact_engine(catalog) as opened:
        yield opened


def is_within(exact: ExactEngine, column: str) -> bool:
    """Does the exact answer lie within the limits, over rows that keep the declared bounds?"""
    sql = f"SELECT {column}".replace("FROM events", "FROM (SELECT * FROM events WHERE dwell_s BETWEEN 0 AND 7200) AS e")
    ((lower, upper),) = column_limits(compile_query(sql, exact.catalog))
    (number,) = exact.query(sql).column(0).to_pylist()
    return number is None or lower <= number <= upper


@pytest.mark.parametrize("column", COLUMNS)
def test_exact_answers_lie_within_the_limits(exact: ExactEngine, column: str) -> None:
    assert is_within(exact, column)


def test_a_limit_that_exact_answers_pass_is_found(exact: ExactEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(import_module("dialect.postprocess.interval_functions"), "_count_limits", lambda vector, plan: (0.0, 1.0))(
        monkeypatch
    )
    assert not is_within(exact, "COUNT(*) FROM events")
