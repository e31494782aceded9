"""The origin of each clip bound is reported for every query: from plan, catalog and calibration alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dialect import compile_query
from engine.pipeline.bias import clip_bound_origins
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION, Calibration, HistogramSubject, Quantity
from engine.pricing.compile_release import clip_bound_alternatives
from tests.engine.pricing.test_tuned_clip_bounds import ROWS, made
from tests.engine.town import make_town, opened
from tests.support.statistics.calibrated import histogram, made_up_calibration

FROM = "the calibration of 2000-01-01, visit: rows"
LEFT = "it was measured of all rows: of those that are left here people have as much or less"
FINER = "by more keys people have as much or less"
IN_MORE = "by more keys people are in more groups, and nobody measured how many: what is cut away is not known"
MADE = "declared: no calibration tells of rows that are made in the question, or gathered from several tables"
OPTIONS = "WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 7)"
JOINED = "declared: a person's rows are joined with each other, and no calibration tells how many that makes"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", f"{FROM} by zone"),
        ("SELECT COUNT(*) AS n FROM visit", f"{FROM} in all"),
        ("SELECT zone, COUNT(*) AS n FROM visit WHERE minutes > 5 GROUP BY zone", f"{FROM} by zone; {LEFT}"),
        ("SELECT COUNT(*) AS n FROM visit WHERE zone = 'z1'", f"{FROM} by zone; {LEFT}"),
        ("SELECT zone, COUNT(*) FILTER (WHERE minutes > 5) AS n FROM visit GROUP BY zone", f"{FROM} by zone; {LEFT}"),
        ("SELECT zone, shop, COUNT(*) AS n FROM visit GROUP BY zone, shop", f"{FROM} by zone; {FINER}"),
        (
            "SELECT zone, SUM(minutes) AS n FROM visit GROUP BY zone",
            f"{FROM} by zone; each row is reckoned to have the largest value",
        ),
        (f"SELECT {OPTIONS} zone, COUNT(*) AS n FROM visit GROUP BY zone", "the question names its own limits"),
        ("SELECT COUNT(*) AS n FROM (SELECT zone FROM visit UNION ALL SELECT zone FROM visit) AS u", MADE),
        ("SELECT zone, COUNT(DISTINCT coins) AS n FROM visit GROUP BY zone", ""),
    ],
)
def test_the_origin_of_a_clip_bound_names_its_calibration_or_the_reason_for_none(
    town: Engine, sql: str, told: str
) -> None:
    by_zone = histogram(HistogramSubject("visit", ("zone",), Quantity.ROWS), ROWS)
    known = Calibration((*made_up_calibration(town.catalog, ROWS).histograms, by_zone))
    assert clip_bound_origins(made(town, sql, known))[-1] == told


def test_a_self_join_of_people_has_its_own_clip_bound_origin(town: Engine) -> None:
    """Its work is bounded by what one person may have, and 10,000 rows of each side are too many to be asked."""
    joined = "SELECT v.zone, COUNT(*) AS n FROM visit v JOIN visit w ON v.person_id = w.person_id GROUP BY v.zone"
    (plan,) = compile_query(joined, town.catalog).plans
    alone = made(town, "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", NO_CALIBRATION)
    assert clip_bound_origins(replace(alone, unpriced_release=replace(alone.unpriced_release, measured_plan=plan))) == (
        JOINED,
    )


def test_without_a_valid_calibration_the_clip_bound_origin_is_declared(town: Engine) -> None:
    by_zone = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
    assert clip_bound_origins(made(town, by_zone, NO_CALIBRATION)) == ("declared: no calibration of visit holds today",)
    nobody = Calibration((histogram(HistogramSubject("visit", (), Quantity.ROWS), (1, 1)),))
    told = "declared: in the calibration of visit nothing of this is clear of the noise"
    assert clip_bound_origins(made(town, by_zone, nobody)) == (told,)


def test_a_single_group_has_the_clip_bounds_of_all_groups(town: Engine) -> None:
    by_zone = histogram(HistogramSubject("visit", ("zone",), Quantity.ROWS), ROWS)
    known = Calibration((*made_up_calibration(town.catalog, (0, 0, 0, 0, *ROWS)).histograms, by_zone))
    alone, among, everywhere = (
        made(town, sql, known).bounds.vectors[-1]
        for sql in (
            "SELECT COUNT(*) AS n FROM visit WHERE zone = 'z1'",
            "SELECT zone, COUNT(*) AS n FROM visit WHERE zone = 'z1' GROUP BY zone",
            "SELECT COUNT(*) AS n FROM visit WHERE minutes = 1",
        )
    )
    assert (alone.clip_bound, alone.predicted_bias) == (
        among.clip_bound,
        among.predicted_bias,
    ) and alone.clip_bound < everywhere.clip_bound


def test_a_condition_counts_as_a_key_only_if_it_adds_groups(town: Engine) -> None:
    kinds = [histogram(HistogramSubject("visit", (keys,), Quantity.ROWS), ROWS) for keys in ("day", "zone")]
    known = Calibration((*made_up_calibration(town.catalog, ROWS).histograms, *kinds))
    sql = "SELECT day, COUNT(*) AS n FROM visit WHERE zone = 'z1' GROUP BY day"
    assert clip_bound_origins(made(town, sql, known))[-1].startswith(f"{FROM} by day")


@pytest.mark.parametrize(
    ("sql", "by"),
    [
        ("SELECT day, COUNT(*) AS n FROM visit WHERE zone = 'z1' GROUP BY day", "zone"),  # at one place by another key
        ("SELECT day, COUNT(*) AS n FROM visit GROUP BY day", "day"),
        ("SELECT n.name, COUNT(*) AS n FROM visit JOIN zone n USING (zone) GROUP BY 1", "zone"),
        ("SELECT z.zone, COUNT(v.visit_id) AS n FROM zone z LEFT JOIN visit v ON v.zone = z.zone GROUP BY 1", "zone"),
        ("SELECT COUNT(*) AS n FROM visit WHERE zone IN ('z1', 'z2')", "zone"),
        ("SELECT COUNT(*) AS n FROM visit WHERE zone <> 'z1'", "all"),
    ],
)
def test_the_smallest_applicable_clip_bound_is_used(town: Engine, sql: str, by: str) -> None:
    small, large = (500, 100), (0, 0, 0, 0, 300, 300)
    shapes = {(): (*large, 30, 5), ("day",): large, ("zone",): small}
    known = Calibration(
        tuple(histogram(HistogramSubject("visit", keys, Quantity.ROWS), rows) for keys, rows in shapes.items())
    )
    assert f" {by}" in clip_bound_origins(made(town, sql, known))[-1].split(";")[0]


def test_more_keys_than_the_calibration_measured_report_no_bias(town: Engine) -> None:
    known = Calibration((histogram(HistogramSubject("visit", ("zone",), Quantity.PERSONS), (0, 50, 100, 60)),))
    itself, finer = (
        made(town, f"SELECT {keys}, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY ALL", known)
        for keys in ("zone", "zone, day")
    )
    assert itself.bounds.vectors[0].predicted_bias == 0 and finer.bounds.vectors[0].predicted_bias is None
    assert clip_bound_alternatives(itself) != ((),) == clip_bound_alternatives(finer)
    assert clip_bound_origins(finer) == (f"the calibration of 2000-01-01, visit: persons by zone; {IN_MORE}",)


def test_several_values_per_group_enlarge_the_clip_bound_and_are_reported(town: Engine) -> None:
    by_zone = replace(histogram(HistogramSubject("visit", ("zone",), Quantity.ROWS), (0, 0, 500, 100)), groups=7)
    in_all = histogram(HistogramSubject("visit", (), Quantity.ROWS), (0, 0, 0, 0, 0, 0, 0, 500, 100))
    known = Calibration((by_zone, in_all))
    one, two = (
        made(town, f"SELECT COUNT(*) AS n FROM visit WHERE zone IN ({zones})", known)
        for zones in ("'z1'", "'z1', 'z2'")
    )
    assert one.bounds.vectors[0].clip_bound < two.bounds.vectors[0].clip_bound
    assert "the root of their number" in clip_bound_origins(two)[-1] and "the root" not in clip_bound_origins(one)[-1]
