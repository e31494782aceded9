"""Questions asked otherwise: coarser, by fewer keys, of people, of all the time, at another price; text in, text out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from dialect import Catalog, compile_query
from dialect.parser.suggestions.rewrite_suggestions import ChangeKind, suggest_rewrites
from engine.catalog.file import load_catalog

RHO = Fraction(2, 100)
Told = dict[ChangeKind, list[str]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Declare the bundled operator; its data are not there."""
    return load_catalog(Path("engine/catalog/operator/catalog.toml"))


@pytest.fixture(scope="module")
def changes_of(catalog: Catalog) -> Callable[[str], Told]:
    def found(sql: str) -> Told:
        made: Told = {}
        for each in suggest_rewrites(sql, catalog, RHO):
            made.setdefault(each.change, []).append(each.sql)
        return made

    return found


TIMED = "start_ts >= TIMESTAMP '2026-10-05' AND start_ts < TIMESTAMP '2026-10-07'"
COARSER = {
    f"SELECT date_trunc('hour', start_ts) AS h, count(*) AS n FROM visit WHERE {TIMED} GROUP BY h": "date_trunc('DAY', start_ts) AS h",
    "SELECT hour(start_ts) AS h, count(*) AS n FROM visit GROUP BY 1": "part_of_day(start_ts) AS h",
    "SELECT hour_of_week(start_ts), count(*) AS n FROM visit GROUP BY ALL": "hour(start_ts)",
    "SELECT visit_date, count(*) AS n FROM visit GROUP BY visit_date": "date_trunc('WEEK', visit_date)",
    "SELECT grid_cell(lon, lat, 500) AS g, count(*) AS n FROM cell GROUP BY 1": None,  # nobody is in it
}


@pytest.mark.parametrize("sql", COARSER)
def test_keys_become_coarser(changes_of: Callable[[str], Told], sql: str) -> None:
    found, wanted = changes_of(sql).get(ChangeKind.COARSER, []), COARSER[sql]
    assert (not found) if wanted is None else any(each.startswith(f"SELECT {wanted}, count(*)") for each in found)


def test_a_place_key_becomes_its_enclosing_area(changes_of: Callable[[str], Told]) -> None:
    sql = "SELECT v.zone_id, count(*) AS n FROM visit AS v GROUP BY 1"
    assert changes_of(sql)[ChangeKind.COARSER][0].startswith(
        "SELECT zone.parent_id, count(*) AS n FROM visit AS v JOIN zone USING (zone_id)"
    )


DAYS_AND_ZONES = "SELECT visit_date AS d, zone_id, count(*) AS n FROM visit GROUP BY d, zone_id"
ALONE = ["SELECT zone_id, count(*) AS n FROM visit GROUP BY ALL", "SELECT visit_date AS d, count(*) AS n FROM visit GROUP BY ALL"]  # fmt: skip
ORDERED = {  # order of a question -> orders without its day, and without its zone
    "ORDER BY n DESC LIMIT 3": ("ORDER BY n DESC LIMIT 3", "ORDER BY n DESC LIMIT 3"),
    "ORDER BY d, n DESC": ("ORDER BY n DESC", "ORDER BY d, n DESC"),
    "ORDER BY 3 DESC, 1 LIMIT 3": ("ORDER BY 2 DESC LIMIT 3", "ORDER BY 2 DESC, 1 LIMIT 3"),
    "ORDER BY count(*) / 2, zone_id": ("ORDER BY count(*) / 2, zone_id", "ORDER BY count(*) / 2"),
    "ORDER BY visit_date LIMIT 3 OFFSET 2": ("", "ORDER BY visit_date LIMIT 3 OFFSET 2"),
    "ORDER BY ALL LIMIT 3": ("ORDER BY ALL LIMIT 3", "ORDER BY ALL LIMIT 3"),
    "LIMIT 3": ("LIMIT 3", "LIMIT 3"),
}


@pytest.mark.parametrize("order", ORDERED)
def test_a_key_is_left_out_and_what_stands_of_the_order_is_kept(changes_of: Callable[[str], Told], order: str) -> None:
    found = changes_of(f"{DAYS_AND_ZONES} {order}")[ChangeKind.FEWER_KEYS]
    assert found == [f"{alone} {kept}".strip() for alone, kept in zip(ALONE, ORDERED[order], strict=True)]


COARSER_ORDERS = {
    "ORDER BY n DESC, visit_date LIMIT 3": " ORDER BY n DESC, date_trunc('WEEK', visit_date) LIMIT 3",
    "ORDER BY 2 DESC LIMIT 3": " ORDER BY 2 DESC LIMIT 3",
    "ORDER BY year(visit_date) LIMIT 3": "",
}


@pytest.mark.parametrize("order", COARSER_ORDERS)
def test_an_order_goes_on_over_a_coarser_key(catalog: Catalog, changes_of: Callable[[str], Told], order: str) -> None:
    sql = f"SELECT visit_date, count(*) AS n FROM visit GROUP BY visit_date {order}"
    (week,) = [each for each in changes_of(sql)[ChangeKind.COARSER] if "'WEEK'" in each]
    assert week.partition("GROUP BY ALL")[2] == COARSER_ORDERS[order]
    assert compile_query(week, catalog)


def test_people_are_counted_instead_of_rows(changes_of: Callable[[str], Told]) -> None:
    found = changes_of(
        "SELECT zone_id, count(*) AS n FROM visit JOIN zone USING (zone_id) GROUP BY 1 HAVING count(*) > 10"
    )
    (people,) = found[ChangeKind.COUNT_PERSONS]
    assert people.count("count(DISTINCT visit.subscriber_id)") == 2


def test_people_are_not_called_by_the_name_of_the_rows(catalog: Catalog) -> None:
    sql = "SELECT mode, count(*) AS trips, count(*) / 2 AS half FROM trip GROUP BY 1 HAVING trips > 10 ORDER BY trips DESC"
    (made,) = [each for each in suggest_rewrites(sql, catalog, RHO) if each.change is ChangeKind.COUNT_PERSONS]
    assert "trips" not in made.sql and made.sql.count("people") == 3 and made.renamed_columns == {"trips": "people"}
    assert compile_query(made.sql, catalog).plans
    taken = "SELECT mode AS people, count(*) AS trips FROM trip GROUP BY 1"
    (made,) = [each for each in suggest_rewrites(taken, catalog, RHO) if each.change is ChangeKind.COUNT_PERSONS]
    assert made.renamed_columns == {"trips": "people_2"}


def test_removing_the_time_condition_keeps_other_conditions(changes_of: Callable[[str], Told]) -> None:
    found = changes_of(f"SELECT zone_id, count(*) AS n FROM visit WHERE {TIMED} AND dwell_min > 5 GROUP BY 1")
    assert found[ChangeKind.LONGER_TIME] == ["SELECT zone_id, count(*) AS n FROM visit WHERE dwell_min > 5 GROUP BY 1"]
    assert ChangeKind.LONGER_TIME not in changes_of(
        "SELECT zone_id, count(*) AS n FROM visit WHERE dwell_min > 5 GROUP BY 1"
    )


@pytest.mark.parametrize(("rho", "written"), [(Fraction(20), "20"), (Fraction(1, 50), "0.02"), (Fraction(5, 2), "2.5")])
def test_prices_are_written_as_plain_numbers(catalog: Catalog, rho: Fraction, written: str) -> None:
    more = next(
        each
        for each in suggest_rewrites("SELECT count(*) FROM visit", catalog, rho)
        if each.change is ChangeKind.HIGHER_PRICE
    )
    assert more.sql == f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = {written}) count(*) FROM visit"


def test_the_clause_is_kept_and_its_price_raised(changes_of: Callable[[str], Told]) -> None:
    clause = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(confidence = 0.9, epsilon = 0.5)"
    found = changes_of(f"{clause} zone_id, visit_date, count(*) AS n FROM visit GROUP BY 1, 2")
    assert found[ChangeKind.HIGHER_PRICE][0].startswith(
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(confidence = 0.9, rho = 0.02) "
    )
    assert found[ChangeKind.FEWER_KEYS][0].startswith(
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(confidence = 0.9, epsilon = 0.5) "
    )


LEFT = (
    "WITH v AS (SELECT zone_id, count(*) AS n FROM visit GROUP BY 1) SELECT * FROM v",
    "SELECT zone_id, count(*) AS n FROM visit GROUP BY 1 UNION ALL SELECT zone_id, count(*) FROM visit GROUP BY 1",
    "SELECT zone_id, sum(dwell_min, contribution_bounds_per_group => (0, 60)) AS n FROM visit GROUP BY 1",
    "SELECT zone_id, count(*) AS n, DP_INTERVAL_LOW(n) AS low FROM visit GROUP BY 1",
    "SELECT zone_id, visit_date, count(*) AS n FROM visit GROUP BY ROLLUP (zone_id, visit_date)",
    "SELECT zone_id, name FROM zone",
)


@pytest.mark.parametrize("sql", LEFT)
def test_complex_queries_are_not_rewritten(changes_of: Callable[[str], Told], sql: str) -> None:
    assert changes_of(sql) == {}


def test_every_proposed_rewrite_is_accepted(catalog: Catalog, changes_of: Callable[[str], Told]) -> None:
    sql = f"SELECT v.zone_id, date_trunc('hour', v.start_ts) AS h, count(*) AS n FROM visit v WHERE {TIMED.replace('start_ts', 'v.start_ts')} GROUP BY 1, 2"
    proposed = [each for made in changes_of(sql).values() for each in made]
    assert len(proposed) >= 4
    for each in proposed:
        assert compile_query(each, catalog).plans, each
