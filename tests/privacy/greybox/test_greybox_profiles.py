"""Contribution profiles of neighbours that differ in one person's rows of one window, in catalogs without norms.

A histogram moves by one unit in one bin, or in two where a unit is replaced; a total by its clip bound. What is not
charged moves nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from dialect import Catalog, PrivatePlan, Target, compile_query, generate_sql
from dialect.algebra import QueryVector, VectorKind
from dialect.catalog.privacy_windows import STATIC, PrivacyWindow
from dialect.codegen import (
    LOWEST_BIN,
    MEAN_STEPS,
    NEGATIVE_BINS,
    CentredAverage,
    MeanBins,
    Measure,
    OtherCentres,
    profile,
    write_distances_sql,
    write_means_sql,
    write_totals_sql,
)
from dialect.codegen.partials import Partials
from dialect.errors import Refusal
from dialect.postprocess import reads_single_groups
from dialect.sensitivity import TunedClipBound
from engine.backends.exact import NO_OBJECTIONS
from engine.catalog.eligibility import eligibility_filter
from engine.catalog.file import load_catalog
from engine.pricing.clip_bounds.profiles.compiled_profile import CompiledProfile
from engine.pricing.compile_release import CompiledRelease, price_release, unpriced_release
from tests.support.greybox.greybox import RHO, InMemory, connect
from tests.support.neighbours import window_questions
from tests.support.neighbours.window_questions import data, fill_dates, questions
from tests.support.neighbours.window_worlds import PRIVATE, Data, Worlds, catalog_text
from tests.support.sql.passes import choose_keys
from tests.support.without_norms import without_norms

bounded_sql = import_module("dialect.codegen.bounded_sql")
bounding = import_module("dialect.sensitivity.bounding")
EXAMPLES = 2_000 if os.environ.get("PASSERSBY_NIGHTLY") else 25
BINS = 81
CENTRE_AND_REACH = (700, 900)  # of averages, in value grains of 1 / 1024
BOUND = 3  # clip bound of totals, in value grains
SMALL, OFFSET = 0.5, 50.0  # clip bound of products and their count, and what is subtracted of each product
CROSSING = "visit v JOIN seen s ON v.person_id = s.person_id"  # rows of one window meet those of another
Moves = Counter[str]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


def undeclared(window: PrivacyWindow, folder: Path) -> Catalog:
    """The windowed catalog without norms."""
    file = folder / f"{window}.toml"
    file.write_text(without_norms(catalog_text(window)))
    return load_catalog(file)


def kind_of(plan: PrivatePlan) -> str:
    if plan.key_set is None:
        return "private keys"
    if plan.charged_windows.is_crossing:
        return "crossing"
    return "one" if plan.charged_windows.window_field is None else "several"


class Measured:
    """Exact histograms and totals of one plan in each world."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, plan: PrivatePlan, single: bool
    ) -> None:
        self.connection, self.catalog, self.plan, self.single = connection, catalog, plan, single

    def release(self, world: str) -> CompiledRelease:
        backend = self.backend(world)
        unpriced = unpriced_release(self.plan, self.catalog, backend, reads_single_groups=self.single)
        return price_release(unpriced, backend, RHO)

    def profile(self, world: str) -> CompiledProfile | None:
        return self.release(world).profile

    @cached_property
    def released(self) -> tuple[pa.Table, ...]:
        """Some of everybody's private keys, the same in every world; nothing for public keys."""
        keys = choose_keys(self.release("everybody"), self.backend("everybody"))
        return () if keys is None else (keys,)

    def backend(self, world: str) -> InMemory:
        addresses = {table.name: f"{world}.{table.name}" for table in self.catalog.tables}
        return InMemory(Target(addresses), self.connection, PRIVATE)

    def numbers(self, world: str) -> tuple[list[np.ndarray], list[int]]:
        """Histograms by bin, and totals of the vectors that are never negative."""
        compiled, backend = self.profile(world), self.backend(world)
        assert compiled is not None
        exact = backend.run(compiled.sql, NO_OBJECTIONS, *self.released)
        places = exact.keys.column(0).to_numpy().astype(int) - LOWEST_BIN
        histograms = [np.zeros(BINS, dtype=np.int64) for _ in exact.vectors]
        for dense, counts in zip(histograms, exact.vectors, strict=True):
            dense[places] = counts
        vectors = self.plan.vectors
        indexes = dict.fromkeys(each.vector for each in compiled.shared.histograms)
        totals = [(i, BOUND) for i in indexes if not vectors[i].is_sum or vectors[i].lower >= vectors[i].centre]
        if not totals:
            return histograms, []
        admission = eligibility_filter(self.catalog, self.plan.dataset)
        sql = write_totals_sql(compiled.shared, totals, backend.target, admission)
        return histograms, [int(total[0]) for total in backend.run(sql, NO_OBJECTIONS, *self.released).vectors]

    def exact_release(self, world: str) -> tuple[list[tuple[object, ...]], list[np.ndarray], tuple[int, ...]]:
        """Keys, exact numbers and sensitivities of the release, from the partial aggregates that its profile reads."""
        compiled = self.release(world)
        exact = self.backend(world).run(compiled.sql, NO_OBJECTIONS, *self.released)
        assert compiled.sql.shared or any(each.kind is VectorKind.DISTINCT for each in self.plan.vectors)
        keys = [tuple(row.values()) for row in exact.keys.to_pylist()]
        return keys, list(exact.vectors), tuple(each.sensitivity for each in compiled.bounds.vectors)

    def distances(self, world: str) -> list[np.ndarray]:
        """Class means in steps, and units by norm, of each profiled average about some centre."""
        compiled, backend = self.profile(world), self.backend(world)
        assert compiled is not None
        means = [each for each in compiled.shared.histograms if each.measure is Measure.MEAN]
        about = [CentredAverage(each.vector, each.count, *CENTRE_AND_REACH) for each in means]
        if not about:
            return []
        sql = write_distances_sql(
            compiled.shared, about, backend.target, eligibility_filter(self.catalog, self.plan.dataset)
        )
        exact = backend.run(sql, NO_OBJECTIONS, *self.released)
        found = [np.zeros(2 * NEGATIVE_BINS, dtype=np.int64) for _ in exact.vectors]
        for dense, numbers in zip(found, exact.vectors, strict=True):
            dense[exact.keys.column(0).to_numpy().astype(int)] = numbers
        return found

    def about_centres(self, world: str) -> tuple[list[tuple[np.ndarray, int]], bool]:
        """What follows from products about other centres, each with the most that a unit moves it; and if there are any.

        That is units by mean, class means and norms, and the numbers themselves.
        """
        compiled, backend = self.profile(world), self.backend(world)
        assert compiled is not None
        moved = replace(compiled.shared.plan, vectors=tuple(map(about_others, compiled.shared.plan.vectors)))
        pairs = [(i, each.count) for each in compiled.averages for i in each.totals if moved.vectors[i].factor]
        if not pairs:
            return [], False
        admission, target = eligibility_filter(self.catalog, self.plan.dataset), backend.target
        facts, found = (target, admission), list[tuple[np.ndarray, int]]()
        bins = [MeanBins(*pair, (0, -900, -1, 0, 1, 900)) for pair in pairs]
        about = [CentredAverage(*pair, *CENTRE_AND_REACH) for pair in pairs]
        others = OtherCentres(moved, compiled.shared.profile_bounds)
        measured = (
            (write_means_sql(compiled.shared, others, bins, *facts), (1,)),
            (write_distances_sql(compiled.shared, about, *facts, others), (MEAN_STEPS, 1)),
        )
        for sql, steps in measured:
            exact = backend.run(sql, NO_OBJECTIONS, *self.released)
            places = exact.keys.column(0).to_numpy().astype(int)
            for i, numbers in enumerate(exact.vectors):
                dense = np.zeros(2 * NEGATIVE_BINS, dtype=np.int64)
                dense[places] = numbers
                found.append((dense, steps[i % len(steps)] * (2 if self.plan.charged_windows.is_crossing else 1)))
        release = self.release(world)
        unpriced = replace(release.unpriced_release, measured_plan=moved)
        bounds = unpriced.bounds_with(10**10, {i: TunedClipBound(SMALL, 0.0, "") for pair in pairs for i in pair})
        sql = generate_sql(moved, bounds, target, admission, compiled.shared)
        exact = backend.run(sql, NO_OBJECTIONS, *self.released)
        found += zip(exact.vectors, (each.sensitivity for each in bounds.vectors), strict=False)
        return found, True


def about_others(vector: QueryVector) -> QueryVector:
    """Take products about other centres, and subtract a number of each."""
    if vector.factor is None:
        return vector
    one, other = (min(max(0.0, side.lower), side.upper) for side in (vector, vector.factor))  # near usual values
    return replace(vector, centre=one, factor=replace(vector.factor, centre=other), offset=OFFSET)


def check_products(measured: Measured, worlds: Worlds) -> bool:
    """Compare what follows from products with each neighbour; returns whether there are any."""
    charged = measured.plan.charged_windows
    everybody, has_products = measured.about_centres("everybody")
    for i, window in enumerate(worlds.names if has_products else ()):
        others, _ = measured.about_centres(f"without_{i}")
        for (one, most), (other, _) in zip(everybody, others, strict=True):
            squared = sum(int(move) ** 2 for move in one.astype(object) - other.astype(object))
            assert squared <= (most**2 if window in charged.windows else 0), (window, squared, most)
    return has_products


def check_profile(measured: Measured, worlds: Worlds) -> bool:
    """Compare everybody with each neighbour; returns whether some histogram moved."""
    charged, has_moved = measured.plan.charged_windows, False
    everybody, distances = measured.numbers("everybody"), measured.distances("everybody")
    neighbours = [*((f"without_{i}", name) for i, name in enumerate(worlds.names)), ("static", STATIC), ("mixed", "")]
    for world, window in neighbours:
        if window == STATIC and STATIC not in charged.windows:
            continue  # the static account is charged where its rows are read
        histograms, totals = measured.numbers(world)
        most_bins = 0 if window not in charged.windows else 2 if charged.is_crossing else 1
        for one, other in zip(everybody[0], histograms, strict=True):
            moved = int(((one - other) ** 2).sum())
            assert moved <= most_bins, (world, window, moved)
            has_moved |= moved > 0
        keys, vectors, sensitivities = measured.exact_release("everybody")
        other_keys, others, _ = measured.exact_release(world)
        assert keys == other_keys
        for one, other, sensitivity in zip(vectors, others, sensitivities, strict=False):
            squared = sum(int(move) ** 2 for move in one.astype(object) - other.astype(object))
            assert squared <= (sensitivity**2 if most_bins else 0), (world, window, squared, sensitivity)
        for i, (one, other) in enumerate(zip(distances, measured.distances(world), strict=True)):
            step = 1 if i % 2 else MEAN_STEPS  # a replaced unit may move by both of its numbers in one class
            most = 0 if not most_bins else 2 if i % 2 and charged.is_crossing else 4 if charged.is_crossing else 1
            moved = int(((one - other) ** 2).sum())
            assert moved <= most * step**2, (world, window, i, moved)
        for total, less in zip(everybody[1], totals, strict=True):
            assert abs(total - less) <= (BOUND if most_bins else 0), (world, window, total, less)
    return has_moved


def checked(
    connection: duckdb.DuckDBPyConnection, window: PrivacyWindow, folder: Path, begin: str = "SELECT ",
    check: Callable[[Measured, Worlds], bool] = check_profile,
) -> Moves:  # fmt: skip
    """Check the profiles of drawn questions, which `begin` so; returns how many of each kind moved."""
    catalog, moves = undeclared(window, folder), Counter[str]()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
    @given(data(), questions())
    def holds(given_data: Data, sql: str) -> None:
        note(sql)
        worlds = Worlds(connection, window, given_data)
        try:
            question = compile_query(fill_dates(sql, window).replace("SELECT ", begin, 1), catalog)
            found = [Measured(connection, catalog, plan, reads_single_groups(question)) for plan in question.plans]
            profiled = [each for each in found if each.profile("everybody") is not None]
        except Refusal:
            return
        for each in profiled:
            moves[kind_of(each.plan)] += check(each, worlds)

    holds()
    return moves


def test_neighbours_move_a_histogram_by_one_unit(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moves = checked(connection, PrivacyWindow.MONTH, tmp_path_factory.mktemp("undeclared"))
    assert moves.total() >= EXAMPLES // 5 and len(moves) >= 2


def test_neighbours_move_a_histogram_over_private_keys_by_one_unit(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("undeclared")
    for others in ("", ", others = true"):
        begin = f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private'{others}) "
        assert checked(connection, PrivacyWindow.MONTH, folder, begin)["private keys"] > 0


def test_a_planted_unit_in_two_bins_is_found(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured by window as well as by group, a unit is in as many bins as it has groups."""
    written = profile._unit_measures

    def by_group(partials: Partials, *rest: object) -> str:
        by = f"GROUP BY {', '.join(partials.plan.unit_columns)}"
        text = written(partials, *rest)  # type: ignore[arg-type]
        return text.replace(f"{by})", f"{by}, k0)") if partials.plan.keys else text

    monkeypatch.setattr(profile, "_unit_measures", by_group)
    with pytest.raises(AssertionError):
        checked(connection, PrivacyWindow.MONTH, tmp_path_factory.mktemp("undeclared"))


def test_a_planted_group_in_two_shared_rows_is_found(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is measured alone, so that a unit's norm is taken for a smaller one than what it adds."""
    written = bounded_sql.in_grains_of

    def twice(found: Partials, *rest: object) -> Partials:
        own = written(found, *rest)  # type: ignore[arg-type]
        return replace(own, unit=replace(own.unit, text=f"{own.unit.text} UNION ALL {own.unit.text}"))

    monkeypatch.setattr(bounded_sql, "in_grains_of", twice)
    with pytest.raises(AssertionError):
        checked(connection, PrivacyWindow.MONTH, tmp_path_factory.mktemp("undeclared"))


def averages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw questions with averages."""
    monkeypatch.setattr(window_questions, "AGGREGATES", ("AVG({value})", "COUNT(*)"))


def test_neighbours_move_distances_by_their_sensitivity(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    averages_alone(monkeypatch)
    assert checked(connection, PrivacyWindow.MONTH, tmp_path_factory.mktemp("undeclared")).total() > 0


def test_a_planted_class_mean_that_is_not_clamped_is_found(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A far mean moves its class by more than the steps of its reach."""
    averages_alone(monkeypatch)
    monkeypatch.setattr(profile, "_clipped_mean", unclamped(profile._clipped_mean))
    with pytest.raises(AssertionError):
        checked(connection, PrivacyWindow.MONTH, tmp_path_factory.mktemp("undeclared"))


def unclamped(written: Callable[..., str]) -> Callable[..., str]:
    """Write class means without their clamp."""
    clamp = f"greatest(-{MEAN_STEPS}, least({MEAN_STEPS}, "
    return lambda *given: written(*given).replace(clamp, "((")


def moments_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw questions with variances and covariances."""
    covariance = "COVAR_POP({value}, least({value}, 10))"
    monkeypatch.setattr(window_questions, "AGGREGATES", ("VAR_POP({value})", covariance, "COUNT(*)"))


def test_neighbours_move_products_about_other_centres_by_their_sensitivity(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments_alone(monkeypatch)
    folder = tmp_path_factory.mktemp("undeclared")
    moves = checked(connection, PrivacyWindow.MONTH, folder, check=check_products)
    assert moves.total() >= EXAMPLES // 5


def test_a_planted_sensitivity_of_squares_that_are_never_negative_is_found(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number is subtracted of each square, so that a unit's sum may change its sign where it is replaced."""
    moments_alone(monkeypatch)
    joined = [each for each in window_questions.SOURCES if each.rows == CROSSING]
    monkeypatch.setattr(window_questions, "SOURCES", joined)
    monkeypatch.setattr(bounding, "_is_non_negative", lambda vector: True)
    with pytest.raises(AssertionError):
        checked(connection, PrivacyWindow.MONTH, tmp_path_factory.mktemp("undeclared"), check=check_products)
