"""Accounts and ledger rows as they leave: floats for people, and never more left than there is."""

from __future__ import annotations

from fractions import Fraction

import pytest

from budgets import AccountName, AccountView, Loss, epsilon_from_rho
from engine.accounts.window_accounts import account_json, remaining_json
from engine.api.wire import budget as wire_budget
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request

VIEW = AccountView(
    AccountName("town", "forever", "ann"),
    Loss.rounded_down("0.1", "1e-9"),
    Loss.rounded_up(Fraction(1, 30), Fraction(1, 10**12)),
)


def test_an_account_reports_spent_and_remaining_budget() -> None:
    shown = account_json(VIEW)
    assert {name: type(value) for name, value in shown.items()} == {
        "dataset": str, "window": str, "client": str, "cap_rho": float, "spent_rho": float, "remaining_rho": float,
        "remaining_delta": float, "epsilon": float, "delta": float, "cap_epsilon": float, "calibration_rho": float,
    }  # fmt: skip
    assert shown["cap_rho"] == 0.1
    assert shown["spent_rho"] + shown["remaining_rho"] == pytest.approx(0.1)
    assert shown["spent_rho"] >= 1 / 30
    assert shown["remaining_delta"] == pytest.approx(1e-10 - 1e-12)  # a tenth of the cap's is for thresholds
    assert shown["epsilon"] < shown["cap_epsilon"]


def test_the_remaining_rho_is_reported_with_the_spent_epsilon() -> None:
    shown = remaining_json(VIEW)
    assert set(shown) == {"rho", "delta", "epsilon", "cap_rho"}
    assert shown["rho"] == float(VIEW.remaining.rho)
    assert shown["cap_rho"] == 0.1
    assert shown["epsilon"] == account_json(VIEW)["epsilon"]
    assert shown["epsilon"] == pytest.approx(epsilon_from_rho(VIEW.spent.rho, Fraction(9, 10**10)), rel=1e-6)


def test_the_shared_account_has_no_client() -> None:
    shared = AccountView(AccountName("town", "forever"), VIEW.cap, VIEW.spent)
    assert account_json(shared)["client"] is None


def test_ledger_rows_and_releases_show_the_question_and_no_answer(engine: Engine) -> None:
    given = engine.answer("SELECT COUNT(*) AS n FROM visit", Request("ann"))
    rows = [wire_budget.entry_shape(row) for row in engine.ledger.entries()]
    assert [row["sequence"] for row in rows] == sorted(row["sequence"] for row in rows)
    assert {row["kind"] for row in rows} == {"opened", "account_opened", "charged", "released"}
    (charged,) = [row for row in rows if row["kind"] == "charged"]
    assert (charged["client"], charged["rho"], charged["delta"]) == ("ann", 0.005, 0.0)
    assert {row["rho"] for row in rows if row is not charged} == {None}
    (paid,) = [wire_budget.paid_release_shape(release) for release in engine.ledger.paid_releases("ann")]
    assert paid["release_id"] == given.prepared[0].release_key
    assert (paid["dataset"], paid["rho"], paid["delta"]) == ("town", 0.005, 0.0)
    assert paid["question"] == "town: visit#1 group by  listed vectors rows()"
    assert paid["settled_at"]
    (number,) = given.answer.table.column("n").to_pylist()
    assert all(number not in row.values() for row in [*rows, paid])


def test_a_history_does_not_show_when_another_client_asked(engine: Engine) -> None:
    for client in ("ann", "ben"):
        engine.answer("SELECT COUNT(*) AS n FROM visit", Request(client))
    charged = {row.holder: row.at for row in engine.ledger.entries() if row.kind == "charged"}
    (of_ann,), (of_ben,) = (engine.ledger.paid_releases(client) for client in ("ann", "ben"))
    assert of_ann.settled_at is not None and charged["ann"] <= of_ann.settled_at <= charged["ben"]
    assert of_ben.settled_at == charged["ben"] > charged["ann"]  # the release was stored before
    assert wire_budget.paid_release_shape(of_ben)["settled_at"] == charged["ben"]
