"""Complements, unions and slices of stored releases: through the whole engine, against plain numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from budgets import Loss
from dialect.algebra import NoteCode
from engine.api.wire.answer import derived_from
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.query_terms import Request
from engine.reuse import derived_release, linear_combinations, sources, view_matching
from engine.reuse.holdings import Holdings, StoredRelease
from engine.reuse.linear_combinations import CombinationSearch
from tests.engine.complete_town import DAILY, anew, ask, held_town, price
from tests.engine.reuse.test_view_matching import nearly, rows
from tests.engine.town import ROWS

BY_ZONE = "SELECT zone, COUNT(*) AS n, SUM(coins) AS s FROM visit{} GROUP BY zone"
TOTAL = "SELECT COUNT(*) AS n FROM visit{}"
MEMBERS = "SELECT gender, zone, COUNT(*) AS n FROM visit JOIN person USING (person_id){} GROUP BY 1, 2"
OF_MEMBERS = "SELECT zone, COUNT(*) AS n FROM visit JOIN person USING (person_id){} GROUP BY zone"


WITH_NULLS = f"""{ROWS}
UPDATE visit SET minutes = NULL WHERE visit_id % 7 = 0; UPDATE visit SET coins = NULL WHERE visit_id % 11 = 0;
"""


def where(question: str, *conditions: str) -> tuple[str, ...]:
    """Write a question with several conditions; none is one of all rows."""
    return tuple(question.format(f" WHERE {each}" if each else "") for each in conditions)


def one(question: str, condition: str) -> str:
    """Write a question with a condition, or of all rows."""
    return where(question, condition)[0]


Case = tuple[tuple[str, ...], str]
# held at rho 1 -> asked at rho 0.001: free, and the number that is asked for
SAID: list[Case] = [
    (where(TOTAL, "", "zone = 'z1'"), one(TOTAL, "zone <> 'z1'")),
    (where(TOTAL, "", "zone IN ('z1', 'z2')"), one(TOTAL, "zone NOT IN ('z1', 'z2')")),
    (where(TOTAL, "zone = 'z1'", "NOT zone = 'z1'"), one(TOTAL, "")),
    (where(TOTAL, "", "minutes > 30", "minutes IS NULL"), one(TOTAL, "minutes <= 30")),
    (where(TOTAL, "minutes IS NOT NULL", "minutes > 30"), one(TOTAL, "NOT minutes > 30")),
    (where(TOTAL, "", "day > '2026-10-02'"), one(TOTAL, "day IN ('2026-10-01', '2026-10-02')")),
    (where(TOTAL, "day <= '2026-10-02'", "day = '2026-10-03'", "day = '2026-10-04'"), one(TOTAL, "")),
    (where(TOTAL, "", "is_weekend(day)"), one(TOTAL, "NOT is_weekend(day)")),
    (where(BY_ZONE, "", "minutes > 30", "minutes IS NULL"), one(BY_ZONE, "minutes <= 30 AND zone <> 'z5'")),
    ((one(BY_ZONE, ""), *where(TOTAL, "coins > 3", "coins IS NULL")), one(TOTAL, "coins <= 3")),
    ((one(MEMBERS, ""), *where(OF_MEMBERS, "gender = 'f' AND coins > 3", "coins IS NULL AND gender = 'f'")),
     one(OF_MEMBERS, "gender = 'f' AND coins <= 3")),
    (where(BY_ZONE, "day <= '2026-10-03'", "day > '2026-10-01' AND day < '2026-10-04'", "day > '2026-10-01'"),
     one(BY_ZONE, "")),
    (("SELECT day, COUNT(*) AS n FROM visit GROUP BY day", one(TOTAL, "zone = 'z1'")), one(TOTAL, "zone <> 'z1'")),
]  # fmt: skip
SAID += [
    (where(TOTAL, "day >= '2026-10-02' AND day < '2026-10-03'"), one(TOTAL, "day = '2026-10-02'")),
    (where(BY_ZONE, "NOT (minutes > 30 OR day > '2026-10-02')"), one(BY_ZONE, "minutes <= 30 AND day < '2026-10-03' AND zone <> 'z1'")),
]  # fmt: skip
# held -> asked: a release of its own
UNSAID: list[Case] = [
    (where(TOTAL, "", "minutes > 30"), one(TOTAL, "minutes <= 30")),  # some are NULL
    (where(TOTAL, "", "minutes > 30"), one(TOTAL, "NOT minutes > 30")),
    (where(OF_MEMBERS, "", "gender = 'f'"), one(OF_MEMBERS, "gender <> 'f'")),  # there may be others
    (where(TOTAL, "", "zone = 'z1'"), one(TOTAL, "zone = 'z2'")),
    (where(TOTAL, "zone = 'z1'", "zone = 'z2'"), one(TOTAL, "")),
    (where(TOTAL, "day <= '2026-10-02'", "day >= '2026-10-02'"), one(TOTAL, "")),  # one day twice
    (where("SELECT COUNT(DISTINCT person_id) AS n FROM visit{}", "", "zone = 'z1'"),
     "SELECT COUNT(DISTINCT person_id) AS n FROM visit WHERE zone <> 'z1'"),
    (where("SELECT median(minutes) AS n FROM visit{}", "", "zone = 'z1'"),
     "SELECT median(minutes) AS n FROM visit WHERE zone <> 'z1'"),
    (where("SELECT shop, COUNT(*) AS n FROM visit{} GROUP BY shop", "", "coins > 3", "coins IS NULL"),
     "SELECT shop, COUNT(*) AS n FROM visit WHERE coins <= 3 GROUP BY shop"),
    (where(TOTAL, "", "zone = 'z1'"), "SELECT zone, COUNT(*) AS n FROM visit WHERE zone <> 'z1' GROUP BY zone"),
]  # fmt: skip


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("held"), rows=WITH_NULLS) as engine:
        yield engine


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("daily"), DAILY) as engine:
        yield engine


def with_stored_releases(engine: Engine, held: Sequence[str], rho: str = "1", exact: bool = False) -> Engine:
    own = anew(engine, exact=exact)
    for each in held:
        ask(own, each, rho)
    return own


@pytest.mark.parametrize(("held", "asked"), SAID)
def test_a_combination_of_stored_releases_equals_a_new_answer_and_is_free(
    town: Engine, held: tuple[str, ...], asked: str
) -> None:
    free, plain = (
        ask(with_stored_releases(town, held, exact=True), asked, "0.001"),
        ask(anew(town, exact=True), asked, "0.001"),
    )
    assert free.charged_loss == Loss(0, 0) and all(len(way.derived) >= min(2, len(held)) for way in free.sources)
    assert [nearly(row) for row in rows(free)] == [nearly(row) for row in rows(plain)]


@pytest.mark.parametrize(("held", "asked"), UNSAID)
def test_stored_releases_that_do_not_determine_a_query_are_not_used(
    town: Engine, held: tuple[str, ...], asked: str
) -> None:
    assert price(ask(with_stored_releases(town, held), asked, "0.001")) == pytest.approx(0.001)


def test_a_difference_uses_the_stored_noisy_numbers(town: Engine) -> None:
    own = anew(town)
    whole, part = (ask(own, each, "1").releases[0] for each in where(TOTAL, "", "zone = 'z1'"))
    given = ask(own, one(TOTAL, "zone <> 'z1'"), "0.001")
    assert given.releases[0].noisy[0] == whole.noisy[0] - part.noisy[0]
    assert given.releases[0].deviations()[0] == pytest.approx(np.hypot(whole.deviations()[0], part.deviations()[0]))
    lower, upper = given.answer.intervals["n"]
    assert (upper - lower)[0] / 2 == pytest.approx(1.96 * given.releases[0].deviations()[0], rel=0.01)


def test_the_answer_and_its_explanation_name_the_combined_releases(town: Engine) -> None:
    own = with_stored_releases(town, where(TOTAL, "", "zone = 'z1'"))
    asked = one(TOTAL, "zone <> 'z1'")
    before, given = explain(own, asked, Request("ann", rho=Fraction("0.001"))), ask(own, asked, "0.001")
    assert before.loss == Loss(0, 0) and derived_from(before.sources) == derived_from(given.sources)
    assert [each["times"] for each in derived_from(given.sources)] == [1.0, -1.0]
    (note,) = (note for note in given.notes if note.code is NoteCode.REUSED)
    assert ", less " in note.text and note in before.notes
    assert before.expected_error["n"] == (given.answer.intervals["n"][1] - given.answer.intervals["n"][0])[0] / 2
    (bound,) = given.reported[0].bounds.vectors
    assert "taken off each other, which moves no number by more than" in bound.key_reason


def test_an_imprecise_combination_is_averaged_with_a_cheaper_release_once(town: Engine) -> None:
    own = with_stored_releases(town, where(TOTAL, "", "zone = 'z1'"), "0.005")
    asked = one(TOTAL, "zone <> 'z1'")
    alone = ask(anew(town), asked, "0.005").answer.intervals["n"]
    before = explain(own, asked, Request("ann", rho=Fraction("0.005")))
    first = ask(own, asked, "0.005")
    assert 0.002 < price(first) < 0.003 and before.loss == first.charged_loss
    ask(own, one(TOTAL, "zone = 'z2'"), "1")
    again = ask(own, asked, "0.005")
    assert (price(again), rows(again)) == (0.0, rows(first))
    biases = [[bound.predicted_bias for bound in each.reported[0].bounds.vectors] for each in (first, again)]
    assert biases[0] == biases[1] == [first.prepared[0].bounds.vectors[0].predicted_bias]
    width = first.answer.intervals["n"][1] - first.answer.intervals["n"][0]
    assert (width <= alone[1] - alone[0] + 2).all()


def test_a_combined_answer_stays_the_same_after_further_purchases(town: Engine) -> None:
    own = with_stored_releases(town, where(TOTAL, "", "zone = 'z1'"), "1")
    asked = one(TOTAL, "zone <> 'z1'")
    first = ask(own, asked, "0.001")
    for each in (*where(TOTAL, "", "zone IN ('z2', 'z3')", "zone NOT IN ('z1', 'z2', 'z3')"), one(BY_ZONE, "")):
        ask(own, each, "2")
    assert rows(ask(own, asked, "0.001")) == rows(first)


TWO = "SELECT a, b FROM ({}) CROSS JOIN (SELECT COUNT(*) AS b FROM visit)".format(
    "SELECT COUNT(*) AS a FROM visit WHERE zone <> 'z1'"
)


def repeats_differ(engine: Engine) -> bool:
    """Does a query that buys two releases to average cost or return something else when it is repeated?"""
    for rho in range(11, 16):
        own = with_stored_releases(engine, where(TOTAL, "", "zone = 'z1'"), "0.005")
        first, again = (ask(own, TWO, f"0.0{rho}") for _ in range(2))
        assert price(first) > 0
        if price(again) or rows(first) != rows(again):
            return True
    return False


def test_a_supplementary_purchase_does_not_change_a_repeat(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not repeats_differ(town)
    monkeypatch.setattr(Holdings, "same_plan_first", lambda self, plan: self)
    assert repeats_differ(town)


BESIDE: list[Case] = [
    ((*where(TOTAL, "", "zone = 'z1'"), one(TOTAL, "coins = 1")), one(TOTAL, "zone <> 'z1'")),
    (where(TOTAL, "day >= '2026-10-02' AND day < '2026-10-03'"), one(TOTAL, "day = '2026-10-02'")),
]  # fmt: skip


def with_wide_clip_bounds(engine: Engine) -> Engine:
    """Clip bounds so wide that the clipped share never seems large: rarely it did, and nothing was averaged."""
    catalog = engine.catalog
    tables = tuple(
        replace(each, clip_bounds=replace(each.clip_bounds, expected_coverage=1 - 1e-6))
        if each.name == "visit"
        else each
        for each in catalog.tables
    )
    return replace(engine, catalog=replace(catalog, tables=tables))


@pytest.mark.parametrize(("held", "asked"), BESIDE)
def test_a_supplementary_purchase_is_found_again_beyond_the_search_limits(
    town: Engine, monkeypatch: pytest.MonkeyPatch, held: tuple[str, ...], asked: str
) -> None:
    monkeypatch.setattr(linear_combinations, "MAX_SEARCHED_RELEASES", 2)
    monkeypatch.setattr(view_matching, "MAX_SEARCHED_RELEASES", 2)
    monkeypatch.setattr(view_matching, "MAX_MATCHED_RELEASES", 1)

    def paid_for_and_repeated() -> tuple[float, bool]:
        own = with_stored_releases(with_wide_clip_bounds(town), held, "0.005")
        first, again = ask(own, asked, "0.008"), ask(own, asked, "0.008")
        assert 0 < price(first) < 0.0076
        return price(again), rows(first) == rows(again)

    assert paid_for_and_repeated() == (0.0, True)
    monkeypatch.setattr(StoredRelease, "has_plan", lambda self, plan: False)
    assert paid_for_and_repeated() != (0.0, True)


def test_a_search_over_too_many_stored_releases_averages_nothing(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_matching, "MAX_SEARCHED_RELEASES", 1)
    own = with_stored_releases(town, where(TOTAL, "", "zone = 'z1'", "zone <> 'z1'"), "0.005")
    paid = [price(ask(own, one(TOTAL, "zone <> 'z1'"), "0.02")) for _ in range(2)]
    assert paid == [pytest.approx(0.02), 0.0]


def test_anticorrelated_noise_is_not_combined(town: Engine) -> None:
    both = (
        "SELECT 1.0 * a / b AS r FROM (SELECT COUNT(*) AS a FROM visit WHERE zone <> 'z1')"
        " CROSS JOIN (SELECT COUNT(*) AS b FROM visit WHERE zone = 'z1')"
    )
    own = with_stored_releases(town, where(TOTAL, "", "zone = 'z1'"))
    given = ask(own, both, "0.002")
    assert all(way.combination is None for way in given.sources) and price(given) == pytest.approx(0.001)
    share = both.replace("WHERE zone = 'z1'", "")
    assert price(ask(own, share, "0.002")) == 0.0  # a part of the whole holds its noise with the same sign


def test_releases_of_other_clients_and_data_versions_are_not_combined(town: Engine) -> None:
    asked = one(TOTAL, "zone <> 'z1'")
    own = with_stored_releases(town, where(TOTAL, ""))
    ask(own, one(TOTAL, "zone = 'z1'"), "1", client="ben")
    assert price(ask(own, asked, "0.001")) == pytest.approx(0.001)
    (dataset,) = town.catalog.datasets
    newer = replace(own, catalog=replace(town.catalog, datasets=(replace(dataset, data_version=2),)))
    ask(newer, one(TOTAL, "zone = 'z1'"), "1")
    assert price(ask(newer, asked, "0.001")) == pytest.approx(0.001)


def test_privacy_windows_are_added_and_subtracted(daily: Engine) -> None:
    by_day = where(BY_ZONE, *(f"day = '2026-10-0{i}'" for i in (1, 2, 3, 4)))
    for held, asked in (
        (by_day, one(BY_ZONE, "")),
        (by_day, one(BY_ZONE, "day <= '2026-10-03'")),
        ((one(BY_ZONE, ""), *by_day[:2]), one(BY_ZONE, "day > '2026-10-02'")),
    ):
        free, plain = (
            ask(with_stored_releases(daily, held, exact=True), asked, "0.001"),
            ask(anew(daily, exact=True), asked, "0.001"),
        )
        assert (price(free), rows(free)) == (0.0, rows(plain))


@pytest.mark.parametrize("covers", [0.9, 0.999])
def test_releases_are_subtracted_only_if_their_clipping_bias_is_reported(town: Engine, covers: float) -> None:
    tables = tuple(
        replace(each, clip_bounds=replace(each.clip_bounds, rows=40.0, expected_coverage=covers))
        if each.name == "visit"
        else each
        for each in town.catalog.tables
    )
    own = anew(town, replace(town.catalog, tables=tables))
    for each in where(TOTAL, "", "zone = 'z0'"):
        ask(own, each, "1")
    given = ask(own, one(TOTAL, "zone <> 'z0'"), "0.001")
    bias = given.prepared[0].bounds.vectors[0].predicted_bias
    assert bias is not None
    if covers > 0.9:
        within = given.reported[0].bounds.vectors[0].residual_bias_bound
        assert price(given) == 0.0 and within is not None and -bias < within < -bias + 0.01
        return
    assert price(given) == pytest.approx(0.001)


def test_a_source_of_negligible_weight_is_left_out(town: Engine) -> None:
    own = with_stored_releases(town, where(TOTAL, "", "zone = 'z1'"), "0.0001")
    ask(own, one(TOTAL, "zone <> 'z1'"), "1")
    given = ask(own, one(TOTAL, "zone <> 'z1'"), "2")
    assert price(given) == pytest.approx(1, rel=0.01) and len(given.sources[0].derived) == 1


def test_a_release_that_adds_no_information_is_not_combined(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    own = with_stored_releases(town, (one(BY_ZONE, ""), *where(TOTAL, "coins = 1", "minutes > 3")))
    monkeypatch.setattr(CombinationSearch, "_combine", None)
    ask(own, one(TOTAL, "coins = 2"), "0.001")


FINE = "SELECT zone, day, COUNT(*) AS n FROM visit{} GROUP BY zone, day"
LEAST_HELD = 0.89  # of 504 intervals at a level of 0.95, fewer hold in 3 of 10^8 runs of an honest one


def coverage(town: Engine, asked: str, exact: dict[object, object]) -> float:
    """Share of derived answers' intervals that cover the number without noise."""
    hits: list[bool] = []
    for _ in range(18):
        given = ask(with_stored_releases(town, where(FINE, "", "minutes > 30", "minutes IS NULL")), asked, "0.3")
        assert price(given) == 0.0 and all(way.combination is not None for way in given.sources)
        ends = zip(rows(given), *given.answer.intervals["n"], strict=True)
        hits += [lower <= exact[row["zone"], row["day"]] <= upper for row, lower, upper in ends]  # type: ignore[operator]
    return sum(hits) / len(hits)


def test_intervals_of_combinations_cover_the_true_number(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = one(FINE, "minutes <= 30")
    exact = {(row["zone"], row["day"]): row["n"] for row in rows(ask(anew(town, exact=True), asked, "1"))}
    assert coverage(town, asked, exact) >= LEAST_HELD
    honest = derived_release.linear_combination
    narrow = lambda releases, weights: replace(honest(releases, weights), sigmas=releases[0].sigmas)  # noqa: E731
    monkeypatch.setattr(sources, "linear_combination", narrow)
    assert coverage(town, asked, exact) < LEAST_HELD
