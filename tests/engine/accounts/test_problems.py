"""Every refusal and failure has one shape: five keys, and more only where there is more to say."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from budgets import AccountName, BudgetRefused, IdempotencyError, LedgerUnavailable, ParamError
from dialect import Span
from dialect.diagnostics.kinds import Kind
from engine.errors import AnyProblem, CatalogError, DataError, ExecutionFailed, problem
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request

AMOUNTS = {"account", "window", "requested_rho", "remaining_rho", "short_by_rho", "would_fit_rho"}
INSTEAD = {"would_fit_error", "would_fit_windows", "other_windows", "free_at_rho"}
ALWAYS = {"code", "message", "hint", "span", "sql"}


@pytest.mark.parametrize(
    ("error", "code", "message", "hint"),
    [
        (Kind.NOT_OF_TYPE.at(text="1.2.3", type="DATE", form="DATE"), "E_PARSE", "'1.2.3' is not a DATE.", "DATE"),
        (DataError("visit", "no file.", "make one"), "E_DATA", "visit: no file.", "make one"),
        (ExecutionFailed(), "E_EXEC", ExecutionFailed.why, ExecutionFailed.hint),
        (ParamError("Too small.", "rho = 1."), "E_PARAM", "Too small.", "rho = 1."),
        (IdempotencyError("Used before.", "a new id."), "E_IDEMPOTENCY", "Used before.", "a new id."),
        (LedgerUnavailable("It is locked.", "later."), "E_LEDGER", "It is locked.", "later."),
    ],
)
def test_every_problem_has_one_json_shape(error: AnyProblem, code: str, message: str, hint: str) -> None:
    assert problem(error, "SELECT 1") == {
        "code": code,
        "message": message,
        "hint": hint,
        "span": None,
        "sql": "SELECT 1",
    }


def test_a_refusal_points_into_the_sql() -> None:
    shown = problem(Kind.MISSPELT_COLUMN.at(Span(7, 11), name="oops", near="loops"), "SELECT oops")
    assert shown["span"] == [7, 11]
    assert set(shown) == ALWAYS


def test_a_catalog_error_names_file_and_key() -> None:
    shown = problem(CatalogError("city.toml", "tables.trip", "it is not declared.", "declare it."), None)
    assert shown == {
        "code": "E_CATALOG", "message": "city.toml: tables.trip: it is not declared.", "hint": "declare it.",
        "span": None, "sql": None, "file": "city.toml", "key": "tables.trip",
    }  # fmt: skip


def test_a_budget_refusal_reports_requested_and_remaining_rho(engine: Engine) -> None:
    with pytest.raises(BudgetRefused) as refused:
        engine.answer("SELECT COUNT(*) AS n FROM visit", Request("ann", rho=Fraction(3, 20)))
    shown = problem(refused.value, "SELECT")
    assert set(shown) == ALWAYS | AMOUNTS | INSTEAD
    amounts = [shown[name] for name in ("requested_rho", "remaining_rho", "short_by_rho", "would_fit_rho")]
    assert amounts == pytest.approx([0.15, 0.1, 0.05, 0.1])
    assert (shown["window"], shown["would_fit_windows"], shown["free_at_rho"]) == ("forever", [], None)
    assert shown["account"] == str(AccountName("town", "forever", "ann"))
    assert json.loads(json.dumps(shown)) == shown
