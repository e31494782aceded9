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
from engine.api.wire.answer import made_from
from engine.errors import ExecutionFailed
from engine.pipeline.answered import Answered
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.terms import Asked
from tests.engine.held_town import DAILY, anew, ask, held_town, price

FINE = "SELECT zone, day, COUNT(*) AS n, SUM(minutes) AS s, AVG(coins) AS m FROM visit GROUP BY zone, day"
BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
PEOPLE = "SELECT zone, COUNT(DISTINCT person_id) AS p FROM visit GROUP BY zone"
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
def test_what_is_held_says_the_same_as_asking_anew_and_is_free(town: Engine, held: str, asked: str) -> None:
    exact = anew(town, exact=True)
    ask(exact, held, "1")
    free, plain = ask(exact, asked, "0.001"), ask(anew(town, exact=True), asked, "0.001")
    assert free.charged == Loss(0, 0) and all(way.sources for way in free.ways)
    assert [nearly(row) for row in rows(free)] == [nearly(row) for row in rows(plain)]


@pytest.mark.parametrize(("held", "asked"), UNSAID)
def test_what_is_held_does_not_say_it(town: Engine, held: str, asked: str) -> None:
    own = anew(town)
    ask(own, held, "1")
    assert price(ask(own, asked, "0.001")) == pytest.approx(0.001)


def test_the_numbers_are_the_sums_of_the_stored_ones(town: Engine) -> None:
    own = anew(town)
    fine, coarse = ask(own, FINE, "1"), ask(own, BY_ZONE, "0.001")
    (held,), (made,) = fine.releases, coarse.releases
    place = [v.kind for v in fine.prepared[0].plan.vectors].index("rows")
    zones = held.keys.column([key.text for key in fine.prepared[0].plan.keys].index("zone")).to_pylist()
    sums: dict[str, int] = {}
    for zone, noisy in zip(zones, held.noisy[place].tolist(), strict=True):
        sums[zone] = sums.get(zone, 0) + noisy
    assert dict(zip(made.keys.column(0).to_pylist(), made.noisy[0].tolist(), strict=True)) == sums
    assert made.sigmas[0] == pytest.approx(held.sigmas[place] * 2)  # four days


def test_what_was_found_before_moves_no_answer(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "1")
    ask(own, BY_ZONE, "0.001")
    assert own.known
    fresh = replace(own)
    assert not fresh.known and not fresh.remembered._shelves
    again, first = ask(own, BY_ZONE, "0.001"), ask(fresh, BY_ZONE, "0.001")
    assert again.answer.table.equals(first.answer.table)
    assert (again.charged, again.notes, again.confidence) == (first.charged, first.notes, first.confidence)
    assert own.known == fresh.known


def test_the_answer_says_from_what_and_an_explanation_says_so_before(town: Engine) -> None:
    own = anew(town)
    bought = ask(own, FINE, "1").prepared[0].release_key
    told = explain(own, BY_ZONE, Asked("ann", rho=Fraction("0.001")))
    free = ask(own, BY_ZONE, "0.001")
    assert told.loss == Loss(0, 0) and made_from(told.ways) == made_from(free.ways)
    ((how),) = made_from(free.ways)
    assert (how["release_id"], how["groups"], how["how"]) == (bought, 4, "up to 4 groups added up")
    assert [note for note in free.notes if bought[:12] in note.text] == [
        note for note in told.notes if bought[:12] in note.text
    ]
    assert told.expected_error["n"] == (free.answer.intervals["n"][1] - free.answer.intervals["n"][0])[0] / 2
    assert not told.sql


def test_what_is_too_wide_is_mixed_with_a_cheaper_release_and_is_free_from_then_on(town: Engine) -> None:
    own = anew(town)
    alone = ask(anew(town), BY_ZONE, "0.01").answer.intervals["n"]
    ask(own, FINE, "0.06")  # a third of it is for counts, and four days are added up
    first, again = ask(own, BY_ZONE, "0.01"), ask(own, BY_ZONE, "0.01")
    assert 0.001 < price(first) < 0.0095
    assert (price(again), rows(again)) == (0.0, rows(first))
    width = first.answer.intervals["n"][1] - first.answer.intervals["n"][0]
    assert (width <= (alone[1] - alone[0]) + 1).all()
    assert len(first.ways[0].sources) == 1 and first.ways[0].bought is not None


def test_what_was_said_stays_when_more_is_bought(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "1")
    first = ask(own, BY_ZONE, "0.001")
    ask(own, BY_ZONE, "0.5")
    assert rows(ask(own, BY_ZONE, "0.001")) == rows(first)


def test_the_same_at_a_higher_price_is_a_release_of_its_own_mixed_in(town: Engine) -> None:
    own = anew(town)
    first, second = ask(own, BY_ZONE, "0.005"), ask(own, BY_ZONE, "0.01")
    assert second.ways[0].bought is not None
    assert second.ways[0].bought.release_key != first.prepared[0].release_key
    assert len(own.ledger.releases("ann")) == 2


def test_cut_otherwise_is_not_mixed(town: Engine) -> None:
    narrow = replace(
        town.catalog,
        tables=tuple(
            replace(t, norms=replace(t.norms, rows=1000.0)) if t.name == "visit" and t.norms else t
            for t in town.catalog.tables
        ),
    )
    own = anew(town)
    ask(own, FINE, "0.06")
    assert price(ask(replace(own, catalog=narrow), BY_ZONE, "0.01")) == pytest.approx(0.01)


def test_another_client_and_another_version_of_the_data_hold_nothing(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "1")
    assert price(ask(own, BY_ZONE, "0.001", client="ben")) == pytest.approx(0.001)
    (dataset,) = town.catalog.datasets
    newer = replace(town.catalog, datasets=(replace(dataset, data_version=2),))
    assert price(ask(replace(own, catalog=newer), BY_ZONE, "0.001")) == pytest.approx(0.001)


def test_a_list_that_is_open_rolls_up_for_nobody_and_is_sliced(town: Engine) -> None:
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


def test_windows_that_are_told_apart_are_sliced_and_rolled_up(daily: Engine) -> None:
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


def test_windows_that_are_not_told_apart_are_not_sliced(daily: Engine) -> None:
    own = anew(daily)
    ask(own, BY_ZONE, "1")
    asked = "SELECT zone, COUNT(*) AS n FROM visit WHERE day = '2026-10-02' GROUP BY zone"
    assert price(ask(own, asked, "0.001")) == pytest.approx(0.001)


def test_a_request_that_is_sent_twice_is_free_and_says_the_same(town: Engine) -> None:
    own = anew(town)
    ask(own, FINE, "0.06")
    asked = Asked("ann", rho=Fraction("0.01"), request_id="r-1")
    first, again = own.answer(BY_ZONE, asked), own.answer(BY_ZONE, asked)
    assert rows(again) == rows(first) and again.charged == Loss(0, 0)


def test_shared_noise_is_reckoned_with(town: Engine) -> None:
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


@pytest.mark.parametrize("what", ["engine.reuse.combine.outer", "engine.reuse.view_lookup.public_keys"])
def test_what_is_held_and_too_much_to_add_up_is_refused_before_a_charge(
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
            asking(BY_ZONE, Asked("ann", rho=Fraction(1, 1000)))
    assert len(own.ledger.entries()) == rows
