"""Noise terms are summed along with a sum of released rows if each row occurs only once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.postprocess.question import Question

R = "(SELECT cell_id, hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY 1, 2) r"
FOLLOWED = [
    f"SELECT SUM(n) AS s FROM {R}",
    f"SELECT h, AVG(2 * n + 1) AS s FROM {R} GROUP BY h",
    f"SELECT SUM(n) AS s FROM {R} WHERE h > 3",
    f"SELECT SUM(r.n) AS s FROM {R} JOIN hours USING (h)",  # each row meets one hour
    f"SELECT SUM(r.n) AS s FROM {R} LEFT JOIN hours USING (h)",
    f"SELECT SUM(r.n) AS s FROM {R} WHERE h IN (SELECT h FROM hours)",
    f"SELECT SUM(r.n) AS s FROM {R}, (SELECT MAX(h) AS m FROM hours) WHERE r.h < m",
    f"SELECT SUM(r.n) AS s FROM hours a JOIN {R} ON a.h = r.h AND r.n > 0",
]
NOT_FOLLOWED = [
    f"SELECT MAX(n) AS s FROM {R}",  # no sum
    "SELECT SUM(n) / SUM(h) AS s FROM (SELECT h, SUM(1) AS n FROM hours GROUP BY h)",  # nothing released
    f"SELECT SUM(1.0 * n / n) AS s FROM {R}",  # a ratio
    f"SELECT SUM(r.n) AS s FROM {R} JOIN cells c USING (cell_id)",  # a cell has no primary key: rows may stand twice
    f"SELECT SUM(r.n) AS s FROM {R} JOIN hours a ON a.h > r.h",
    f"SELECT SUM(r.n) AS s FROM {R} JOIN hours a ON a.h = r.h + 0.5",  # a double may equal two integers
]


@pytest.mark.parametrize("sql", FOLLOWED)
def test_noise_variances_are_summed_with_the_values(sql: str, ask: Callable[[str], Question]) -> None:
    (made,) = ask(sql).released_sums
    assert made.noise_terms and all(total.origin == raw.origin for total, _, raw in made.noise_terms)


@pytest.mark.parametrize("sql", NOT_FOLLOWED)
def test_noise_is_not_followed_through_rows_that_stand_twice(sql: str, ask: Callable[[str], Question]) -> None:
    assert ask(sql).released_sums == ()
