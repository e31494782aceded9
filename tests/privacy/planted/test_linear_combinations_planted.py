"""Bugs of what several held releases say together, planted one by one: each is found by numbers, or by what is bought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pytest

from budgets import Loss
from dialect.algebra import NoteCode
from dialect.planner.reuse import predicate_regions
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.reuse import linear_combinations, sources, view_matching
from engine.reuse.sources import ReleaseSource, noise_deviations
from tests.engine.complete_town import anew, ask, held_town, price
from tests.engine.reuse.test_linear_combinations import TOTAL, WITH_NULLS, one, where, with_stored_releases
from tests.engine.reuse.test_view_matching import rows
from tests.privacy.planted.test_free_planted import _Any

LESS = where(TOTAL, "", "zone = 'z1'"), one(TOTAL, "zone <> 'z1'")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("held"), rows=WITH_NULLS) as engine:
        yield engine


def differs(engine: Engine, held_ones: tuple[str, ...], asked: str) -> bool:
    """Does a free answer differ from a new one, both without noise?"""
    made = ask(with_stored_releases(engine, held_ones, exact=True), asked, "0.001")
    return made.charged_loss == Loss(0, 0) and rows(made) != rows(ask(anew(engine, exact=True), asked, "0.001"))


def test_nulls_that_are_forgotten_are_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    of = where(TOTAL, "", "minutes > 30"), one(TOTAL, "NOT minutes > 30")
    assert not differs(town, *of)
    monkeypatch.setattr(predicate_regions, "may_be_null", lambda expr, include_far=True: False)
    assert differs(town, *of)


def test_conditions_that_are_forgotten_are_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    held_ones, asked = where(TOTAL, "", "zone = 'z1' AND coins > 3"), one(TOTAL, "zone <> 'z1'")
    assert not differs(town, held_ones, asked)
    monkeypatch.setattr(predicate_regions.RowSets, "patterns", lambda self: ((False, True, True), (True, True, False)))
    assert differs(town, held_ones, asked)


OF = "(SELECT COUNT(*) AS {} FROM visit WHERE {})"
LESS_OTHER = " ".join(
    ("SELECT a - b AS d FROM", OF.format("a", "zone <> 'z1'"), "CROSS JOIN", OF.format("b", "zone = 'z1'"))
)


def stated_and_true_deviation(
    engine: Engine, bought: Mapping[str, str], asked: str, rho: str, times: Sequence[int]
) -> list[float]:
    """Stated deviation of weighted numbers, and the true one of their noise."""
    own = anew(engine)
    for each, price_of in bought.items():
        ask(own, each, price_of)
    given, taken, noise = ask(own, asked, rho), defaultdict[str, float](float), dict[str, float]()
    for often, way, release in zip(times, given.sources, given.releases, strict=True):
        for source, weight in zip(way.derived, way.coefficients or [1] * len(way.derived), strict=False):
            taken[source.release_key] += often * float(weight)
            noise[source.release_key] = source.release.deviations()[0]
        if way.charged is not None:
            taken[way.charged.release_key] += often * float(way.coefficients[-1] if way.coefficients else 1)
            own_noise = noise_deviations(way.charged)[0] if way.derived else release.deviations()[0]
            noise[way.charged.release_key] = own_noise
    lower, upper = given.answer.intervals["d"]
    return [float((upper - lower)[0]) / 2, 1.959 * sum((taken[key] * noise[key]) ** 2 for key in taken) ** 0.5]


def test_noise_that_is_shared_with_the_other_sign_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    of = dict.fromkeys(LESS[0], "1"), LESS_OTHER, "0.002", (1, -1)
    told, true = stated_and_true_deviation(town, *of)
    assert told >= true
    monkeypatch.setattr(view_matching, "sign_conflicts", lambda ways: [])
    told, true = stated_and_true_deviation(town, *of)
    assert told < 0.8 * true  # all - 2 P, one noise taken twice


def test_noise_shared_with_the_other_number_itself_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    of = {LESS[0][0]: "5", LESS[0][1]: "0.005"}, LESS_OTHER, "0.01", (1, -1)
    told, true = stated_and_true_deviation(town, *of)
    assert told >= true
    signs = sources._signs
    monkeypatch.setattr(sources, "_signs", lambda way: signs(way) if way.derived else {})
    told, true = stated_and_true_deviation(town, *of)
    assert told < 0.8 * true  # 0.98 (all - P) + 0.02 N less P, which is held as it is


FOUR = {
    one(TOTAL, "zone IN ('z1', 'z2')"): "0.51",
    one(TOTAL, "zone = 'z2'"): "0.52",
    one(TOTAL, ""): "0.54",
    one("SELECT zone, COUNT(*) AS n FROM visit{} GROUP BY zone", "zone IN ('z1', 'z3')"): "0.53",
}
THREE = "SELECT a - 2 * b AS d, c FROM {} CROSS JOIN {} CROSS JOIN {}".format(
    OF.format("a", "zone NOT IN ('z1', 'z3')"), OF.format("b", "zone = 'z1'"), OF.format("c", "zone = 'z2'")
)


def test_a_release_source_that_conflicts_with_a_replacement_is_found(
    town: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stated_and_three() -> list[float]:
        """Stated width of a - 2 b, and that of all - z1 - z3 - 2 z1 if a was derived so."""
        own = anew(town)
        *_, whole, zones = (ask(own, each, price_of).releases[0].deviations()[0] for each, price_of in FOUR.items())
        given = ask(own, THREE, "0.003")
        lower, upper = given.answer.intervals["d"]
        made = given.sources[0].combination is not None
        return [float((upper - lower)[0]) / 2, 1.959 * (whole**2 + 10 * zones**2) ** 0.5 if made else 0.0]

    told, true = stated_and_three()
    assert told >= true
    honest, after = sources.sign_conflicts, [-1]

    def once(ways: Sequence[ReleaseSource]) -> list[int]:
        found = [i for i in honest(ways) if i > after[0]][:1]
        after[:] = found or [-1]  # of the next question
        return found

    monkeypatch.setattr(view_matching, "sign_conflicts", once)
    told, true = stated_and_three()
    assert told < 0.9 * true


def test_another_version_of_the_data_taken_for_this_one_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def free_of_old() -> bool:
        (dataset,) = town.catalog.datasets
        own = with_stored_releases(town, LESS[0][:1])
        newer = replace(own, catalog=replace(town.catalog, datasets=(replace(dataset, data_version=2),)))
        ask(newer, LESS[0][1], "1")
        return price(ask(newer, LESS[1], "0.001")) == 0

    assert not free_of_old()
    monkeypatch.setattr("engine.pricing.release_key.release_key", lambda plan, bounds, cost, catalog: _Any())
    assert free_of_old()


def test_an_unreported_clipping_bias_of_a_difference_is_found(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_bias_reported() -> bool:
        tables = tuple(
            replace(each, clip_bounds=replace(each.clip_bounds, rows=40.0, expected_coverage=0.9))
            if each.name == "visit" and each.clip_bounds
            else each
            for each in town.catalog.tables
        )
        own = anew(town, replace(town.catalog, tables=tables))
        for each in LESS[0]:
            ask(own, each, "1")
        given = ask(own, LESS[1], "0.001")
        return bool(price(given)) or (given.reported[0].bounds.vectors[0].residual_bias_bound or 0) > 0.24

    assert is_bias_reported()
    monkeypatch.setattr(linear_combinations, "_bias_share", lambda bound: 0.0)
    assert not is_bias_reported()


def test_objections_between_subtracted_releases_change_no_price_and_have_a_note(
    town: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(persons: Sequence[int], held_ones: tuple[str, ...] = LESS[0]) -> Answered:
        """Query after so many have objected since the first stored release."""
        first = anew(town, exact=True)
        ask(first, held_ones[0], "1")
        objecting = pa.table({"person": pa.array(map(str, persons), pa.string())})
        later = replace(first, objections=lambda dataset: objecting)
        for each in held_ones[1:]:
            ask(later, each, "1")
        return ask(later, LESS[1], "0.001")

    def codes(answered: Answered) -> list[NoteCode]:
        return [note.code for note in answered.notes]

    nobody, some = given(()), given(range(1, 61))
    spoken = [[note.text.split(": ")[0] for note in each.notes] for each in (nobody, some)]
    assert spoken[0] == spoken[1] and NoteCode.DIFFERENT_TIMES in codes(some) and price(nobody) == price(some) == 0
    assert rows(some)[0]["n"] > rows(nobody)[0]["n"]  # of those who object, what is in the part is in what is left
    assert NoteCode.DIFFERENT_TIMES not in codes(given((), where(TOTAL, "zone <> 'z1'")))
    monkeypatch.setattr(view_matching, "_subtracts_different_times", lambda way: False)
    assert NoteCode.DIFFERENT_TIMES not in codes(given(range(1, 61)))
