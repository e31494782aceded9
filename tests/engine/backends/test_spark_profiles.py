"""Contribution profiles over a Spark lake: the histograms and totals are DuckDB's, integer for integer."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from dialect import BoundedSql, Catalog, PrivatePlan, compile_query, generate_sql
from dialect.catalog.model import EngineName
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.codegen import (
    LOWEST_BIN,
    CentredAverage,
    MeanBins,
    Measure,
    OtherCentres,
    write_distances_sql,
    write_means_sql,
    write_totals_sql,
)
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from engine.backends.lake import LakeBackend
from engine.catalog.eligibility import eligibility_filter
from engine.catalog.file import load_catalog
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION
from engine.pricing.compile_release import CompiledRelease, price_release, unpriced_releases
from tests.support.greybox.greybox import RHO, InMemory
from tests.support.neighbours.window_questions import fill_dates
from tests.support.neighbours.window_worlds import PRIVATE, Data, Row, Worlds, catalog_text
from tests.support.spark.on_lake import Both, session_of
from tests.support.spark.spark_cluster import Cluster
from tests.support.without_norms import without_norms

ROWS = tuple(Row(person, window, 30 * person - 40 * place, place, place - 2, 7.5 * place * person) for person, window, place
             in itertools.product((77, 1, 2, 3), (-1, -2, 0, 1, 2, 3), (1, 2, 3)) if person % 4 != place)  # fmt: skip
BOUND = 5  # clip bound of totals, in value grains
CENTRE_AND_REACH = (-1700, 2900)  # of averages, in value grains of 1 / 1024
QUESTIONS = {
    "rows, people, a signed sum and a mean by key": "SELECT place, COUNT(*), COUNT(DISTINCT person_id), SUM(steps), AVG(dwell)"
    " FROM visit GROUP BY place",
    "windows apart": "SELECT place, day, COUNT(*), SUM(dwell) FROM visit GROUP BY place, day",
    "windows crossing": "SELECT zone, COUNT(*), SUM(n) FROM person JOIN"
    " (SELECT person_id, place, least(count(*), 9) AS n FROM visit GROUP BY 1, 2) USING (person_id) GROUP BY zone",
    "distinct values": "SELECT place, COUNT(*), COUNT(DISTINCT tag) FROM visit GROUP BY place",
    "second moments": "SELECT place, VAR_POP(dwell), CORR(dwell, steps) FROM visit GROUP BY place",
    "without keys": "SELECT COUNT(*), SUM(dwell), AVG(steps) FROM visit",
    "one window": "SELECT place, COUNT(steps), AVG(dwell) FROM visit WHERE day < DATE '{second}' GROUP BY place",
    "a private join": "SELECT p.zone, COUNT(*), SUM(v.dwell) FROM visit v JOIN person p USING (person_id) GROUP BY p.zone",
    "a public join": "SELECT k.sort, COUNT(*), COUNT(DISTINCT v.person_id), AVG(v.dwell) FROM visit v JOIN place k USING (place)"
    " GROUP BY k.sort",
    "rows of two tables": "SELECT v.place, COUNT(*), SUM(v.dwell) FROM visit v JOIN seen s ON v.person_id = s.person_id"
    " AND CAST(s.ts AS DATE) = v.day GROUP BY v.place",
    "a table with public rows first": "SELECT k.place, COUNT(v.visit_id) FROM place k LEFT JOIN visit v ON v.place = k.place"
    " GROUP BY k.place",
}  # fmt: skip


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("undeclared")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    Worlds(connection, PrivacyWindow.MONTH, Data(ROWS))
    yield Both(connection, undeclared(folder), "everybody", PRIVATE, folder / "lake", cluster.remote)
    connection.close()


def undeclared(folder: Path) -> Catalog:
    """The windowed catalog without norms, and with more rows of a person."""
    file = folder / "windowed.toml"
    file.write_text(
        without_norms(catalog_text(PrivacyWindow.MONTH)).replace(
            "max_rows_per_person = 4", "max_rows_per_person = 1000"
        )
    )
    return load_catalog(file)


def releases(both: Both, backend: InMemory | LakeBackend, sql: str) -> list[CompiledRelease]:
    question = compile_query(fill_dates(sql, PrivacyWindow.MONTH), both.catalog)
    unpriced = unpriced_releases(question, both.catalog, backend, NO_CALIBRATION)
    return [price_release(each, backend, RHO) for each in unpriced]


def statements(both: Both, backend: InMemory | LakeBackend, release: CompiledRelease) -> list[BoundedSql]:
    """The profile of a release, the totals of its vectors that are never negative, and the distances of its averages."""
    profile = release.profile
    assert profile is not None
    vectors = profile.plan.vectors
    indexes = dict.fromkeys(each.vector for each in profile.shared.histograms)
    totals = [(i, BOUND) for i in indexes if not vectors[i].is_sum or vectors[i].lower >= vectors[i].centre]
    admission = eligibility_filter(both.catalog, profile.plan.dataset)
    of = (backend.target, admission)
    made = [profile.sql, write_totals_sql(profile.shared, totals, *of)]
    about = [CentredAverage(total, each.count, *CENTRE_AND_REACH) for each in profile.averages for total in each.totals]
    plan = about_others(profile.shared.plan)
    values = [each for each in about if plan.vectors[each.total].factor is None]
    products = [each for each in about if plan.vectors[each.total].factor is not None]
    if values:
        made.append(write_distances_sql(profile.shared, values, *of))
    if products:
        bins = [MeanBins(each.total, each.count, (0, -5000, -1, 0, 1, 5000)) for each in products]
        moved = OtherCentres(plan, profile.shared.profile_bounds)
        made.append(write_distances_sql(profile.shared, products, *of, moved))
        made.append(write_means_sql(profile.shared, moved, bins, *of))
        made.append(replace(generate_sql(plan, release.bounds, *of, profile.shared), key_count=1))
    return made


def about_others(plan: PrivatePlan) -> PrivatePlan:
    """Take products about other centres, and subtract a number of each."""
    vectors = (
        each if each.factor is None else replace(each, centre=4.0, factor=replace(each.factor, centre=1.0), offset=9.0)
        for each in plan.vectors
    )
    return replace(plan, vectors=tuple(vectors))


def integers(backend: InMemory | LakeBackend, bounded: BoundedSql) -> dict[int, list[int]]:
    """Rows of a statement by bin; totals have no bin."""
    exact = backend.run(bounded)
    bins = exact.keys.column(0).to_pylist() if bounded.key_count else [LOWEST_BIN - 1]
    return {number: [int(vector[i]) for vector in exact.vectors] for i, number in enumerate(bins)}


@pytest.mark.parametrize("title", QUESTIONS)
def test_profiles_totals_and_distances_are_duckdbs(title: str, months: Both) -> None:
    here, there = (releases(months, each, QUESTIONS[title]) for each in (months.duck, months.lake))
    assert here and all(release.profile is not None for release in here)
    for one, other in zip(here, there, strict=True):
        pairs = zip(statements(months, months.duck, one), statements(months, months.lake, other), strict=True)
        for ours, theirs in pairs:
            assert theirs.ordering_sql and not ours.ordering_sql
            found = integers(months.lake, theirs)
            assert found == integers(months.duck, ours)
            assert any(map(any, found.values()))


def test_questions_have_every_measure_and_every_kind_of_window(months: Both) -> None:
    found = Counter[tuple[Measure, bool, bool]]()
    for sql in QUESTIONS.values():
        for release in releases(months, months.duck, sql):
            assert release.profile is not None
            windows = release.plan.charged_windows
            found.update(
                (each.measure, windows.is_crossing, bool(release.plan.keys))
                for each in release.profile.shared.histograms
            )
    assert {measure for measure, *_ in found} == set(Measure)
    assert {(crossing, keyed) for _, crossing, keyed in found} >= {(False, False), (False, True), (True, True)}


def test_a_planted_sum_in_place_of_squares_is_found(months: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    spark = ENGINE_DIALECTS[EngineName.SPARK]
    monkeypatch.setitem(ENGINE_DIALECTS, EngineName.SPARK, replace(spark, sum_of_squares=spark.wide_sum))
    sql = QUESTIONS["windows apart"]
    (one,), (other,) = (releases(months, each, sql) for each in (months.duck, months.lake))
    ours, theirs = statements(months, months.duck, one)[0], statements(months, months.lake, other)[0]
    assert integers(months.lake, theirs) != integers(months.duck, ours)


def test_the_binary_digits_of_wide_integers_are_counted(months: Both) -> None:
    numbers = [number for bits in range(1, 123) for number in (2 ** (bits - 1), 2**bits - 1)]
    digits = ENGINE_DIALECTS[EngineName.SPARK].bit_length.format("n")
    values = ", ".join(f"(CAST('{number}' AS DECIMAL(38, 0)))" for number in numbers)
    session = session_of(months.lake.lake)
    found = session.sql(f"SELECT n, {digits} AS digits FROM (VALUES {values}) AS v(n)").toArrow()
    assert [int(n).bit_length() for n in found.column("n").to_pylist()] == found.column("digits").to_pylist()
    assert found.num_rows == len(numbers)
