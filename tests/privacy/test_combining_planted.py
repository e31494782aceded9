"""Bugs of what several held releases say together, planted one by one: each is found by numbers, or by what is bought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from budgets import Loss
from dialect import row_sets
from engine import combining, finding, held
from engine.pipeline import Engine
from tests.engine.held_town import anew, ask, held_town, price
from tests.engine.test_combining import TOTAL, WITH_NULLS, holding, one, where
from tests.engine.test_finding import rows
from tests.privacy.test_free_planted import _Any

LESS = where(TOTAL, "", "zone = 'z1'"), one(TOTAL, "zone <> 'z1'")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("held"), rows=WITH_NULLS) as engine:
        yield engine


def differs(engine: Engine, held_ones: tuple[str, ...], asked: str) -> bool:
    """Tell whether a free answer is another one than that which is asked anew, both without noise."""
    made = ask(holding(engine, held_ones, exact=True), asked, "0.001")
    return made.charged == Loss(0, 0) and rows(made) != rows(ask(anew(engine, exact=True), asked, "0.001"))


def test_nulls_that_are_forgotten_are_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    of = where(TOTAL, "", "minutes > 30"), one(TOTAL, "NOT minutes > 30")
    assert not differs(town, *of)
    monkeypatch.setattr(row_sets, "nullable", lambda expr, far=True: False)
    assert differs(town, *of)


def test_conditions_that_are_forgotten_are_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    held_ones, asked = where(TOTAL, "", "zone = 'z1' AND coins > 3"), one(TOTAL, "zone <> 'z1'")
    assert not differs(town, held_ones, asked)
    monkeypatch.setattr(row_sets.RowSets, "patterns", lambda self: ((False, True, True), (True, True, False)))
    assert differs(town, held_ones, asked)


def test_noise_that_is_shared_with_the_other_sign_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    both = (
        "SELECT a - b AS d FROM (SELECT COUNT(*) AS a FROM visit WHERE zone <> 'z1')"
        " CROSS JOIN (SELECT COUNT(*) AS b FROM visit WHERE zone = 'z1')"
    )

    def told() -> tuple[float, float]:
        """Give the width that is told and the one that noise has: all - 2 P, one noise taken twice."""
        own = holding(town, LESS[0])
        whole, part = (ask(own, each, "1").releases[0].deviations()[0] for each in LESS[0])
        lower, upper = ask(own, both, "0.002").answer.intervals["d"]
        return float((upper - lower)[0]) / 2, 1.96 * (whole**2 + 4 * part**2) ** 0.5

    width, least = told()
    assert width >= least
    monkeypatch.setattr(finding, "shares_otherwise", lambda one, other: False)
    width, least = told()
    assert width < least


def test_another_version_of_the_data_taken_for_this_one_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def free_of_old() -> bool:
        (dataset,) = town.catalog.datasets
        own = holding(town, LESS[0][:1])
        newer = replace(own, catalog=replace(town.catalog, datasets=(replace(dataset, data_version=2),)))
        ask(newer, LESS[0][1], "1")
        return price(ask(newer, LESS[1], "0.001")) == 0

    assert not free_of_old()
    monkeypatch.setattr(held, "key_of", lambda plan, bounds, cost, catalog: _Any())
    assert free_of_old()


def test_what_is_cut_of_each_and_not_told_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def bias_told() -> bool:
        tables = tuple(
            replace(each, norms=replace(each.norms, rows=40.0, covers=0.9))
            if each.name == "visit" and each.norms
            else each
            for each in town.catalog.tables
        )
        own = anew(town, replace(town.catalog, tables=tables))
        for each in LESS[0]:
            ask(own, each, "1")
        given = ask(own, LESS[1], "0.001")
        return bool(price(given)) or (given.told[0].bounds.vectors[0].bias_within or 0) > 0.24

    assert bias_told()
    monkeypatch.setattr(combining, "_share", lambda bound: 0.0)
    assert not bias_told()
