"""Rows of an answer without ORDER BY: numbers in texts by size; intervals move with their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dialect import Question, compile_query
from engine.api.wire.answer import in_natural_order
from engine.mechanism.answer import Answer
from engine.pipeline.engine import Engine

BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"


def ordered(zones: list[str | None], of: Question) -> tuple[list[Any], list[float]]:
    """Zones and low ends in their new order; before it, low ends count from 0."""
    n = list(range(len(zones)))
    ends = (np.array(n, float), np.array(n, float) + 1)
    made = in_natural_order(Answer(pa.table({"zone": zones, "n": n}), {"n": ends}, {}), of)
    assert made.table.column("n").to_pylist() == list(made.intervals["n"][0])
    return made.table.column("zone").to_pylist(), list(made.intervals["n"][0])


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        (["Z1", "Z10", "Z2", None], ["Z1", "Z2", "Z10", None]),
        (["10", "2"], ["2", "10"]),
        (["0.5-2", "10-50", "2-10", "50+"], ["0.5-2", "2-10", "10-50", "50+"]),
        (["a", "b"], ["a", "b"]),
        (["Friday", "Monday", "Sunday", None], ["Monday", "Friday", "Sunday", None]),
        (["Fri", "Mon"], ["Mon", "Fri"]),
        (["April", "January", "May"], ["January", "April", "May"]),
        (["Friday", "Late", "Monday"], ["Friday", "Late", "Monday"]),  # not names of days alone
        (["Z2", "Z1", "Z10"], ["Z2", "Z1", "Z10"]),  # in no order of keys: as the question made them
    ],
)
def test_numbers_in_texts_sort_by_size(engine: Engine, zones: list[str | None], expected: list[str | None]) -> None:
    found, low = ordered(zones, compile_query(BY_ZONE, engine.catalog))
    assert found == expected
    assert [zones[int(place)] for place in low] == expected


@pytest.mark.parametrize("end", ["ORDER BY zone", "LIMIT 3"])
def test_an_order_of_the_question_is_kept(engine: Engine, end: str) -> None:
    of = compile_query(f"{BY_ZONE} {end}", engine.catalog)
    assert ordered(["Z1", "Z10", "Z2"], of)[0] == ["Z1", "Z10", "Z2"]


def test_keys_sort_from_left_to_right(engine: Engine) -> None:
    of = compile_query("SELECT zone, coins AS h, COUNT(*) AS n FROM visit GROUP BY h, zone", engine.catalog)
    table = pa.table({"zone": ["Z1", "Z10", "Z2", "Z1"], "h": [1, 1, 1, 2], "n": [0, 1, 2, 3]})
    made = in_natural_order(Answer(table, {}, {}), of)
    assert made.table.column("n").to_pylist() == [0, 3, 2, 1]  # rows came by h
