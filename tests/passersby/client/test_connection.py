"""A client at a catalog: prices before paying, free repeats, refusals that cost nothing, accounts that add up."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

import passersby
from budgets import LedgerUnavailable
from engine.api.session import Session
from passersby.client.connection import Connection
from tests.engine.complete_town import DAILY, anew, held_town
from tests.engine.windowed_town import DAYS
from tests.passersby.shapes import ACCOUNT, ANSWER, BUDGET, EXPLANATION, HISTORY, LEDGER, LEFT, misfits

COUNT = "SELECT zone, count(*) AS visits, avg(minutes) AS minutes FROM visit GROUP BY zone ORDER BY zone"


def spent(connection: Connection) -> list[float]:
    return [account["spent_rho"] for account in connection.budget().accounts]


def test_a_question_is_explained_then_paid_then_free(ana: Connection) -> None:
    told = ana.explain(COUNT)
    assert spent(ana) == [0.0, 0.0]
    paid = ana.query(COUNT)
    assert paid.price["rho"] == told.price["rho"] == 0.005
    assert not paid.replayed
    free = ana.query("select zone, COUNT(*) as n, avg(v.minutes) from visit v group by 1 order by 1")
    assert free.replayed
    assert free.price["rho"] == 0
    assert free.rows == paid.rows
    assert spent(ana) == [0.005, 0.005]
    assert ana.explain(COUNT).replayed


def test_the_shapes_are_the_documented_ones(ana: Connection) -> None:
    assert not misfits(ana.query(COUNT).to_wire(), ANSWER)
    assert not misfits(ana.query("SELECT shop, count(*) AS n FROM visit GROUP BY shop").to_wire(), ANSWER)
    assert not misfits(ana.query("SELECT name FROM zone").to_wire(), ANSWER)
    assert not misfits(ana.explain(COUNT).to_wire(), EXPLANATION)
    assert not misfits(ana.explain("SELECT shop, count(*) AS n FROM visit GROUP BY shop").to_wire(), EXPLANATION)
    assert not misfits(dict(ana.budget()), BUDGET)
    assert not misfits(list(ana.history()), HISTORY)
    assert not misfits(list(ana.ledger()), LEDGER)


def test_the_shape_checker_finds_wrong_shapes() -> None:
    left = {"rho": 0.1, "delta": 0.0, "epsilon": 1.0, "cap_rho": 0.2}
    assert not misfits(left, LEFT)
    assert misfits({**left, "more": 1}, LEFT)
    assert misfits({key: value for key, value in left.items() if key != "rho"}, LEFT)
    assert misfits({**left, "rho": "0.1"}, LEFT)
    assert misfits([left, None], [ACCOUNT])


def test_explain_and_query_return_the_same_columns(ana: Connection) -> None:
    before, after = ana.explain(COUNT).to_wire()["columns"], ana.query(COUNT).to_wire()["columns"]
    assert before == after


def test_a_refusal_costs_nothing_and_points_at_the_sql(ana: Connection) -> None:
    sql = "SELECT nope FROM visit"
    with pytest.raises(passersby.RefusedError) as refused:
        ana.query(sql)
    assert refused.value.sql == sql
    assert refused.value.span == (7, 11)
    assert "^^^^" in str(refused.value)
    assert spent(ana) == [0.0, 0.0]


def test_a_price_above_the_budget_is_refused_with_numbers(ana: Connection) -> None:
    with pytest.raises(passersby.BudgetError) as short:
        ana.query(COUNT, rho=0.15)
    assert short.value.code == "E_BUDGET"
    assert short.value.requested_rho == pytest.approx(0.15)
    assert short.value.remaining_rho == pytest.approx(0.1)
    assert short.value.short_by_rho == pytest.approx(0.05)
    assert short.value.would_fit_rho == pytest.approx(0.1)
    assert short.value.would_fit_error["visits"] > 0 and short.value.other_windows == []
    assert {name: getattr(short.value, name) for name in short.value.details} == short.value.details
    assert spent(ana) == [0.0, 0.0]


@pytest.mark.parametrize("rho", ["0.01", 0.01, Decimal("0.01")])
def test_an_amount_is_read_as_its_decimal_text(ana: Connection, rho: str | float | Decimal) -> None:
    assert ana.query(COUNT, rho=rho).price["rho"] == 0.01


@pytest.mark.parametrize("rho", [-1, "much", float("nan"), float("inf"), "1/3", True])
def test_an_invalid_amount_is_refused(ana: Connection, rho: str | float) -> None:
    with pytest.raises(passersby.RefusedError) as refused:
        ana.query(COUNT, rho=rho)
    assert refused.value.code == "E_PARAM"


@pytest.mark.parametrize("given", [None, 3, b"SELECT 1"])
def test_a_question_that_is_no_text_is_refused(ana: Connection, given: object) -> None:
    for ask in (ana.query, ana.explain, ana.rehearse):
        with pytest.raises(passersby.RefusedError, match="E_PARAM: A question is text"):
            ask(given)


@pytest.mark.parametrize("limit", [-1, 0, 10**30])
def test_an_invalid_number_of_rows_is_refused(ana: Connection, limit: int) -> None:
    with pytest.raises(passersby.PassersbyError, match=f"limit is {limit}"):
        ana.ledger(limit=limit)


def test_an_unreadable_ledger_raises_a_client_error(ana: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise LedgerUnavailable("It is away.", "again")

    with monkeypatch.context() as broken:
        broken.setattr("budgets.stores.store.Store.reading", away)
        for ask in (ana.budget, ana.history, ana.ledger, partial(ana.query, "SHOW BUDGET"), partial(ana.query, COUNT)):
            with pytest.raises(passersby.LedgerError, match="E_LEDGER"):
                ask()


def test_more_confidence_means_wider_intervals(ana: Connection) -> None:
    narrow, wide = ana.query(COUNT, confidence=0.8), ana.query(COUNT, confidence=0.99)
    assert wide.replayed
    assert (narrow.confidence, wide.confidence) == (0.8, 0.99)
    columns = zip(narrow.rows, narrow.intervals["visits"], wide.intervals["visits"], strict=True)
    # an interval wholly below 0 is shown as one half-width from 0 on, which is wider where confidence is less
    pairs = [(n, w) for (_, visits, _), n, w in columns if n and w and visits >= 0]
    assert pairs
    assert all(w[0] <= n[0] and n[1] <= w[1] for n, w in pairs)  # ends may stay at 0: counts are not negative
    assert all(n[1] < w[1] for n, w in pairs)


def test_a_rehearsal_is_free_and_marked_as_one(ana: Connection) -> None:
    rehearsed = ana.rehearse(COUNT)
    assert rehearsed.rehearsal
    assert rehearsed.columns == ["zone", "visits", "minutes"]
    assert not misfits({key: value for key, value in rehearsed.to_wire().items() if key != "rehearsal"}, ANSWER)
    assert spent(ana) == [0.0, 0.0]
    assert ana.history() == []


def test_clients_of_one_ledger_have_accounts_of_their_own(town: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "shared.ledger"
    with passersby.connect(town, client="ana", ledger=ledger) as ana, ana:
        first = ana.query(COUNT)
    with passersby.connect(town, client="ben", ledger=ledger) as ben:
        second = ben.query(COUNT)
        assert second.rows == first.rows
        assert second.price["rho"] == 0.005  # new to ben; the dataset has paid for it already
        assert [(a["client"], a["spent_rho"]) for a in ben.budget().accounts] == [(None, 0.005), ("ben", 0.005)]
        assert len(ben.history()) == 1
        assert {row["asked_by"] for row in ben.ledger() if row["kind"] == "charged"} == {"ana", "ben"}
        assert {row["asked_by"] for row in ben.ledger(client="ana")} == {"ana"}
        assert ben.ledger(limit=2) == ben.ledger()[-2:]


def test_the_same_request_id_is_charged_once(ana: Connection) -> None:
    first = ana.query(COUNT, request_id="a-1")
    assert ana.query(COUNT, request_id="a-1").rows == first.rows
    with pytest.raises(passersby.PassersbyError) as refused:
        ana.query("SELECT count(*) AS n FROM visit", request_id="a-1")
    assert refused.value.code == "E_IDEMPOTENCY"
    assert spent(ana) == [0.005, 0.005]


def test_tables_hide_what_is_not_visible(ana: Connection) -> None:
    names = {table["name"]: [column["name"] for column in table["columns"]] for table in ana.tables()}
    assert set(names) == {"person", "visit", "purchase", "zone"}
    assert "minutes" in names["visit"]


@pytest.mark.parametrize("shown", ["budget", "history", "ledger", "tables"])
def test_lists_can_be_read(ana: Connection, shown: str) -> None:
    assert repr(getattr(ana, shown)())
    ana.query(COUNT)
    assert "0.005" in repr(getattr(ana, shown)()) or shown == "tables"


def test_a_query_on_a_closed_connection_is_refused(ana: Connection) -> None:
    ana.close()
    ana.close()
    assert "closed" in repr(ana)
    with pytest.raises(passersby.PassersbyError, match="closed"):
        ana.query(COUNT)


STANDING = f"""
[standing.footfall]
sql = "SELECT zone, COUNT(*) AS n FROM visit WHERE day >= {{first}} AND day < {{behind}} GROUP BY zone"
share = 0.01
clients = ["ann"]
from = "{DAYS[1]}"
"""


@pytest.fixture
def daily(tmp_path: Path) -> Iterator[Session]:
    with held_town(tmp_path / "daily", DAILY) as engine:
        yield Session(anew(engine))


def test_standing_questions_are_listed_and_shown_by_name(daily: Session, tmp_path: Path) -> None:
    file = tmp_path / "standing.toml"
    file.write_text(STANDING, encoding="utf-8")
    ann, ben = (Connection(name, session=daily) for name in ("ann", "ben"))
    ann.run_standing(file, early=True)
    assert ann.standings(file=file) == [{"name": "footfall", "dataset": "town", "windows": list(DAYS[1:])}]
    assert ben.standings(file=file) == []
    assert ann.standing("footfall", file=file).card["windows"] == [DAYS[-1]]
    assert ann.standing("footfall", file=str(file), window=DAYS[1]).card["windows"] == [DAYS[1]]
    for call in (lambda: ann.standing("footfall"), ann.standings):
        with pytest.raises(passersby.RefusedError, match="which file"):
            call()


def test_every_method_of_a_closed_connection_is_refused(daily: Session) -> None:
    closed = Connection("ann", session=daily)
    closed.close()
    for call in (
        closed.tables,
        closed.functions,
        lambda: closed.outlines("zone"),
        lambda: closed.standing("footfall"),
        lambda: closed.standings(file="x"),
    ):
        with pytest.raises(passersby.RefusedError, match="closed"):
            call()
