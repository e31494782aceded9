"""Bugs of what is free, planted one by one: each is found by numbers without noise, or by what is bought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from budgets import Loss
from dialect.algebra.expressions import Expr
from dialect.algebra.release_plan import VectorKind
from dialect.planner.keys.public_domains import PublicList
from dialect.planner.reuse.view_matching import CanonicalPlan
from engine.pipeline import engine as pipeline
from engine.pipeline.engine import Engine
from engine.reuse import sources
from tests.engine.complete_town import DAILY, anew, ask, held_town, price
from tests.engine.reuse.test_view_matching import BY_ZONE, FINE, PEOPLE, rows
from tests.engine.town import ROWS, make_town, opened

derivation = import_module("dialect.planner.reuse.view_matching")
TOTAL = "SELECT COUNT(*) AS n FROM visit"
BY_DAY = "SELECT day, COUNT(*) AS n FROM visit GROUP BY day"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("held")) as engine:
        yield engine


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("daily"), DAILY) as engine:
        yield engine


def differs(engine: Engine, first: str, asked: str) -> bool:
    """Does a free answer differ from a new one, both without noise?"""
    exact = anew(engine, exact=True)
    ask(exact, first, "1")
    made = ask(exact, asked, "0.001")
    return made.charged_loss == Loss(0, 0) and rows(made) != rows(ask(anew(engine, exact=True), asked, "0.001"))


def test_persons_that_are_added_up_are_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "SELECT COUNT(DISTINCT person_id) AS p FROM visit"
    assert not differs(town, PEOPLE, asked)
    monkeypatch.setattr(derivation, "GROUP_ADDITIVE_KINDS", tuple(VectorKind))
    assert differs(town, PEOPLE, asked)


def test_a_list_that_is_open_taken_for_a_complete_one_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = ROWS.replace("'z' || (i * i % 7)", "'z' || (i * i % 11)")  # some of these are no zones
    with held_town(tmp_path, rows=outside, complete=False) as engine:
        assert not differs(engine, BY_ZONE, TOTAL)
        monkeypatch.setattr(derivation, "_open_expressions", lambda found: iter(()))
        assert differs(engine, BY_ZONE, TOTAL)


@pytest.mark.parametrize("key", ["dayofweek(day)", "dayname(day)"])
def test_rows_outside_of_a_list_with_a_listed_value_of_a_function_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    later = ROWS.replace("CAST(i % 4 AS INTEGER)", "CAST(i % 9 AS INTEGER)")  # on the same days of other weeks
    with held_town(tmp_path, rows=later, complete=False) as engine:
        asked = f"SELECT {key} AS k, COUNT(*) AS n FROM visit GROUP BY k"
        assert not differs(engine, BY_DAY, asked)
        monkeypatch.setattr(derivation, "_unlisted_rows_dropped", every_open_list)
        assert differs(engine, BY_DAY, asked)


def test_rows_that_are_not_held_taken_for_held_ones_are_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    some = f"{BY_ZONE.partition(' GROUP')[0]} WHERE minutes > 30 GROUP BY zone"
    assert not differs(town, some, TOTAL)
    monkeypatch.setattr(derivation, "is_implied", lambda condition, facts: True)
    assert differs(town, some, TOTAL)


def test_windows_that_are_taken_from_others_are_found(daily: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = f"{TOTAL} WHERE day = '2026-10-02'"
    assert not differs(daily, BY_ZONE, asked)
    monkeypatch.setattr(derivation, "rewrite_over_keys", lambda expr, *cells: derivation.conjunction(()))
    assert differs(daily, BY_ZONE, asked)


def test_another_version_of_the_data_taken_for_this_one_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def free_of_old() -> bool:
        own = anew(town)
        ask(own, FINE, "1")
        (dataset,) = town.catalog.datasets
        newer = replace(town.catalog, datasets=(replace(dataset, data_version=2),))
        return price(ask(replace(own, catalog=newer), BY_ZONE, "0.001")) == 0

    assert not free_of_old()
    monkeypatch.setattr("engine.pricing.release_key.release_key", lambda plan, bounds, cost, catalog: _Any())
    assert free_of_old()


def test_noise_that_is_mixed_with_itself_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(make_town(tmp_path), tmp_path / "cache") as engine:

        def noises() -> int:
            own = anew(engine)
            ask(own, BY_ZONE, "0.005")
            ask(own, BY_ZONE, "0.01")  # what is left to buy costs as much as what is held
            return len(own.ledger.paid_releases("ann"))

        assert noises() == 2
        monkeypatch.setattr(sources._NewReleases, "release", lambda self, rho: self.compile_at_rho(rho))
        assert noises() == 1


def test_other_bounds_that_are_mixed_are_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def mixed() -> bool:
        visit = next(table for table in town.catalog.tables if table.name == "visit")
        assert visit.clip_bounds is not None
        narrow = replace(visit, clip_bounds=replace(visit.clip_bounds, rows=1000.0))
        others = tuple(narrow if table is visit else table for table in town.catalog.tables)
        own = anew(town)
        ask(own, FINE, "0.06")
        (way,) = ask(replace(own, catalog=replace(town.catalog, tables=others)), BY_ZONE, "0.01").sources
        return bool(way.derived) and way.derived[0].bounds[0].clip_bound != way.wanted.bounds.vectors[0].clip_bound

    assert not mixed()
    monkeypatch.setattr(sources, "_clipping_key", lambda bounds, grains: None)
    assert mixed()


def test_shared_noise_taken_for_noise_of_its_own_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    both = "SELECT n + t AS both FROM (SELECT COUNT(*) AS n FROM visit WHERE zone = 'z1') CROSS JOIN ({})".format(
        "SELECT COUNT(*) AS t FROM visit"
    )
    own = anew(town)
    ask(own, FINE, "1")

    def width() -> float:
        lower, upper = ask(own, both, "0.002").answer.intervals["both"]
        return float((upper - lower)[0])

    honest = width()
    monkeypatch.setattr(pipeline, "correlated_vectors", lambda sources: {})
    assert width() < honest


def every_open_list(one: CanonicalPlan, lists: Iterable[PublicList]) -> set[Expr]:
    """Take a list that a key is only made of for one of the key itself."""
    return {one.rename(each) for found in lists for each in derivation._open_expressions(found)}


class _Any(str):
    """Equal to every key."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True
