"""Errors carry the wire's fields, say them as people read them, and can be sent to another process."""

from __future__ import annotations

import pickle

import pytest

import passersby
from passersby import errors
from passersby.errors import ERRORS_BY_CODE, error_from_problem

REFUSED = {
    "code": "E_COLUMN",
    "message": "There is no column nope here.",
    "hint": "zone",
    "span": [7, 11],
    "sql": "SELECT nope FROM visit",
}
SHORT = {
    "code": "E_BUDGET",
    "message": "This costs rho 3.",
    "hint": "a question of at most rho 0.1 fits.",
    "span": None,
    "sql": "SELECT count(*) FROM visit",
    "requested_rho": 3.0,
    "remaining_rho": 0.1,
    "short_by_rho": 2.9,
    "would_fit_rho": 0.1,
}


def test_the_text_has_a_caret_and_what_to_try() -> None:
    assert str(error_from_problem(REFUSED)).splitlines() == [
        "E_COLUMN: There is no column nope here.",
        "",
        "    SELECT nope FROM visit",
        "           ^^^^",
        "",
        "Try: zone",
    ]


def test_without_a_span_there_is_no_caret() -> None:
    assert str(error_from_problem(SHORT)) == "E_BUDGET: This costs rho 3.\nTry: a question of at most rho 0.1 fits."


@pytest.mark.parametrize("problem", [REFUSED, SHORT])
def test_the_wire_shape_comes_back(problem: dict[str, object]) -> None:
    assert error_from_problem(problem).problem == problem


def test_a_budget_error_has_its_numbers() -> None:
    error = error_from_problem(SHORT)
    assert isinstance(error, passersby.BudgetError)
    numbers = (error.requested_rho, error.remaining_rho, error.short_by_rho, error.would_fit_rho)
    assert numbers == (3.0, 0.1, 2.9, 0.1)


@pytest.mark.parametrize(("code", "kind"), ERRORS_BY_CODE.items())
def test_each_code_has_its_exception(code: str, kind: type[passersby.PassersbyError]) -> None:
    assert type(error_from_problem({"code": code, "message": "why"})) is kind


def test_a_code_of_a_later_engine_is_a_refusal() -> None:
    assert isinstance(error_from_problem({"code": "E_NEW", "message": "why", "more": 1}), passersby.RefusedError)


@pytest.mark.parametrize("problem", [REFUSED, SHORT])
def test_an_error_survives_the_way_to_another_process(problem: dict[str, object]) -> None:
    sent = pickle.loads(pickle.dumps(error_from_problem(problem)))
    assert sent.problem == problem
    assert type(sent) is type(error_from_problem(problem))


def test_the_tree_drawn_on_top_is_the_tree() -> None:
    kinds = {name for name, kind in vars(passersby).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    drawn = errors.__doc__ or ""
    assert all(name in drawn for name in kinds)
    assert set(ERRORS_BY_CODE.values()) <= {vars(passersby)[name] for name in kinds}
