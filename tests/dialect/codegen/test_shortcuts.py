"""Physical shortcuts: bounded SQL without one gives the same exact integers, on drawn questions over drawn data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dialect import BoundedSql, Catalog, Refusal, bound_contributions, compile_query, generate_sql
from dialect.algebra.codegen_types import Rollup, Shortcut, Target
from dialect.algebra.release_plan import ClipRule, ContributionBounds, PrivatePlan
from dialect.codegen import write_rollup
from engine.backends.duckdb import DuckDBBackend
from engine.catalog.eligibility import eligibility_filter
from engine.data.snapshot import open_snapshot
from tests.support.sql.oracle import same
from tests.support.sql.sql_grammar import Round, rounds
from tests.support.sql.sql_sources import Source, Sources
from tests.support.worlds import write_world

ROUNDS = 10
LEAST_TAKEN = 5  # drawn plans whose SQL a shortcut changes
BY_EVERYTHING = "SELECT k, z, d, b, COUNT(*), COUNT(DISTINCT pid), COUNT(n) FROM act GROUP BY ALL"
# over every database, since they are seldom drawn
BY_GENDER = (
    "SELECT w.g, COUNT(*) AS n, COUNT(DISTINCT a.pid) AS p FROM act AS a JOIN who AS w ON a.pid = w.pid GROUP BY 1",
    "SELECT w.g, COUNT(*), SUM(LEAST(a.z, 9)) FROM act AS a JOIN who AS w USING (pid) WHERE a.b OR a.z > 1 GROUP BY 1",
)
rollups, joins, pushdown, unclipped, render = (
    import_module(f"dialect.codegen.{name}")
    for name in (
        "materialized_rollups",
        "relations.relation",
        "contribution.pushdown",
        "contribution.unclipped_units",
        "partials",
    )
)


DISJOINT = joins._disjoint_conditions


class ShortcutSources(Sources):
    """Sources, among them more of those over which shortcuts apply."""

    def source(self) -> Source:
        """Draw private rows."""
        form = self.draw(st.integers(0, 5))
        if form > 1:
            return super().source()
        act, num, pub = self._names("act", "a"), self._names("num", "u"), self._names("pub", "p")
        if form == 0:  # keys are of the public table
            unlisted = tuple(replace(name, listed=False) for name in act)
            return Source("act AS a JOIN pub AS p ON a.k = p.k", unlisted + pub, "a.pid")
        on = self.draw(st.sampled_from(("a.z = u.z OR a.n = u.z", "u.z = a.z OR u.z + 1 = a.z OR a.n = u.z")))
        return Source(f"act AS a JOIN num AS u ON {on}", act + num, "a.pid")


@dataclass(frozen=True)
class Drawn:
    """A drawn plan, and the data that it reads."""

    sql: str
    plan: PrivatePlan
    bounds: ContributionBounds
    catalog: Catalog
    backend: DuckDBBackend
    target: Target

    def bounded(self, *without: Shortcut) -> BoundedSql:
        """Generate bounded SQL, perhaps without a shortcut."""
        target = replace(self.target, shortcuts=self.target.shortcuts - {*without})
        return generate_sql(self.plan, self.bounds, target, eligibility_filter(self.catalog, self.plan.dataset))

    def is_equal(self, *shortcuts: Shortcut) -> bool | None:
        """Return whether the integers are equal without shortcuts; None if they do not apply."""
        with_it, without = self.bounded(), self.bounded(*shortcuts)
        if with_it.text == without.text:
            return None
        return same((self.backend.run(with_it),), (self.backend.run(without),))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Drawn]]:
    """Plans of drawn questions over drawn databases, with clip bounds so low that many units are clipped."""
    found: list[Drawn] = []
    once = settings(
        max_examples=ROUNDS, phases=(Phase.generate,), database=None, suppress_health_check=list(HealthCheck)
    )

    @seed(1)
    @once
    @given(rounds(ShortcutSources))
    def draw(one: Round) -> None:
        found.extend(_plans(one, tmp_path_factory.mktemp("drawn")))

    draw()
    yield found
    for backend in {id(each.backend): each.backend for each in found}.values():
        backend.close()


def _plans(one: Round, folder: Path) -> Iterator[Drawn]:
    database, asked = one
    catalog = write_world(folder, database.statements, database.catalog)
    made = open_snapshot(catalog, folder / "cache", lambda *_: None)
    backend = DuckDBBackend.open(made.files, made.addresses, folder / "cache")
    target = replace(backend.target, rollups=(_rollup(catalog, backend),))
    for sql in dict.fromkeys((*asked, *BY_GENDER, "SELECT b, COUNT(*) AS n FROM act WHERE z > 0 GROUP BY 1")):
        with suppress(Refusal):
            for plan in compile_query(sql, catalog).plans:
                yield Drawn(sql, plan, _tight(bound_contributions(plan, catalog, 25)), catalog, backend, target)


def _tight(bounds: ContributionBounds) -> ContributionBounds:
    """Lower the clip bound of vectors that are scaled."""
    vectors = (
        replace(each, clip_bound_grains=max(1 << each.fraction_bits, each.clip_bound_grains // 8))
        if each.rule is ClipRule.SCALE
        else each
        for each in bounds.vectors
    )
    return replace(bounds, vectors=tuple(vectors))


def _rollup(catalog: Catalog, backend: DuckDBBackend) -> Rollup:
    """Make a rollup of the actions."""
    (plan,) = compile_query(BY_EVERYTHING, catalog).plans
    bounds = bound_contributions(plan, catalog, None)
    backend._connection.execute(
        f"CREATE OR REPLACE TABLE memory.main.by_everything AS {write_rollup(plan, bounds, backend.target)}"
    )
    return Rollup(plan, bounds, "memory.main.by_everything")


def _truncates(each: Drawn) -> bool:
    """Return whether groups are chosen by a hash of their keys: a code and a text choose other groups."""
    return each.bounds.max_groups is not None or any(v.max_groups is not None for v in each.bounds.vectors)


@pytest.mark.parametrize("shortcut", Shortcut)
def test_a_shortcut_changes_no_integer(shortcut: Shortcut, drawn: list[Drawn]) -> None:
    plans = [each for each in drawn if shortcut is not Shortcut.DICTIONARY_CODES or not _truncates(each)]
    verdicts = [(each.sql, equal) for each in plans if (equal := each.is_equal(shortcut)) is not None]
    assert not [sql for sql, equal in verdicts if not equal]
    assert len(verdicts) >= LEAST_TAKEN


def test_all_shortcuts_together_change_no_integer(drawn: list[Drawn]) -> None:
    plans = [each for each in drawn if not _truncates(each)]
    assert plans and not [each.sql for each in plans if each.is_equal(*Shortcut) is False]


def _rewritten(module: ModuleType, name: str, change: Callable[[str], str]) -> Callable[[pytest.MonkeyPatch], None]:
    as_written = getattr(module, name)
    return lambda patch: patch.setattr(module, name, lambda *given: change(as_written(*given)))


PLANTED: dict[Shortcut, Callable[[pytest.MonkeyPatch], None]] = {
    # the largest count of stored groups instead of their sum
    Shortcut.ROLLUPS: _rewritten(rollups, "_rolled_up_number", lambda sql: sql.replace("sum(", "max(")),
    # pairs that meet the second equality alone are lost
    Shortcut.DISJUNCTIVE_JOINS: lambda patch: patch.setattr(
        joins, "_disjoint_conditions", lambda *given: [sql.replace("IS NOT TRUE", "IS NULL") for sql in DISJOINT(*given)]
    ),
    # texts of some rows have no code
    Shortcut.DICTIONARY_CODES: _rewritten(render, "dictionary_sql", lambda sql: f"SELECT * FROM ({sql}) WHERE code > 1"),
    # grains of half the size
    Shortcut.PUBLIC_GRAINS: _rewritten(pushdown, "value_grains", lambda sql: f"2 * ({sql})"),
    # rows of all keys that agree in all but the last column
    Shortcut.ENCODED_KEYS: _rewritten(render, "encoded_rows", lambda sql: sql.rpartition(" AND ")[0]),
    # numbers joined to the keys of every person
    Shortcut.AGGREGATION_PUSHDOWN: _rewritten(pushdown, "_same_person", lambda _: "TRUE"),
    # units with twice the norm count as unclipped
    Shortcut.UNCLIPPED_UNITS: _rewritten(unclipped, "_norm_upper_bound", lambda sql: f"({sql}) // 2"),
}  # fmt: skip


@pytest.mark.parametrize("shortcut", Shortcut)
def test_a_planted_bug_of_a_shortcut_is_found(
    shortcut: Shortcut, drawn: list[Drawn], monkeypatch: pytest.MonkeyPatch
) -> None:
    PLANTED[shortcut](monkeypatch)
    assert any(each.is_equal(shortcut) is False for each in drawn)
