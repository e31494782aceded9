"""Statements of one release that share partial aggregates: the integers of each alone, and nothing left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pytest

from dialect import BoundedSql, Catalog, PrivatePlan, compile_query, generate_sql
from dialect.algebra import Properties, QueryVector, VectorKind
from dialect.analysis import work_bounds
from dialect.analysis.work_bounds import partial_counts
from dialect.codegen import SHARED_PARTIALS, with_shared_ctes, write_totals_sql
from dialect.codegen.profile import UNIT_MEASURES
from dialect.sensitivity import TunedClipBound
from engine.backends import duckdb as backend_module
from engine.backends import lockdown
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import Exact
from engine.backends.lockdown import run_on_cursor
from engine.backends.protocol import Run
from engine.catalog.eligibility import eligibility_filter
from engine.errors import ExecutionFailed
from engine.mechanism.gaussian import NoisyVector
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION
from engine.pricing.clip_bounds.profiles.compiled_profile import StoredProfile
from engine.pricing.compile_release import CompiledRelease, price_release, unpriced_releases
from engine.pricing.profiled_release import ProfileChoice, ProfiledRelease, measure_averages, profiled_release
from tests.engine.town import CATALOG, ROWS, backend_over, make_town
from tests.engine.windowed_town import WINDOWED
from tests.support.without_norms import without_norms

bounded_sql = import_module("dialect.codegen.bounded_sql")
RHO = Fraction(1, 50)
CLIPPED = TunedClipBound(6.0, 0.0, "")
OBJECTED = pa.table({"person": ["3", "7", "11"]})
PEOPLE, VISITS = 1_000, 30_000
MANY = ROWS + f"""
CREATE OR REPLACE TABLE person AS SELECT i AS person_id, 'f' AS gender, 'yes' AS consent FROM range(1, {PEOPLE + 1}) AS t(i);
CREATE OR REPLACE TABLE visit AS SELECT 1 + CAST(hash(i) % {PEOPLE} AS BIGINT) AS person_id, i AS visit_id, 'z' || (hash(i * 7) % 9) AS zone,
       CAST(hash(i * 11) % 610 AS DOUBLE) / 8 AS minutes, 'shop' || (i % 3) AS shop, CAST(i % 5 AS INTEGER) AS coins,
       DATE '2026-10-01' + CAST(i % 4 AS INTEGER) AS day
       FROM range(1, {VISITS + 1}) AS t(i);
"""  # fmt: skip
QUESTIONS = {
    "by zone": "SELECT zone, COUNT(*), SUM(minutes), SUM(coins) FROM visit GROUP BY zone",
    "by zone and day": "SELECT zone, day, COUNT(*), COUNT(DISTINCT person_id) FROM visit GROUP BY zone, day",
    "averages": "SELECT zone, AVG(minutes), AVG(coins) FROM visit WHERE coins > 1 GROUP BY zone",
    "in all": "SELECT COUNT(*), SUM(minutes) FROM visit",
    "joined": "SELECT p.gender, v.day, SUM(v.minutes) FROM visit v JOIN person p USING (person_id) GROUP BY p.gender, v.day",
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_town(tmp_path_factory.mktemp("town"), MANY, sized(without_norms(CATALOG)))


@pytest.fixture(scope="module")
def backend(catalog: Catalog) -> Iterator[DuckDBBackend]:
    opened = backend_over(catalog, Path(catalog.path).parent)
    yield opened
    opened.close()


def sized(catalog: str) -> str:
    """Declare the size classes of the many rows."""
    return catalog.replace('"1e3"', '"1e5"').replace('"1e2"', '"1e3"')


def of_one_window(plan: PrivatePlan, known: Properties, key_count: int | None) -> tuple[float, float]:
    """Bug: the groups of one window only."""
    windows = replace(plan.charged_windows, windows=plan.charged_windows.windows[:1])
    return partial_counts(replace(plan, charged_windows=windows), known, key_count)


def compiled(catalog: Catalog, backend: DuckDBBackend, sql: str) -> CompiledRelease:
    (unpriced,) = unpriced_releases(compile_query(sql, catalog), catalog, backend, NO_CALIBRATION)
    return price_release(unpriced, backend, RHO)


def statements(catalog: Catalog, backend: DuckDBBackend, sql: str) -> list[BoundedSql]:
    """Profile, totals and numbers of a release."""
    release = compiled(catalog, backend, sql)
    profile = release.profile
    assert profile is not None
    totals = [(i, 40) for i, vector in enumerate(profile.plan.vectors) if vector.kind is not VectorKind.CENTRED]
    admission = eligibility_filter(catalog, profile.plan.dataset)
    total = write_totals_sql(profile.shared, totals, backend.target, admission)
    return [profile.sql, total, release.sql] if totals else [profile.sql, release.sql]


def equal(one: Exact, other: Exact) -> bool:
    """Equal integers by key; a profile has its bins in any order."""
    return by_key(one) == by_key(other)


def by_key(exact: Exact) -> dict[tuple[object, ...], tuple[int, ...]]:
    keys = [tuple(row.values()) for row in exact.keys.to_pylist()] or [()]
    return dict(zip(keys, zip(*(vector.tolist() for vector in exact.vectors), strict=True), strict=True))


def shared_results(run: Run, asked: list[BoundedSql]) -> list[Exact]:
    return [run(each, OBJECTED) for each in asked]


@pytest.mark.parametrize("title", QUESTIONS)
def test_shared_statements_have_the_integers_of_each_alone(
    title: str, catalog: Catalog, backend: DuckDBBackend
) -> None:
    asked = statements(catalog, backend, QUESTIONS[title])
    shared = asked[0].shared
    # measures of units are shared where other statements read them: not those of one row a unit, nor of sums
    assert len(shared) == (2 if title in ("averages", "by zone and day") else 1)
    assert all(each.shared.items() <= shared.items() for each in asked) and asked[-1].shared
    with backend.sharing() as run:
        found = shared_results(run, asked)
    for each, exact in zip(asked, found, strict=True):
        assert equal(exact, backend.run(each, OBJECTED)) and any(vector.any() for vector in exact.vectors)


@pytest.mark.parametrize("title", [title for title in QUESTIONS if title != "averages"])
def test_numbers_are_those_of_rows_that_nothing_else_reads(
    title: str, catalog: Catalog, backend: DuckDBBackend
) -> None:
    """Values are multiples of an eighth, which no grain here rounds."""
    release = compiled(catalog, backend, QUESTIONS[title])
    admission = eligibility_filter(catalog, release.plan.dataset)
    alone = generate_sql(release.plan, release.bounds, backend.target, admission)
    assert not alone.shared and equal(backend.run(alone, OBJECTED), backend.run(release.sql, OBJECTED))


def has_equal_clipped_numbers(catalog: Catalog, backend: DuckDBBackend, title: str) -> bool:
    """Whether numbers at clip bounds that most people exceed are those of rows that nothing else reads."""
    release = compiled(catalog, backend, QUESTIONS[title])
    assert release.profile is not None
    unpriced, admission = release.unpriced_release, eligibility_filter(catalog, release.plan.dataset)
    bounds = unpriced.bounds_with(10**10, dict.fromkeys(range(len(release.plan.vectors)), CLIPPED))
    alone, shared = (
        backend.run(generate_sql(release.plan, bounds, backend.target, admission, of), OBJECTED)
        for of in (None, release.profile.shared)
    )
    assert all(vector.any() for vector in alone.vectors)
    return equal(alone, shared)


@pytest.mark.parametrize("title", [title for title in QUESTIONS if title != "averages"])
def test_clipped_numbers_are_those_of_rows_that_nothing_else_reads(
    title: str, catalog: Catalog, backend: DuckDBBackend
) -> None:
    assert has_equal_clipped_numbers(catalog, backend, title)


def test_a_planted_norm_in_other_value_grains_is_found(
    catalog: Catalog, backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Norms of sums are read from measures of units, whose value grains are those of the profile."""
    of_counts, of_sums = (compiled(catalog, backend, QUESTIONS[title]).sql for title in ("by zone and day", "by zone"))
    assert UNIT_MEASURES in of_counts.shared and UNIT_MEASURES not in of_sums.shared
    monkeypatch.setattr(bounded_sql, "has_measured_norms", lambda *_: True)
    assert has_equal_clipped_numbers(catalog, backend, "by zone and day")
    assert not has_equal_clipped_numbers(catalog, backend, "by zone")


@pytest.mark.parametrize("title", QUESTIONS)
def test_numbers_of_a_stored_profile_share_partials_where_another_statement_reads_them(
    title: str, catalog: Catalog, backend: DuckDBBackend
) -> None:
    release = compiled(catalog, backend, QUESTIONS[title])
    assert release.profile is not None
    exact = backend.run(release.profile.sql, OBJECTED)
    stored = StoredProfile(release.profile, release.profile.measure(exact, lambda numbers, *_: NoisyVector(numbers)))
    read, target = partial(backend.run, objected=OBJECTED), backend.target
    averages = measure_averages(release, stored, read, lambda numbers, *_: NoisyVector(numbers), target)
    drawn, found = (
        profiled_release(release, stored, averages, target, is_drawn=is_drawn) for is_drawn in (True, False)
    )
    assert drawn.release.bounds == found.release.bounds and drawn.release.sql.shared
    assert bool(found.release.sql.shared) == bool(averages.groups) and found.totals_sql is None
    assert drawn.release.sql.total_count == found.release.sql.total_count
    assert equal(backend.run(drawn.release.sql, OBJECTED), backend.run(found.release.sql, OBJECTED))


@pytest.mark.parametrize("title", QUESTIONS)
def test_a_statement_alone_computes_what_it_shares_once(title: str, catalog: Catalog, backend: DuckDBBackend) -> None:
    for each in statements(catalog, backend, QUESTIONS[title]):
        alone = with_shared_ctes(each.text, each.shared)
        assert all(alone.count(sql) == 1 for sql in list(each.shared.values())[-1:]) and alone != each.text
        assert equal(backend.run(each, OBJECTED), backend.run(replace(each, shared={}), OBJECTED))


def has_equal_totals(catalog: Catalog, backend: DuckDBBackend, title: str, clip: TunedClipBound | None = None) -> bool:
    """Whether numbers and totals that are read together are those of two statements, alone and over tables."""
    totals, numbers = statements(catalog, backend, QUESTIONS[title])[1:]
    release, admission = compiled(catalog, backend, QUESTIONS[title]), eligibility_filter(catalog, "town")
    assert release.profile is not None
    bounds = release.bounds
    if clip is not None:
        bounds = release.unpriced_release.bounds_with(10**10, dict.fromkeys(range(len(release.plan.vectors)), clip))
        numbers = generate_sql(release.plan, bounds, backend.target, admission, release.profile.shared)
    own = partial(backend.run, objected=OBJECTED)
    of_totals = [vector.tolist() for vector in own(totals).vectors]
    bought = dict.fromkeys(range(len(release.plan.vectors)), 40)
    facts = (release.plan, bounds, backend.target, admission, release.profile.shared, bought)
    found = []
    for is_alone in (False, True):
        both = replace(release, sql=generate_sql(*facts, is_alone=is_alone))
        asked = ProfiledRelease(both, ProfileChoice(release.plan, release.bounds, (), (), ()), None)
        with backend.sharing() as run:
            found += [asked.read(read) for read in (own, partial(run, objected=OBJECTED))]
    return all(equal(exact, own(numbers)) and [v.tolist() for v in more] == of_totals for exact, more in found)


@pytest.mark.parametrize("clip", [None, CLIPPED])
@pytest.mark.parametrize("title", [title for title in QUESTIONS if title != "averages"])
def test_numbers_and_totals_of_one_statement_are_those_of_two(
    title: str, clip: TunedClipBound | None, catalog: Catalog, backend: DuckDBBackend
) -> None:
    assert has_equal_totals(catalog, backend, title, clip)


def test_a_planted_total_that_is_added_up_over_groups_is_found(
    catalog: Catalog, backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person would move it by its clip bound in each group."""
    written = bounded_sql._clipped_totals
    groups = "FROM unit_partials JOIN clip_factors USING (person)"
    monkeypatch.setattr(
        bounded_sql, "_clipped_totals", lambda totals, units: written(totals, units).replace(f"FROM {units}", groups)
    )
    assert has_equal_totals(catalog, backend, "in all", CLIPPED)
    assert not has_equal_totals(catalog, backend, "by zone", CLIPPED)


def test_without_a_group_there_is_no_total(catalog: Catalog, backend: DuckDBBackend) -> None:
    """A private key that passes is needed, else nothing would be corrected by the total."""
    none, release = partial(backend.run, objected=OBJECTED), compiled(catalog, backend, QUESTIONS["by zone"])
    assert release.profile is not None
    numbers = generate_sql(release.plan, release.bounds, backend.target, None, release.profile.shared, {0: 40})
    release = replace(release, sql=numbers)
    asked = ProfiledRelease(release, ProfileChoice(release.plan, release.bounds, (), (), ()), None)

    def without_rows(bounded: BoundedSql) -> Exact:
        exact = none(bounded)
        return Exact(exact.keys.slice(0, 0), tuple(vector[:0] for vector in exact.vectors))

    exact, found = asked.read(without_rows)
    assert len(exact.vectors) == numbers.vector_count - 1 == len(release.plan.vectors) and not found


def test_a_centre_moves_by_whole_grains_of_the_shared_partials(catalog: Catalog, backend: DuckDBBackend) -> None:
    release = compiled(catalog, backend, QUESTIONS["averages"])
    plan, profile = release.unpriced_release.measured_plan, release.profile
    assert profile is not None
    centres = {i: 13.0 + i for i, vector in enumerate(plan.vectors) if vector.kind is VectorKind.CENTRED}
    moved = replace(
        plan, vectors=tuple(replace(v, centre=centres.get(i, v.centre)) for i, v in enumerate(plan.vectors))
    )
    bounds, admission = release.bounds, eligibility_filter(catalog, plan.dataset)
    one, other = (
        backend.run(generate_sql(moved, bounds, backend.target, admission, shared)) for shared in (None, profile.shared)
    )
    assert centres and equal(one, other) and not equal(one, backend.run(release.sql))


def test_products_move_to_other_centres_of_the_shared_partials(catalog: Catalog, backend: DuckDBBackend) -> None:
    """Values are multiples of an eighth, and their products of a 64th: no grain here rounds."""
    release = compiled(catalog, backend, "SELECT zone, VAR_POP(minutes), CORR(minutes, coins) FROM visit GROUP BY zone")
    plan, profile = release.unpriced_release.measured_plan, release.profile
    assert profile is not None

    def moved(vector: QueryVector) -> QueryVector:
        if vector.factor is None:
            return vector
        return replace(vector, centre=7.0, factor=replace(vector.factor, centre=2.0), offset=11.0, is_integer=False)

    about = replace(plan, vectors=tuple(map(moved, plan.vectors)))
    bounds, admission = release.bounds, eligibility_filter(catalog, plan.dataset)
    one, other = (
        backend.run(generate_sql(about, bounds, backend.target, admission, shared)) for shared in (None, profile.shared)
    )
    assert any(each.factor for each in plan.vectors)
    assert equal(one, other) and not equal(one, backend.run(release.sql))


def test_distinct_values_are_counted_in_the_rows_themselves(catalog: Catalog, backend: DuckDBBackend) -> None:
    sql = "SELECT zone, COUNT(*), COUNT(DISTINCT shop), SUM(minutes) FROM visit GROUP BY zone"
    release = compiled(catalog, backend, sql)
    assert release.profile is not None and release.profile.sql.shared and not release.sql.shared
    asked = [release.profile.sql, release.sql]
    with backend.sharing() as run:
        found = shared_results(run, asked)
    assert all(equal(exact, backend.run(each, OBJECTED)) for each, exact in zip(asked, found, strict=True))


def test_shared_partials_are_computed_once_and_dropped(
    catalog: Catalog, backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, texts = statements(catalog, backend, QUESTIONS["by zone and day"]), list[str]()

    def noted(cursor: object, sql: str, tables: object) -> pa.Table:
        texts.append(sql)
        return run_on_cursor(cursor, sql, tables)  # type: ignore[arg-type]

    monkeypatch.setattr(backend_module, "run_on_cursor", noted)
    with backend.sharing() as run:
        shared_results(run, asked)
        with pytest.raises(ExecutionFailed):
            run(replace(asked[0], text="SELECT error('stop')", shared={}), OBJECTED)
    assert [text.startswith("CREATE TEMPORARY TABLE") for text in texts] == [True, True, *[False] * 4]
    assert (
        all('"visit"' not in text for text in texts[1:]) and SHARED_PARTIALS in texts[1] and SHARED_PARTIALS in texts[4]
    )
    left = backend.run_over("SELECT count(*) AS n FROM duckdb_tables() WHERE temporary", {})
    assert left.column("n")[0].as_py() == 0


def check_partials(catalog: Catalog, backend: DuckDBBackend, sql: str) -> None:
    """Are there at most as many partial aggregates as the work bound counts, of one person and of all?"""
    release = compiled(catalog, backend, sql)
    unpriced, profile = release.unpriced_release, release.profile
    assert profile is not None
    found = backend.run_over(f"SELECT count(*) AS n FROM ({profile.sql.shared[SHARED_PARTIALS]}) GROUP BY person", {})
    counts = found.column("n").to_pylist()
    total, of_person = work_bounds.partial_counts(unpriced.plan, unpriced.properties, unpriced.key_count)
    assert sum(counts) <= total and max(counts) <= of_person


@pytest.mark.parametrize("title", QUESTIONS)
def test_partials_are_no_more_than_the_work_bound_counts(title: str, catalog: Catalog, backend: DuckDBBackend) -> None:
    """Proof: dialect/analysis/proofs.md#work."""
    check_partials(catalog, backend, QUESTIONS[title])


def of_units(plan: PrivatePlan, known: Properties, key_count: int | None) -> tuple[float, float]:
    """Bug: a unit of a table without windows counts once, although its rows are joined to those of each window."""
    total, of_person = partial_counts(plan, known, key_count)
    return total / len(plan.charged_windows.windows), of_person


def test_a_planted_bound_of_units_without_windows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of people, who belong to no window, are joined to their visits of several ones."""
    windowed = make_town(tmp_path, MANY, sized(without_norms(WINDOWED)))
    sql = "SELECT SUM(v.minutes) FROM visit v JOIN person p USING (person_id)"
    with closing(backend_over(windowed, tmp_path)) as backend:
        check_partials(windowed, backend, sql)
        monkeypatch.setattr(work_bounds, "partial_counts", of_units)
        with pytest.raises(AssertionError):
            check_partials(windowed, backend, sql)


def test_a_planted_bound_of_one_window_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person has partial aggregates of a group in each window."""
    windowed = make_town(tmp_path, MANY, sized(without_norms(WINDOWED)))
    with closing(backend_over(windowed, tmp_path)) as backend:
        check_partials(windowed, backend, QUESTIONS["by zone"])
        monkeypatch.setattr(work_bounds, "partial_counts", of_one_window)
        with pytest.raises(AssertionError):
            check_partials(windowed, backend, QUESTIONS["by zone"])


@pytest.mark.parametrize("title", QUESTIONS)
def test_partial_aggregates_are_integers_whatever_the_query(
    title: str, catalog: Catalog, backend: DuckDBBackend
) -> None:
    """Statements that only read them bind where one of them does."""
    asked = statements(catalog, backend, QUESTIONS[title])
    columns = backend.empty.columns(asked[0].shared[SHARED_PARTIALS], {})
    vectors = [name for name in columns.column_names if name.startswith("v")]
    assert vectors and all(columns.schema.field(name).type == pa.int64() for name in vectors)
    for each in asked:
        assert backend.empty.columns(each.text, {}).num_rows == 0


def test_two_releases_have_shared_partials_of_their_own(catalog: Catalog, backend: DuckDBBackend) -> None:
    asked = [each for title in ("by zone", "joined") for each in statements(catalog, backend, QUESTIONS[title])]
    with backend.sharing() as run:
        found = shared_results(run, asked)
    assert all(equal(exact, backend.run(each, OBJECTED)) for each, exact in zip(asked, found, strict=True))


MANY_VARIANCES = ", ".join(f"VAR_POP(minutes) FILTER (WHERE minutes < {i} + 0.5) AS a{i}" for i in range(24))


def check_planning(catalog: Catalog, folder: Path) -> None:
    """The numbers of many variances are read from partial aggregates in less time than these take."""
    with closing(backend_over(catalog, folder)) as backend:
        partials, *_, numbers = statements(catalog, backend, f"SELECT zone, {MANY_VARIANCES} FROM visit GROUP BY zone")
        with backend.sharing() as run:
            seconds = []
            for each in (partials, numbers):
                begun = time.process_time()
                run(each, OBJECTED)
                seconds.append(time.process_time() - begun)
    assert seconds[1] < 1.5 * seconds[0], seconds


def test_many_numbers_are_planned_in_little_time(catalog: Catalog, tmp_path: Path) -> None:
    check_planning(catalog, tmp_path)


def test_a_pass_that_plans_in_the_cube_of_columns_is_found(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once nothing is found, the pass may be turned on again."""
    passes = str(lockdown.LOCKDOWN_SETTINGS["disabled_optimizers"]).replace(",projection_placement", "")
    monkeypatch.setattr(lockdown, "LOCKDOWN_SETTINGS", {**lockdown.LOCKDOWN_SETTINGS, "disabled_optimizers": passes})
    with pytest.raises(AssertionError):
        check_planning(catalog, tmp_path)
