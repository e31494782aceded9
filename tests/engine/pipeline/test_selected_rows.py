"""Rows that noise selected: wider intervals, which explain knows beforehand, and marks on rows that may be nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.api.session import Session
from engine.mechanism.intervals import false_coverage_level, normal_quantile
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pipeline.reliability import Reliability, may_be_nothing, rate_reliability
from engine.pricing.query_terms import Request

ANN = Request("ann")
ROWS = "SELECT zone, COUNT(*) AS n, SUM(coins) AS p FROM visit GROUP BY zone"
ZONES = 7


def card_of(engine: Engine, sql: str) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(Session(engine).query(sql, client="ann").schema.metadata[b"passersby"])
    return card


def half_width(engine: Engine, sql: str, column: str = "n") -> float:
    lower, upper = engine.answer(sql, ANN).answer.intervals[column]
    return float((upper - lower)[0] / 2)


def test_selected_rows_have_wider_intervals_and_others_keep_theirs(engine: Engine) -> None:
    whole = f"{ROWS} ORDER BY n DESC"
    assert half_width(engine, f"{whole} LIMIT 2") > half_width(engine, whole)
    assert half_width(engine, f"{whole} LIMIT 1") > half_width(engine, f"{whole} LIMIT 2")
    assert half_width(engine, f"{whole} LIMIT {ZONES}") == half_width(engine, whole)
    assert half_width(engine, f"{whole} LIMIT 2", "p") == half_width(engine, whole, "p")
    assert half_width(engine, f"{ROWS} ORDER BY zone LIMIT 2") == half_width(engine, whole)


def test_the_numbers_and_the_price_stay_the_same(engine: Engine) -> None:
    whole = engine.answer(f"{ROWS} ORDER BY n DESC", ANN)
    top = engine.answer(f"{ROWS} ORDER BY n DESC LIMIT 2", ANN)
    assert top.charged_loss.pico_rho == 0 and top.answer.table.equals(whole.answer.table.slice(0, 2))


@pytest.mark.parametrize("end", ["ORDER BY n DESC LIMIT 2", "ORDER BY zone LIMIT 2", "ORDER BY n DESC"])
def test_explain_knows_the_widths_of_a_limit(engine: Engine, end: str) -> None:
    expected = explain(engine, f"{ROWS} {end}", ANN).expected_error
    assert expected == {name: half_width(engine, f"{ROWS} {end}", name) for name in ("n", "p")}


def test_explain_gives_the_widest_intervals_of_a_condition(engine: Engine) -> None:
    asked = f"{ROWS} HAVING COUNT(*) > -1000000"
    assert explain(engine, asked, ANN).expected_error["n"] > half_width(engine, asked) == half_width(engine, ROWS)


def test_explain_and_answer_state_the_selection(engine: Engine) -> None:
    top = f"{ROWS} ORDER BY n DESC LIMIT 2"
    card = card_of(engine, top)
    assert card["selection"] == {"candidates": ZONES, "shown": 2} and card["confidence"] == 0.95
    assert "selected" in card["note_codes"] and "selected" in Session(engine).explain(top, client="ann")["note_codes"]
    plain = card_of(engine, ROWS)
    assert plain["selection"] is None and plain["may_be_nothing"] == [] and "selected" not in plain["note_codes"]


def test_intervals_in_conditions_are_those_of_all_candidates(engine: Engine) -> None:
    asked = (
        "SELECT zone, COUNT(*) AS n, DP_INTERVAL_LOW(n) AS low FROM visit GROUP BY zone"
        " HAVING DP_INTERVAL_HIGH(n) > -1000000 ORDER BY n DESC LIMIT 2"
    )
    shown = engine.answer(asked, ANN).answer
    lows = np.array(shown.table.column("low").to_pylist(), dtype=float)
    assert (lows < shown.intervals["n"][0]).all()


def test_rows_whose_counts_are_not_clearly_above_zero_are_marked(engine: Engine) -> None:
    empty = "SELECT zone, COUNT(*) AS n FROM visit WHERE minutes < 0 GROUP BY zone ORDER BY n DESC LIMIT 3"
    card = card_of(engine, empty)
    lower = [pair[0] for pair in card["intervals"]["n"]]
    marks = card["may_be_nothing"]
    assert any(marks) and all(mark or low > 0 for low, mark in zip(lower, marks, strict=True))
    assert ("may_be_nothing" in card["note_codes"]) and any("rows may be nothing" in note for note in card["notes"])


def test_marks_hold_for_all_candidates_together(engine: Engine) -> None:
    given = engine.answer("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone ORDER BY n DESC LIMIT 2", ANN)
    answer, noise = given.answer, given.releases[0].deviations()[0]
    strict = false_coverage_level(0.95, 1, ZONES)
    reach = answer.table.column("n").to_numpy() - answer.strict_lower["n"]
    assert reach == pytest.approx(normal_quantile(strict) * noise, rel=0.05, abs=1)
    assert (answer.strict_lower["n"] < answer.intervals["n"][0]).all()
    low = replace(answer, intervals={"n": tuple(ends + 5 - answer.intervals["n"][0] for ends in answer.intervals["n"])})
    shifted = replace(low, strict_lower={"n": np.array([-1.0, 1.0])})
    assert may_be_nothing(given.question, shifted) == [True, False]
    noise_word, word = rate_reliability(shifted, {}, not_negative={"n"})["n"]
    assert noise_word is Reliability.NOISE and word is not Reliability.NOISE


def test_rows_are_marked_where_no_count_is_shown(engine: Engine) -> None:
    names = "SELECT zone FROM visit WHERE minutes < 0 GROUP BY zone ORDER BY COUNT(*) DESC LIMIT 3"
    answer = Session(engine).query(names, client="ann")
    card = json.loads(answer.schema.metadata[b"passersby"])
    assert answer.column_names == ["zone"] and card["intervals"] == {} and any(card["may_be_nothing"])
    assert len(card["may_be_nothing"]) == answer.num_rows == 3
