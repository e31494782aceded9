"""Partition selection: keys are selected in one or two rounds, and people are bounded over the selected ones alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from budgets import EVERYBODY, AccountName
from dialect import compile_query
from dialect.algebra.release_plan import ClipRule, VectorKind
from engine.backends.duckdb import DuckDBBackend
from engine.errors import ExecutionFailed
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.town import make_town, opened

BY_SHOP = "SELECT shop, COUNT(*) AS n, COUNT(DISTINCT person_id) AS people FROM visit GROUP BY shop"
SHOPS = ["shop 0", "shop 1", "shop 2"]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Engine]:
    with opened(make_town(tmp_path), tmp_path) as engine:
        yield engine


class Recorded:
    """A backend that records its bindings, and may fail."""

    def __init__(self, backend: DuckDBBackend, failing_at: int = 9) -> None:
        self._backend, self._failing_at = backend, failing_at
        self.target, self.count, self.public = backend.target, backend.count, backend.public
        self.values, self.empty = backend.values, backend.empty
        self.handed: list[pa.Table | None] = []

    def run(self, bounded: Any, objected: pa.Table, released_keys: pa.Table | None = None) -> Any:
        self.handed.append(released_keys)
        if len(self.handed) == self._failing_at:
            raise ExecutionFailed
        return self._backend.run(bounded, objected, released_keys)


def without_noise(lifting: int) -> Any:
    """Add nothing, but to the first vector, the weights, enough for the keys that are to be released."""
    made: list[int] = []

    def add(exact: np.ndarray, *_: object) -> np.ndarray:
        made.append(0)
        if len(made) > 1:
            return exact
        return exact + np.where(np.arange(len(exact)) == lifting, 10**12, -(10**12)).astype(np.int64)

    return add


@pytest.mark.parametrize("place", [0, 2])
def test_the_second_pass_gets_and_shows_the_released_keys_alone(town: Engine, place: int) -> None:
    backend = Recorded(town.backend)
    one = replace(town, backend=backend, add_noise=without_noise(place))  # type: ignore[arg-type]
    shown = one.answer(BY_SHOP, Request("ann")).answer.table
    assert shown.column("shop").to_pylist() == [SHOPS[place]]
    first, open_keys, second = backend.handed
    assert first is None
    assert open_keys is not None and open_keys.num_rows == 0  # the others are without hope
    assert second is not None and second.column("k0").to_pylist() == [SHOPS[place]]


def test_people_are_bounded_over_the_released_keys_alone(town: Engine) -> None:
    """Whoever is in three shops keeps all of their one row in a shop that alone was released."""
    sql = BY_SHOP.replace("COUNT(*) AS n, ", "")
    (made,) = town.compile(compile_query(sql, town.catalog), Request("ann")).releases
    everywhere = pa.table({"k0": SHOPS})
    of_one = town.backend.run(made.sql, *_bindings(everywhere.slice(0, 1)))
    of_three = town.backend.run(made.sql, *_bindings(everywhere))
    one = 2 ** made.bounds.vectors[0].fraction_bits
    assert made.bounds.vectors[0].clip_bound == 3
    assert of_one.vectors[0][0] % one == 0  # nobody was cut
    assert of_one.vectors[0][0] >= of_three.vectors[0][0]


LIMITED = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = {}) shop, {} FROM visit GROUP BY shop"


@pytest.mark.parametrize("groups", [1, 2])
def test_a_limit_of_groups_limits_the_numbers_too(town: Engine, groups: int) -> None:
    """A person in three released shops counts in as many as the query allows, with every number."""
    numbers = "COUNT(DISTINCT person_id) AS people, COUNT(DISTINCT minutes) AS m, COUNT(*) AS n"
    (made,) = town.compile(compile_query(LIMITED.format(groups, numbers), town.catalog), Request("ann")).releases
    assert made.selection is not None and made.selection.bounds.max_groups == groups
    assert made.bounds.max_groups == groups
    everybody = town.backend.count("SELECT DISTINCT person_id FROM " + town.backend.target.addresses["visit"])
    found = town.backend.run(made.sql, *_bindings(pa.table({"k0": SHOPS})))
    place = next(i for i, v in enumerate(made.plan.vectors) if v.is_selection_vector)
    bound = made.bounds.vectors[place]
    one = 2**bound.fraction_bits
    assert found.vectors[place].sum() <= groups * everybody * one
    assert bound.sensitivity**2 < groups * one**2 + 3 * one  # the root of so many groups, and no more is noised
    assert bound.rule is ClipRule.UNCLIPPED
    distinct = made.bounds.vectors[next(i for i, v in enumerate(made.plan.vectors) if v.kind is VectorKind.DISTINCT)]
    assert distinct.max_groups == groups


def test_the_second_round_spreads_a_person_over_the_open_keys_alone(town: Engine) -> None:
    """Whoever is in three shops weighs 1 / sqrt(3) in each at first, and 1 in the one that is left open."""
    (made,) = town.compile(compile_query(BY_SHOP, town.catalog), Request("ann")).releases
    assert made.selection is not None and len(made.selection.rounds) == 2
    nobody, one = _bindings(pa.table({"k0": SHOPS[:1]}))
    weights = {}
    for name, sql, keys in (
        ("first", made.selection.rounds[0].sql, ()),
        ("second", made.selection.rounds[1].sql, (one,)),
    ):
        weights[name] = dict(zip(*_rows(town.backend.run(sql, nobody, *keys)), strict=True))
    (of_open,) = weights["second"].values()
    assert of_open > 0 and of_open % (1 << made.selection.bounds.vectors[0].fraction_bits) == 0  # whole persons
    assert weights["first"][SHOPS[0]] < of_open


@pytest.mark.parametrize("groups", [1, 2])
def test_people_in_one_group_have_one_round(town: Engine, groups: int) -> None:
    (made,) = town.compile(
        compile_query(LIMITED.format(groups, "COUNT(*) AS n"), town.catalog), Request("ann")
    ).releases
    assert made.selection is not None and (len(made.selection.rounds) == 1) == (groups == 1)


def test_without_a_group_limit_people_are_clipped_over_all_released_groups(town: Engine) -> None:
    (made,) = town.compile(compile_query(BY_SHOP, town.catalog), Request("ann")).releases
    assert made.bounds.max_groups is None


def test_group_truncation_uses_the_order_of_partition_selection(town: Engine) -> None:
    """A person's groups that brought a key in come before the others where it is released."""
    sql = LIMITED.format(1, "COUNT(DISTINCT person_id) AS people")
    (made,) = town.compile(compile_query(sql, town.catalog), Request("ann")).releases
    assert made.selection is not None
    chosen = dict(
        zip(
            *_rows(town.backend.run(made.selection.rounds[0].sql, *_bindings(pa.table({"k0": SHOPS}))[:1])), strict=True
        )
    )
    counted = dict(zip(*_rows(town.backend.run(made.sql, *_bindings(pa.table({"k0": SHOPS})))), strict=True))
    one = [2 ** each.vectors[0].fraction_bits for each in (made.selection.bounds, made.bounds)]
    assert {shop: n / one[0] for shop, n in chosen.items()} == {shop: n / one[1] for shop, n in counted.items()}


def _rows(exact: Any) -> tuple[list[Any], list[int]]:
    return exact.keys.column(0).to_pylist(), exact.vectors[0].tolist()


def _bindings(keys: pa.Table) -> tuple[pa.Table, pa.Table]:
    return pa.table({"person": pa.array([], pa.string())}), keys


def test_where_no_key_is_released_there_is_an_empty_answer(town: Engine) -> None:
    nobody = replace(town, add_noise=without_noise(-1))
    assert nobody.answer(BY_SHOP, Request("ann")).answer.table.num_rows == 0


@pytest.mark.parametrize("failing_at", [1, 2, 3])
def test_all_passes_are_one_charge_before_anything_is_read(town: Engine, failing_at: int) -> None:
    broken = replace(town, backend=Recorded(town.backend, failing_at))  # type: ignore[arg-type]
    with pytest.raises(ExecutionFailed):
        broken.answer(BY_SHOP, Request("ann", Fraction(1, 100)))
    spent = town.ledger.account(AccountName("town", "forever", EVERYBODY)).spent
    assert spent.rho == Fraction(1, 100)
    assert len([entry for entry in town.ledger.entries() if entry.kind == "charged"]) == 1


def test_partition_selection_and_numbers_cost_at_most_the_charge(town: Engine) -> None:
    (made,) = town.compile(compile_query(BY_SHOP, town.catalog), Request("ann")).releases
    assert made.selection is not None
    of_keys = sum(each.cost.pico_rho for each in made.selection.rounds)
    own = [of_keys, *(vector.pico_rho for vector in made.cost.vectors)]
    assert sum(own) <= made.cost.loss.pico_rho
    assert min(own) > made.cost.loss.pico_rho // 4


def test_generated_sql_does_not_depend_on_the_released_keys(town: Engine) -> None:
    prepared = [town.compile(compile_query(BY_SHOP, town.catalog), Request("ann")).releases[0] for _ in range(2)]
    town.answer(BY_SHOP, Request("ann"))
    prepared += town.compile(compile_query(BY_SHOP, town.catalog), Request("ann")).releases
    assert len({tuple(sql.text for sql in each.statements) for each in prepared}) == 1
    assert not any(shop in sql.text for each in prepared for sql in each.statements for shop in SHOPS)
