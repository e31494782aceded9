"""Bounds that a calibration chose hold as declared ones do, and are the same whoever is in the data.

The calibration's own questions move by one person in one bin; planted bugs of each kind are found.
"""

from __future__ import annotations

import math
from dataclasses import replace
from importlib import import_module
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialect import Refusal, compile_query
from dialect.algebra.release_plan import ClipRule, VectorBound
from dialect.catalog.model import Bounds, Catalog, Column
from engine.pricing.clip_bounds.error_models import clip_error_models
from engine.pricing.clip_bounds.histograms import MEAN_BINS, MEAN_STEPS, Calibration, HistogramSubject, Quantity
from engine.pricing.compile_release import UnpricedRelease, compile_release
from engine.workflows.calibration_questions import calibration_questions
from tests.privacy.greybox.test_greybox import undeclared
from tests.support.greybox.greybox import RHO, DependsOnData, GreyBox, SensitivityExceeded
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber, declared_as, make_worlds
from tests.support.greybox.greybox_questions import EVENTS, OTHERS, databases, questions
from tests.support.planted import Plant, instead
from tests.support.statistics.calibrated import histogram, made_up_calibration

bound, clipping, preparing, asking = map(
    import_module,
    (
        "dialect.sensitivity.bounding",
        "dialect.codegen.contribution.clipping",
        "engine.pricing.compile_release",
        "engine.workflows.calibration_questions",
    ),
)
EXAMPLES = 30  # of questions that are tuned, and of others
LEAST_TUNED = 10  # in 19 other draws of 30: 20 on average, 11 at least; a calibration of few people tunes nothing
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
COUNTS = st.lists(st.integers(0, 400), min_size=1, max_size=12)
BY_CELL = "SELECT cell_id, COUNT(*) AS n, SUM(steps) AS s FROM events GROUP BY cell_id"
IN_ALL = "SELECT COUNT(*) AS n FROM events"
MEANS = "SELECT cell_id, AVG(steps) AS a FROM events GROUP BY cell_id"
HEAVY = Database(
    (Run(str(VICTIM), 60, 3), Run("7", 5)), (Subscriber(VICTIM), Subscriber(7)), declared=Declared(rows=50.0)
)
MANY_OF_FEW_ROWS = (0, 0, 0, 900, 100)
CELLS = [("cell_id",)]


def check(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, database: Database, known: Calibration, sql: str
) -> GreyBox:
    make_worlds(connection, database)
    box = GreyBox(connection, declared_as(catalog, database.declared), known)
    box.check(sql)
    return box


def test_one_person_moves_no_vector_further_than_the_tuned_clip_bound(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    tuned, others = (tuned_among(connection, catalog, tunable) for tunable in (True, False))
    assert len(tuned) >= EXAMPLES and len(others) >= EXAMPLES
    assert sum(tuned) >= LEAST_TUNED, tuned


def tuned_among(connection: duckdb.DuckDBPyConnection, catalog: Catalog, tunable: bool) -> list[bool]:
    """Check drawn questions that a calibration of many people tunes, or does not; returns which were tuned."""
    tuned: list[bool] = []
    drawn = questions((*EVENTS, *OTHERS)).filter(lambda sql: is_tunable(sql, catalog) is tunable)

    @settings(max_examples=EXAMPLES, suppress_health_check=SLOW)
    @given(databases(), drawn, COUNTS, COUNTS)
    def holds(database: Database, sql: str, rows: list[int], groups: list[int]) -> None:
        note(sql)
        ran = check(connection, catalog, database, made_up_calibration(catalog, rows, groups), sql)
        everybody = ran.run(compile_query(sql, ran._catalog), "everybody", 1)
        tuned.append(any(any(each.prepared.unpriced_release.clip_error_models) for each in everybody))

    holds()
    return tuned


def is_tunable(sql: str, catalog: Catalog) -> bool | None:
    """Does a calibration of many people tune a clip bound of a question? None: the question is refused."""
    known = made_up_calibration(catalog, MANY_OF_FEW_ROWS)
    try:
        plans = compile_query(sql, catalog).plans
    except Refusal:
        return None
    return any(any(clip_error_models(plan, catalog, known, None)) for plan in plans)


@pytest.mark.parametrize("norms", [True, False], ids=["norms", "no norms"])
def test_one_person_moves_one_bin_by_one(connection: duckdb.DuckDBPyConnection, catalog: Catalog, norms: bool) -> None:
    catalog = catalog if norms else undeclared(catalog)
    asked, left_out = calibration_questions(catalog, catalog.datasets[0], "forever", CELLS)
    assert len(asked) > 8
    assert all(each.keys for each in left_out)  # of tables without cells
    assert norms or {"hour(ts)", "cast(ts as date)", "cell_id"} <= {key for each in asked for key in each.measured.keys}

    @settings(max_examples=2, suppress_health_check=SLOW)
    @given(databases())
    def holds(database: Database) -> None:
        make_worlds(connection, database)
        box = GreyBox(connection, catalog)
        for each in asked:
            note(each.sql)
            box.check(each.sql)
            assert bins_of_a_person(box, each.sql) == (
                MEAN_STEPS if each.measured.kind is Quantity.MEANS_BY_ROWS else 1
            )

    holds()


def bins_of_a_person(box: GreyBox, sql: str) -> int | None:
    """How far a person moves a histogram by proof; None if that takes truncation."""
    (plan,) = compile_query(sql, box._catalog).plans
    (vector,) = compile_release(plan, box._catalog, box._backends["everybody"], RHO).bounds.vectors
    return vector.sensitivity if (vector.rule, vector.fraction_bits) == (ClipRule.UNCLIPPED, 0) else None


def quarter_clip_bound(*given: Any) -> VectorBound:
    """Planted: a tuned clip bound is reported as a fourth of itself."""
    made = cut(*given)
    return replace(made, sensitivity=made.sensitivity // 4)


def correct_before_noise(made: VectorBound, chosen: Any) -> VectorBound:
    """Divide exact numbers by the share that is kept, and not the noisy ones."""
    back = given_back(made, chosen)
    return (
        replace(back, clip_bound_grains=math.ceil(back.clip_bound_grains / back.retained_share))
        if back.retained_share < 1
        else back
    )


def following_rows(plan: Any, catalog: Catalog, backend: Any, *given: Any, **named: Any) -> UnpricedRelease:
    """Planted: the choice depends on the number of rows."""
    made = sized(plan, catalog, backend, *given, **named)
    rows = backend.count(f"SELECT 1 AS one FROM {backend.target.addresses['events']}")
    facts = tuple(each and replace(each, groups=1e6 if rows > 20 else 1.0) for each in made.clip_error_models)
    return replace(made, clip_error_models=facts)


cut, given_back, sized = bound._clip, bound._bias_corrected, preparing.unpriced_release
written, lean_written = asking._histogram_sql, asking._mean_offsets_sql


@pytest.mark.parametrize(
    ("plant", "found", "sql"),
    [
        (instead(bound, "_clip", quarter_clip_bound), SensitivityExceeded, BY_CELL),
        (instead(bound, "_clip", quarter_clip_bound), SensitivityExceeded, MEANS),
        (instead(bound, "_bias_corrected", correct_before_noise), SensitivityExceeded, IN_ALL),
        (instead(preparing, "unpriced_release", following_rows), DependsOnData, BY_CELL),
    ],
    ids=["less is said than chosen", "of a mean too", "given back before noise", "the choice follows the data"],
)
def test_planted_bugs_are_found(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    plant: Plant,
    found: type[AssertionError],
    sql: str,
) -> None:
    known = made_up_calibration(catalog, MANY_OF_FEW_ROWS)
    check(connection, catalog, HEAVY, known, sql)
    plant(monkeypatch)
    with pytest.raises(found):
        check(connection, catalog, HEAVY, known, sql)


def near_the_centre(catalog: Catalog) -> Calibration:
    """Claim that people's means of dwell_s are all near the declared centre: the sum then needs little of its range."""
    people = [0] * MEAN_BINS
    people[9] = 900  # about a twelfth to an eighth of 7200
    means = histogram(HistogramSubject("events", (), Quantity.MEANS, "dwell_s", 7200.0), people)
    return Calibration((*made_up_calibration(catalog, MANY_OF_FEW_ROWS).histograms, means))


def test_a_sum_clipped_more_than_its_count_stays_within_its_clip_bound(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: one factor per person, by the count alone."""
    sql = "SELECT cell_id, AVG(dwell_s) AS a FROM events GROUP BY cell_id"
    known = near_the_centre(catalog)
    far = replace(HEAVY, runs=(Run(str(VICTIM), 60, 3, dwell="'7200'"), Run("7", 5)))
    box = check(connection, catalog, far, known, sql)
    ((made,),) = [[ran.prepared for ran in box.run(compile_query(sql, box._catalog), "everybody", 1)]]
    norms = {v.kind.value: bound.clip_bound for v, bound in zip(made.plan.vectors, made.bounds.vectors, strict=True)}
    assert norms["centred"] < 6600 * norms["valid"] / 2
    ratio = clipping._clipping_ratio
    monkeypatch.setattr(
        clipping,
        "_clipping_ratio",
        lambda squares, bound: "CAST(1 AS DOUBLE)" if bound.clip_bound == norms["centred"] else ratio(squares, bound),
    )
    with pytest.raises(SensitivityExceeded):
        check(connection, catalog, far, known, sql)


def test_means_that_are_not_clamped_to_their_bounds_are_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_worlds(connection, HEAVY)
    box = GreyBox(connection, catalog)

    def moved() -> set[int | None]:
        asked, _ = calibration_questions(catalog, catalog.datasets[0], "forever")
        return {bins_of_a_person(box, each.sql) for each in asked if each.measured.kind is Quantity.MEANS_BY_ROWS}

    assert moved() == {MEAN_STEPS}
    monkeypatch.setattr(
        asking, "_mean_offsets_sql", lambda *given: lean_written(*given).replace("v / n, -1), 1)", "v, -9), 9)")
    )
    assert moved() == {9 * MEAN_STEPS}


def test_a_histogram_of_groups_instead_of_people_is_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_groups(*given: Any) -> str:
        return (
            written(*given)
            .replace("SUM(v * v)", "MAX(v)")
            .replace("per_group GROUP BY person", "per_group GROUP BY person, v")
        )

    monkeypatch.setattr(asking, "_histogram_sql", of_groups)
    asked, _ = calibration_questions(catalog, catalog.datasets[0], "forever", CELLS)
    make_worlds(connection, HEAVY)
    box = GreyBox(connection, catalog)
    assert None in [bins_of_a_person(box, each.sql) for each in asked]


def measuring(catalog: Catalog, measured: Bounds | None = None) -> Catalog:
    """Copy the catalog with bounds to be measured in place of declared ones, and without norms."""

    def column(declared: Column) -> Column:
        if declared.bounds is None:
            return declared
        return replace(
            declared, bounds=None, sum_clip_bound=None, centred_sum_clip_bound=None, centre=None,
            measures_bounds=True, measured_bounds=measured,
        )  # fmt: skip

    tables = (replace(t, columns=tuple(map(column, t.columns)) if t.private else t.columns) for t in catalog.tables)
    return undeclared(replace(catalog, tables=tuple(tables)))


def of_values(catalog: Catalog) -> list[str]:
    """SQL of the histograms of values."""
    asked, _ = calibration_questions(catalog, catalog.datasets[0], "forever")
    return [each.sql for each in asked if each.measured.kind is Quantity.VALUES]


def test_one_person_moves_one_bin_of_values_by_one(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    asked = of_values(measuring(catalog))
    assert len(asked) > 2

    @settings(max_examples=5, suppress_health_check=SLOW)
    @given(databases())
    def holds(database: Database) -> None:
        make_worlds(connection, database)
        box = GreyBox(connection, measuring(catalog))
        for sql in asked:
            note(sql)
            box.check(sql)
            assert bins_of_a_person(box, sql) == 1
        for bounds in (Bounds(0.0, 2.0), Bounds(-4096.0, 4096.0)):  # far below and above the values
            GreyBox(connection, measuring(catalog, bounds)).check(BY_CELL)

    holds()


def test_a_planted_bin_for_each_row_is_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    values_written = asking._values_sql
    monkeypatch.setattr(
        asking, "_values_sql", lambda *given: values_written(*given).replace("MAX(", "(").replace("MIN(", "(")
        .replace("GROUP BY 1) AS per_person", ") AS per_person")
    )  # fmt: skip
    make_worlds(connection, HEAVY)
    box = GreyBox(connection, measuring(catalog))
    assert {bins_of_a_person(box, sql) for sql in of_values(measuring(catalog))} != {1}
