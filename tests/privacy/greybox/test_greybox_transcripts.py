"""What noise is added to, on neighbours that have seen the same released numbers, at the clip bounds chosen from them.

All of a release with a profile runs as in the engine: profile, distances, numbers and totals. Each mechanism gets what
it would get if all before it had released the same, and moves by at most the sensitivity that its noise is for.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from types import SimpleNamespace
from typing import Any, NamedTuple

import duckdb
import pytest

from budgets import Ledger
from dialect import Catalog, Target, compile_query
from dialect.catalog.privacy_windows import STATIC, PrivacyWindow
from dialect.codegen import profile
from dialect.postprocess import reads_single_groups
from engine.backends.exact import NO_OBJECTIONS, Int64Vector
from engine.catalog.file import load_catalog
from engine.mechanism.gaussian import NoiseSource, NoisyVector
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import price_release, unpriced_release
from tests.privacy.greybox.test_greybox_profiles import unclamped
from tests.support.greybox.greybox import InMemory
from tests.support.neighbours.window_worlds import PRIVATE, VICTIM, WINDOW_COUNT, Data, Row, Worlds, catalog_text
from tests.support.planted import instead
from tests.support.statistics.repeatable_noise import repeatable_noise
from tests.support.without_norms import without_norms

bounded_sql = import_module("dialect.codegen.bounded_sql")
RHO = Fraction(20)  # so that units are visible, centres and totals are chosen
MONTH = PrivacyWindow.MONTH
NARROW, WIDE = "[0, 90]", "[-1e12, 9e17]"
BY_PLACE = "SELECT v.place AS k, {} FROM visit v GROUP BY v.place"
CROSSING = (
    "SELECT v.place AS k, AVG(v.steps) AS a FROM visit v JOIN seen s ON v.person_id = s.person_id GROUP BY v.place"
)
DAYS = "(SELECT person_id, place, COUNT(DISTINCT day) AS days FROM visit GROUP BY 1, 2) v"
BY_HOME = "SELECT p.home AS k, {} FROM visit v JOIN person p USING (person_id) GROUP BY p.home"  # one group a person
ONE_ROW = "SELECT p.zone AS k, SUM(CASE p.home WHEN 'a' THEN 1e6 ELSE 0.5 END) AS s FROM person p GROUP BY p.zone"
QUESTIONS = (
    BY_PLACE.format("COUNT(*) AS c, SUM(least(greatest(v.steps, 0), 9)) AS s"),
    BY_PLACE.format("AVG(v.dwell) AS a, COUNT(*) AS c"),
    CROSSING,
    f"SELECT v.place AS k, AVG(v.days) AS a FROM {DAYS} GROUP BY v.place",
    BY_HOME.format("COUNT(*) AS c, SUM(least(greatest(v.steps, 0), 9)) AS s, AVG(v.dwell) AS a"),
    ONE_ROW,
)
OF_PEOPLE = tuple((p, "abc"[p % 3], "abc"[p // 3 % 3]) for p in range(1, 200))
PEOPLE = [
    Row(p, p % WINDOW_COUNT, 600 + i, 1 + (p + i) % 3, 3 + p % 5, float(p % 50))
    for p in range(1, 200)
    for i in range(1 + p % 4 + (0 if p % 10 else 30))  # few have many rows: then totals are bought
]
OWN = [
    Row(VICTIM, i % WINDOW_COUNT - (4 if i > 27 else 0), 1_440 * (i % 9) + 5, 1 + i % 3, steps, dwell)
    for i in range(32)
    for steps, dwell in ((99, 1e300), (-(2**62), -1e15))[: 1 + i % 2]
]


class Mechanism(NamedTuple):
    """One call of a noise source."""

    exact: Int64Vector
    sensitivity: int
    pico_rho: int
    released: NoisyVector


def recorded(noise: NoiseSource, into: list[Mechanism]) -> NoiseSource:
    """Wrap a noise source to record its calls."""

    def add(exact: Int64Vector, sensitivity: int, scale: float, pico_rho: int) -> NoisyVector:
        released = noise(exact, sensitivity, scale, pico_rho)
        into.append(Mechanism(exact, sensitivity, pico_rho, released))
        return released

    return add


def replayed(calls: list[Mechanism]) -> NoiseSource:
    """Return a noise source that releases what was released before, to the same calls."""
    left = iter(calls)

    def add(exact: Int64Vector, sensitivity: int, scale: float, pico_rho: int) -> NoisyVector:
        before = next(left)
        assert (len(exact), sensitivity, pico_rho) == (len(before.exact), before.sensitivity, before.pico_rho)
        return before.released

    return add


def measured(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, world: str, sql: str, noise: NoiseSource, is_stored: bool
) -> tuple[list[Mechanism], Any]:
    """Measure a question with a profile in one world; returns the mechanisms that ran, and the release as priced.

    `is_stored`: the numbers are measured as if the profile that is drawn first had been stored.
    """
    calls, charge = list[Mechanism](), SimpleNamespace(stored={})
    backend = InMemory(Target({t.name: f"{world}.{t.name}" for t in catalog.tables}), connection, PRIVATE)
    question = compile_query(sql, catalog)
    is_by_group = reads_single_groups(question)
    unpriced = unpriced_release(question.plans[0], catalog, backend, reads_single_groups=is_by_group)
    compiled = price_release(unpriced, backend, RHO)
    assert compiled.profile is not None
    with Ledger.open(":memory:") as ledger, backend.sharing() as run:
        engine: Any = Engine(catalog, backend, ledger, recorded(noise, calls))
        profiles = engine._draw_profiles([compiled], charge, NO_OBJECTIONS, run)
        charge.stored = profiles if is_stored else {}
        engine._measure(question, compiled, charge, NO_OBJECTIONS, profiles, run)
    return calls, compiled


def check(connection: duckdb.DuckDBPyConnection, folder: Any, range_: str = NARROW, *, is_stored: bool = False) -> int:
    """Compare everybody with each neighbour; returns how many mechanisms moved."""
    file = folder / "windowed.toml"
    file.write_text(without_norms(catalog_text(MONTH)).replace(f"bounds = {NARROW}", f"bounds = {range_}"))
    catalog, worlds, moved = load_catalog(file), Worlds(connection, MONTH, Data((*PEOPLE, *OWN), OF_PEOPLE)), 0
    for sql in QUESTIONS:
        calls, compiled = measured(connection, catalog, "everybody", sql, repeatable_noise(), is_stored)
        assert sum(each.pico_rho for each in calls) <= sum(each.loss.pico_rho for each in compiled.priced)
        charged = compiled.plan.charged_windows.windows
        neighbours = [(f"without_{i}", name) for i, name in enumerate(worlds.names)]
        for world, window in [*neighbours, *([("static", STATIC)] if STATIC in charged else []), ("mixed", "")]:
            others, _ = measured(connection, catalog, world, sql, replayed(calls), is_stored)
            for one, other in zip(calls, others, strict=True):
                squared = sum(int(move) ** 2 for move in one.exact.astype(object) - other.exact.astype(object))
                assert squared <= (one.sensitivity**2 if window in charged else 0), (world, squared, one.sensitivity)
                moved += squared > 0
    return moved


@pytest.mark.parametrize(("range_", "is_stored"), [(NARROW, False), (WIDE, False), (NARROW, True)])
def test_each_mechanism_moves_by_at_most_what_its_noise_is_for(
    connection: duckdb.DuckDBPyConnection, tmp_path: Any, range_: str, is_stored: bool
) -> None:
    assert check(connection, tmp_path, range_, is_stored=is_stored) > 40


def test_a_planted_group_taken_for_a_unit_is_found(
    connection: duckdb.DuckDBPyConnection, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if by place, too, a unit were in one group alone: it is in a bin for each."""
    monkeypatch.setattr(profile, "has_single_row_units", lambda *_: True)
    with pytest.raises(AssertionError):
        check(connection, tmp_path)


def multiplied(written: Callable[..., str]) -> Callable[..., str]:
    """Planted: a total is added up over the groups."""
    total = "t0 * (SELECT count(*) FROM group_sums) AS t0"
    return lambda *given: f"SELECT * REPLACE ({total}) FROM ({written(*given)}) AS t"


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_planted_total_of_each_group_is_found(
    connection: duckdb.DuckDBPyConnection, tmp_path: Any, is_stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(bounded_sql, "_clipped_totals", multiplied(bounded_sql._clipped_totals))(monkeypatch)
    with pytest.raises(AssertionError):
        check(connection, tmp_path, is_stored=is_stored)


def test_a_planted_mean_beyond_the_reach_of_the_chosen_centre_is_found(
    connection: duckdb.DuckDBPyConnection, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(profile, "_clipped_mean", unclamped(profile._clipped_mean))(monkeypatch)
    with pytest.raises(AssertionError):
        check(connection, tmp_path)
