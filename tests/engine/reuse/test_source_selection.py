"""Stored releases answer for free what they determine: whole engine, plain numbers, a real ledger."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

import pytest

from budgets import Loss
from dialect import Refusal
from engine.api.wire.answer import derived_from
from engine.errors import ExecutionFailed
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.query_terms import Request
from tests.engine.complete_town import DAILY, anew, ask, held_town, price

FINE = "SELECT zone, day, COUNT(*) AS n, SUM(minutes) AS s, AVG(coins) AS m FROM visit GROUP BY zone, day"
BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
PEOPLE = "SELECT zone, COUNT(DISTINCT person_id) AS p FROM visit GROUP BY zone"
TOTAL = "SELECT COUNT(*) AS n FROM visit"
BY_ZONE_WHERE = "SELECT zone, COUNT(*) AS n FROM visit WHERE {} GROUP BY zone"
MEMBERS = "SELECT gender, zone, COUNT(*) AS n FROM visit JOIN person USING (person_id) GROUP BY 1, 2"
# held at rho 1 -> asked at rho 0.001: free, and the number that is asked for
SAID = [
    (FINE, BY_ZONE),
    (FINE, "SELECT COUNT(*) AS n, SUM(minutes) AS s FROM visit"),
    (FINE, "SELECT AVG(coins) AS m FROM visit WHERE zone IN ('z1', 'z2')"),
    (FINE, "SELECT zone, AVG(coins) AS m FROM visit GROUP BY zone"),
    (FINE, "SELECT day, SUM(minutes) AS s FROM visit WHERE zone <> 'z3' GROUP BY day"),
    (FINE, "SELECT COUNT(*) AS n FROM visit WHERE zone = 'z1' AND day >= '2026-10-02'"),
    (FINE, "SELECT CASE WHEN zone IN ('z0', 'z1') THEN 'old' ELSE 'new' END AS part, COUNT(*) AS n FROM visit GROUP BY 1"),
    (FINE, "SELECT date_trunc('month', day) AS d, COUNT(*) AS n FROM visit GROUP BY 1"),
    (FINE, "SELECT dayofweek(day) AS d, COUNT(*) AS n FROM visit GROUP BY 1 HAVING COUNT(*) > -1e9"),
    (FINE, ("SELECT zone, n * 1.0 / t AS share FROM (SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone)"
           " CROSS JOIN (SELECT COUNT(*) AS t FROM visit)")),
    (FINE, ("SELECT t - n AS others FROM (SELECT COUNT(*) AS n FROM visit WHERE zone = 'z1')"
           " CROSS JOIN (SELECT COUNT(*) AS t FROM visit)")),
    (PEOPLE, "SELECT COUNT(DISTINCT person_id) AS p FROM visit WHERE zone = 'z5'"),
    (MEMBERS, "SELECT zone, COUNT(*) AS n FROM visit JOIN person USING (person_id) WHERE gender = 'f' GROUP BY zone"),
]  # fmt: skip
# held -> asked: a release of its own
UNSAID = [
    (PEOPLE, "SELECT COUNT(DISTINCT person_id) AS p FROM visit"),
    (PEOPLE, "SELECT COUNT(DISTINCT person_id) AS p FROM visit WHERE zone IN ('z1', 'z2')"),
    (PEOPLE, BY_ZONE),
    (BY_ZONE, "SELECT COUNT(*) AS n FROM visit WHERE minutes > 30"),
    (BY_ZONE, "SELECT day, COUNT(*) AS n FROM visit GROUP BY day"),
    (MEMBERS, BY_ZONE),
    (MEMBERS, "SELECT zone, COUNT(*) AS n FROM visit JOIN person USING (person_id) GROUP BY zone"),
    ("SELECT COUNT(*) AS n FROM visit WHERE zone IN ('z1', 'z2')", "SELECT COUNT(*) AS n FROM visit WHERE zone = 'z1'"),
    ("SELECT zone, COUNT(*) AS n FROM visit WHERE day > '2026-10-01' GROUP BY zone", "SELECT COUNT(*) AS n FROM visit"),
    ("SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop", "SELECT COUNT(*) AS n FROM visit"),
    ("SELECT zone, median(minutes) AS n FROM visit GROUP BY zone", "SELECT median(minutes) AS n FROM visit"),
    (f"{TOTAL} WHERE (minutes > 30) IS NOT TRUE", f"{TOTAL} WHERE minutes <= 30"),  # some are NULL
    (f"{TOTAL} WHERE zone = 'z1'", f"{TOTAL} WHERE zone <> 'z1'"),  # nothing is subtracted
    # the same rows, said otherwise
    (f"{TOTAL} WHERE day >= '2026-10-02' AND day < '2026-10-03'", f"{TOTAL} WHERE day = '2026-10-02'"),
    (BY_ZONE_WHERE.format("NOT (minutes > 30)"), BY_ZONE_WHERE.format("minutes <= 30 AND zone <> 'z1'")),
]  # fmt: skip


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("held")) as engine:
        yield engine


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("daily"), DAILY) as engine:
        yield engine


def rows(answered: Answered) -> list[dict[str, object]]:
    return answered.answer.table.to_pylist()


def nearly(row: dict[str, object]) -> dict[str, object]:
    return {name: f"{value:.9g}" if isinstance(value, float) else value for name, value in row.items()}


@pytest.mark.parametrize(("held", "asked"), SAID)
def test_an_answer_from_a_stored_release_equals_a_new_one_and_is_free(town: Engine, held: str, asked: str) -> None:
    exact = anew(town, exact=True)
    ask(exact, held, "1")
    free, plain = ask(exact, asked, "0.001"), ask(anew(town, exact=True), asked, "0.001")
    assert free.charged_loss == Loss(0, 0) and all(way.derived for way in free.sources)
    assert [nearly(row) for row in rows(free)] == [nearly(row) for row in rows(plain)]


@pytest.mark.parametrize(("held", "asked"), UNSAID)
def test_stored_releases_that_do_not_match_are_not_used(town: Engine, held: str, asked: str) -> None:
    own = anew(town)
    ask(own, held, "1")
    assert price(ask(own, asked, "0.001")) == pytest.approx(0.001)


def test_a_rolled_up_answer_sums_the_stored_noisy_numbers(town: Engine) -> None:
    own = anew(town)
    fine, coarse = ask(own, FINE, "1"), ask(own, BY_ZONE, "0.001")
    (held,), (made,) = fine.releases, coarse.releases
    place = [v.kind for v in fine.prepared[0].plan.vectors].index("rows")
    zones = held.keys.column([key.canonical_text for key in fine.prepared[0].plan.keys].index("zone")).to_pylist()
    sums: dict[str, int] = {}
    for zone, noisy in zip(zones, held.noisy[place].tolist(), strict=True):
        sums[zone] = sums.get(zone, 0) + noisy
    assert dict(zip(made.keys.column(0).to_pylist(), made.noisy[0].tolist(), strict=True)) == sums
    assert made.sigmas[0] == pytest.approx(held.sigmas[place] * 2)  # four days


def test_earlier_matches_change_no_answer(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "1")
    ask(own, BY_ZONE, "0.001")
    assert own.recovered_plans.plans
    fresh = replace(own)
    assert not fresh.recovered_plans.plans and not fresh.plan_cache._entries
    again, first = ask(own, BY_ZONE, "0.001"), ask(fresh, BY_ZONE, "0.001")
    assert again.answer.table.equals(first.answer.table)
    assert (again.charged_loss, again.notes, again.query.terms) == (first.charged_loss, first.notes, first.query.terms)
    assert own.recovered_plans == fresh.recovered_plans


def test_few_recovered_plans_are_kept_and_change_no_answer(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.reuse.holdings.MAX_RECOVERED_PLANS", 1)
    own = anew(town)
    for sql, rho in ((FINE, "1"), (BY_ZONE, "0.001"), (BY_ZONE, "0.0001")):
        answered = ask(own, sql, rho)
        assert len(own.recovered_plans.plans) <= 1
    assert not answered.charged_loss.pico_rho, "derived from the first, whose plan was recovered again"


def test_the_answer_and_its_explanation_name_the_source_release(town: Engine) -> None:
    own = anew(town)
    bought = ask(own, FINE, "1").prepared[0].release_key
    told = explain(own, BY_ZONE, Request("ann", rho=Fraction("0.001")))
    free = ask(own, BY_ZONE, "0.001")
    assert told.loss == Loss(0, 0) and derived_from(told.sources) == derived_from(free.sources)
    ((how),) = derived_from(free.sources)
    assert (how["release_id"], how["groups"], how["how"]) == (bought, 4, "up to 4 groups added up")
    assert [note for note in free.notes if bought[:12] in note.text] == [
        note for note in told.notes if bought[:12] in note.text
    ]
    assert told.expected_error["n"] == (free.answer.intervals["n"][1] - free.answer.intervals["n"][0])[0] / 2
    assert not told.sql


def test_an_imprecise_match_is_not_used(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "0.06")  # a third of it is for counts, and four days are added up
    assert price(ask(own, BY_ZONE, "0.01")) == pytest.approx(0.01)


def test_a_release_with_more_clipping_bias_is_not_used(town: Engine) -> None:
    tables = tuple(
        replace(t, clip_bounds=replace(t.clip_bounds, rows=2.0, expected_coverage=0.9)) if t.clip_bounds else t
        for t in town.catalog.tables
    )
    own = anew(town)
    ask(replace(own, catalog=replace(town.catalog, tables=tables)), FINE, "9")
    assert price(ask(own, BY_ZONE, "0.001")) == pytest.approx(0.001)


def test_an_answer_stays_the_same_after_a_later_purchase(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "1")
    first = ask(own, BY_ZONE, "0.001")
    ask(own, BY_ZONE, "0.5")
    assert rows(ask(own, BY_ZONE, "0.001")) == rows(first)


def test_releases_of_other_clients_and_data_versions_do_not_match(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "1")
    assert price(ask(own, BY_ZONE, "0.001", client="ben")) == pytest.approx(0.001)
    (dataset,) = town.catalog.datasets
    newer = replace(town.catalog, datasets=(replace(dataset, data_version=2),))
    assert price(ask(replace(own, catalog=newer), BY_ZONE, "0.001")) == pytest.approx(0.001)


def test_an_incomplete_key_set_is_sliced_but_not_rolled_up(town: Engine) -> None:
    open_list = replace(
        town.catalog,
        tables=tuple(
            replace(t, columns=tuple(replace(c, complete=False) for c in t.columns)) for t in town.catalog.tables
        ),
    )
    own = anew(town, open_list)
    ask(own, BY_ZONE, "1")
    assert price(ask(own, "SELECT COUNT(*) AS n FROM visit", "0.001")) == pytest.approx(0.001)
    assert price(ask(own, "SELECT COUNT(*) AS n FROM visit WHERE zone IN ('z1', 'z2')", "0.001")) == 0
    assert price(ask(own, "SELECT COUNT(*) AS n FROM visit WHERE zone IN ('z1', 'zz')", "0.001")) == pytest.approx(
        0.001
    )


def test_releases_keyed_by_privacy_window_are_sliced_and_rolled_up(daily: Engine) -> None:
    exact = anew(daily, exact=True)
    by_day = "SELECT day, zone, COUNT(*) AS n FROM visit GROUP BY day, zone"
    ask(exact, by_day, "1")
    for asked in (
        "SELECT COUNT(*) AS n FROM visit WHERE day = '2026-10-02'",
        "SELECT zone, COUNT(*) AS n FROM visit WHERE day BETWEEN '2026-10-02' AND '2026-10-03' GROUP BY zone",
        "SELECT COUNT(*) AS n FROM visit",
    ):
        free, plain = ask(exact, asked, "0.001"), ask(anew(daily, exact=True), asked, "0.001")
        assert (price(free), rows(free)) == (0.0, rows(plain))


def test_releases_not_keyed_by_privacy_window_are_not_sliced(daily: Engine) -> None:
    own = anew(daily)
    ask(own, BY_ZONE, "1")
    asked = "SELECT zone, COUNT(*) AS n FROM visit WHERE day = '2026-10-02' GROUP BY zone"
    assert price(ask(own, asked, "0.001")) == pytest.approx(0.001)


def test_a_retried_request_is_free_and_returns_the_same_numbers(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "0.06")
    asked = Request("ann", rho=Fraction("0.01"), request_id="r-1")
    first, again = own.answer(BY_ZONE, asked), own.answer(BY_ZONE, asked)
    assert rows(again) == rows(first) and again.charged_loss == Loss(0, 0)


def test_shared_noise_counts_in_the_variance(town: Engine) -> None:
    own = anew(town)
    (fine,) = ask(own, FINE, "1").releases
    both = (
        "SELECT n + t AS both FROM (SELECT COUNT(*) AS n FROM visit WHERE zone = 'z1')"
        " CROSS JOIN (SELECT COUNT(*) AS t FROM visit)"
    )
    lower, upper = ask(own, both, "0.002").answer.intervals["both"]
    place = [v.kind for v in ask(own, FINE, "1").prepared[0].plan.vectors].index("rows")
    exact = 1.96 * fine.sigmas[place] * fine.grains[place] * math.sqrt(4 * 4 + 24)  # four cells count twice
    assert (upper - lower)[0] / 2 >= exact


@pytest.mark.parametrize("what", ["engine.reuse.sources.run_outer", "engine.reuse.sources.read_key_set"])
def test_an_oversized_roll_up_is_refused_before_a_charge(
    town: Engine, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def failing(*_: object) -> None:
        raise ExecutionFailed

    own = anew(town)
    ask(own, FINE, "1")
    rows = len(own.ledger.entries())
    monkeypatch.setattr(what, failing)
    for asking in (own.answer, partial(explain, own)):
        with pytest.raises(Refusal, match="nothing was charged"):
            asking(BY_ZONE, Request("ann", rho=Fraction(1, 1000)))
    assert len(own.ledger.entries()) == rows
