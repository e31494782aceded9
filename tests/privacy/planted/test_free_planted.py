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
from tests.engine.reuse.test_source_selection import BY_ZONE, FINE, PEOPLE, rows
from tests.engine.town import ROWS

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
    monkeypatch.setattr("engine.reuse.holdings.key_of_release", lambda plan, bounds, cost, catalog: _Any())
    assert free_of_old()


def test_a_source_that_is_too_imprecise_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_wide() -> bool:
        """Is an answer wider than its own price would make it?"""
        own = anew(town)
        ask(own, FINE, "0.01")
        given, alone = ask(own, BY_ZONE, "0.1"), ask(anew(town), BY_ZONE, "0.1")
        return given.releases[0].deviations()[0] > 1.01 * alone.releases[0].deviations()[0]

    assert not is_wide()
    monkeypatch.setattr(sources, "is_precise_enough", lambda derived, wanted: True)
    assert is_wide()


def test_another_clipping_bias_taken_for_a_similar_one_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_derived() -> bool:
        tables = tuple(
            replace(t, clip_bounds=replace(t.clip_bounds, rows=2.0, expected_coverage=0.9)) if t.clip_bounds else t
            for t in town.catalog.tables
        )
        own = anew(town)
        ask(replace(own, catalog=replace(town.catalog, tables=tables)), FINE, "9")
        return ask(own, BY_ZONE, "0.001").sources[0].derived is not None

    assert not is_derived()
    monkeypatch.setattr(sources, "has_similar_bias", lambda stored, wanted: True)
    assert is_derived()


def is_free_after(engine: Engine, held: str, asked: str) -> bool:
    """Is a query free for a client who holds another one?"""
    own = anew(engine)
    ask(own, held, "1")
    return price(ask(own, asked, "0.001")) == 0


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
