"""How far a shown whole number may lie from the noisy one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.postprocess.question import Question

R = "(SELECT cell_id, COUNT(*) AS n, SUM(dwell_s) AS s, SUM(lat) AS d, AVG(lat) AS m FROM events GROUP BY cell_id)"

# column -> the most where counts and sums have parts, and where they are whole; None where rows decide it
MOVED: dict[str, tuple[float, float] | None] = {
    "n": (0.5, 0.0),
    "cell_id": (0.0, 0.0),
    "d": (0.0, 0.0),
    "CAST(d AS BIGINT)": (0.5, 0.5),
    "CAST(m AS BIGINT)": (0.5, 0.5),
    "-n": (0.5, 0.0),
    "3 * n - 2 * n + 7": (2.5, 0.0),
    "n - n": (1.0, 0.0),
    "n * 2": (1.0, 0.0),
    "CAST(n / 4 AS BIGINT)": (0.625, 0.5),
    "round(n)": (0.5, 0.0),
    "round(n, -2)": (50.5, 50.0),
    "round(n, 2)": (0.5, 0.0),
    "2 * round(n, -1)": (11.0, 10.0),
    "CAST(round(d, 1) AS BIGINT)": (0.55, 0.55),
    "n + cell_id": (0.5, 0.0),
    "n * cell_id": None,
    "cell_id * n": None,
    "CAST(n / 0 AS BIGINT)": None,
    "nullif(n, 0)": (0.5, 0.0),
    "CASE WHEN n > 5 THEN n END": None,
}


@pytest.mark.parametrize("column", MOVED)
def test_rounding_errors_are_summed(column: str, ask: Callable[[str], Question]) -> None:
    question = ask(f"SELECT {column} AS x FROM {R}")
    parts = {raw.id for release in question.releases for raw in release.raw_fields}
    (found,) = (shown.rounding for shown in question.columns)
    told = None if found is None else (found.bound(parts), found.bound(set()))
    assert told == (None if MOVED[column] is None else pytest.approx(MOVED[column]))
