"""Which queries read one group in each number: others sum groups, compare them, or choose among them by noise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.postprocess import reads_single_groups
from dialect.postprocess.question import Question

Ask = Callable[[str], Question]
BY_CELL = "SELECT cell_id, COUNT(DISTINCT subscriber_id) AS n FROM events GROUP BY 1"
SINGLE = (
    BY_CELL,
    f"{BY_CELL} ORDER BY n DESC",
    f"SELECT cell_id, n / 2 + 1 AS h FROM ({BY_CELL}) WHERE cell_id > 3 ORDER BY h",
    f"SELECT c.zone, b.n FROM ({BY_CELL}) b JOIN cells c USING (cell_id)",
    f"SELECT c.zone, b.n FROM cells c LEFT JOIN ({BY_CELL}) b USING (cell_id)",
    "SELECT cell_id, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS p, n / p AS r FROM events GROUP BY 1",
)
SEVERAL = (
    f"SELECT SUM(n) AS n FROM ({BY_CELL})",
    f"SELECT MAX(n) AS n FROM ({BY_CELL})",
    f"SELECT cell_id, n - LAG(n) OVER (ORDER BY cell_id) AS d FROM ({BY_CELL})",
    f"SELECT cell_id, n / SUM(n) OVER () AS share FROM ({BY_CELL})",
    f"{BY_CELL} ORDER BY n DESC LIMIT 3",
    f"{BY_CELL} HAVING n > 100",
    f"{BY_CELL} QUALIFY row_number() OVER (ORDER BY n) < 3",
    f"SELECT a.n - b.n AS d FROM ({BY_CELL}) a JOIN ({BY_CELL}) b ON a.cell_id = b.cell_id + 1",
    f"SELECT a.cell_id, a.n / b.t AS s FROM ({BY_CELL}) a CROSS JOIN (SELECT COUNT(*) AS t FROM events) b",
    f"{BY_CELL} UNION ALL SELECT 0, COUNT(*) FROM events",
    f"SELECT DISTINCT n FROM ({BY_CELL})",
    "SELECT cell_id, hour(ts), COUNT(DISTINCT subscriber_id) AS n FROM events GROUP BY ROLLUP (1, 2)",
)


@pytest.mark.parametrize("sql", SINGLE)
def test_cells_are_read_one_by_one(ask: Ask, sql: str) -> None:
    assert reads_single_groups(ask(sql))


@pytest.mark.parametrize("sql", SEVERAL)
def test_sums_and_selections_read_several_groups(ask: Ask, sql: str) -> None:
    assert not reads_single_groups(ask(sql))
