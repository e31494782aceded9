"""Which shown numbers have an interval: those whose noise is propagated to the end, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.postprocess.question import Question

R = "(SELECT cell_id, COUNT(*) AS n, SUM(dwell_s) AS s, AVG(lat) AS m FROM events GROUP BY cell_id)"

FOLLOWED = {
    f"SELECT n, s, m FROM {R}": (1, 1, 2),
    f"SELECT n + 1, 2 * n - s, -n, n / 3, round(s) FROM {R}": (1, 2, 1, 1, 1),
    f"SELECT s / n, 100.0 * n / nullif(s, 0) FROM {R}": (2, 2),
    f"SELECT n * cell_id, n + cell_id FROM {R}": (1, 1),
    f"SELECT coalesce(s, 0), ifnull(n, 0), coalesce(n, 0) - coalesce(s, 0), coalesce(s, 0, 1) / n FROM {R}": (
        1,
        1,
        2,
        2,
    ),
    f"SELECT coalesce(r.n, 0) FROM cells c LEFT JOIN {R} r ON c.cell_id = r.cell_id": (1,),
    f"SELECT r.n * c.lon, c.lat FROM {R} r JOIN cells c ON c.cell_id = r.cell_id": (1, 0),
    f"SELECT a.n - b.n FROM {R} a JOIN {R} b USING (cell_id)": (2,),
    f"SELECT n FROM {R} WHERE n > 5 ORDER BY n DESC LIMIT 3": (1,),
    f"SELECT c.zone, r.n + 1 AS x FROM cells c LEFT JOIN {R} r ON c.cell_id = r.cell_id": (0, 1),
    "SELECT COUNT(*) * 2 FROM events": (1,),
    "SELECT COUNT(*) - (SELECT COUNT(*) FROM subscribers) FROM events": (2,),
    f"SELECT SUM(n), AVG(n), SUM(2 * n - s + 7), SUM(n * cell_id) FILTER (WHERE cell_id > 3) FROM {R}": (1, 1, 2, 1),
    f"SELECT SUM(n) / SUM(s), 1.0 * SUM(n) / COUNT(DISTINCT cell_id) FROM {R}": (2, 0),
    "SELECT SUM(r.n * h.h) FROM (SELECT hour(ts) AS k, COUNT(*) AS n FROM events GROUP BY 1) r JOIN hours h ON h.h = r.k": (
        1,
    ),
    f"SELECT t.total + r.n, r.n / t.total FROM {R} r CROSS JOIN (SELECT SUM(n) AS total FROM {R}) t": (2, 2),
    f"SELECT n, s / n, n FROM {R} UNION ALL SELECT COUNT(*), AVG(dwell_s), COUNT(DISTINCT subscriber_id) FROM events": (
        2,
        4,
        2,
    ),
    f"SELECT n FROM {R} UNION ALL SELECT n FROM {R} UNION ALL SELECT COUNT(*) FROM events": (3,),
    "SELECT hour(ts) AS h, COUNT(*), AVG(dwell_s) FROM events GROUP BY ROLLUP (hour(ts))": (0, 2, 4),
    f"SELECT n, 7 AS seven FROM {R} UNION ALL SELECT 5, 8": (1, 0),
    f"SELECT 2 * n AS x FROM (SELECT n FROM {R} UNION ALL SELECT COUNT(*) FROM events) WHERE n > 5": (2,),
    f"SELECT SUM(a.n + b.n) FROM {R} a JOIN {R} b USING (cell_id)": (2,),
    f"SELECT SUM(n) OVER (ORDER BY cell_id), AVG(n - s) OVER (), n - LAG(n) OVER (ORDER BY cell_id) FROM {R}": (
        1,
        2,
        2,
    ),
    f"SELECT 1.0 * n / SUM(n) OVER (), (n - LAG(n) OVER w) / LAG(n) OVER w FROM {R} WINDOW w AS (ORDER BY cell_id)": (
        2,
        2,
    ),
    f"SELECT (a.n - b.n) / b.n, 100 * (b.n - a.n) / b.n, a.n / b.n - 1 FROM {R} a JOIN {R} b ON a.cell_id = b.cell_id + 1": (
        2,
        2,
        2,
    ),
    f"SELECT CAST(n AS FLOAT) / SUM(n) OVER (), CAST(s AS REAL) FROM {R}": (2, 1),
    f"SELECT FIRST_VALUE(n) OVER (PARTITION BY cell_id % 2 ORDER BY cell_id), NTH_VALUE(n, 2) OVER () FROM {R}": (1, 1),
    f"SELECT SUM(n) FROM (SELECT n, rank() OVER (ORDER BY cell_id) AS r FROM {R}) WHERE r < 4": (1,),
    f"SELECT SUM(n) OVER (), n FROM {R} UNION ALL SELECT COUNT(*), 5 FROM events": (2, 1),
}
NOT_FOLLOWED = {
    f"SELECT coalesce(s, n), coalesce(nullif(n, 3), cell_id) FROM {R}": 2,
    f"SELECT coalesce(m, 0), coalesce(s / n, 0) FROM {R}": 2,  # ratios that are filled
    f"SELECT n * n, n * s, sqrt(n), CASE WHEN n > 5 THEN n END, n > 5, greatest(n, 0) FROM {R}": 6,
    f"SELECT s / n / n, m / n, (s / n) + (n / s) FROM {R}": 3,
    f"SELECT n FROM {R} UNION SELECT COUNT(*) FROM events": 1,
    f"SELECT n FROM {R} INTERSECT ALL SELECT COUNT(*) FROM events": 1,
    f"SELECT n FROM {R} EXCEPT SELECT COUNT(*) FROM events": 1,
    f"SELECT n, n FROM {R} UNION ALL SELECT MAX(n), n * n FROM {R} GROUP BY n": 2,
    f"SELECT SUM(n) FROM (SELECT n FROM {R} UNION ALL SELECT COUNT(*) FROM events)": 1,
    f"SELECT MAX(n), COUNT(*), SUM(s / n), SUM(m), SUM(n * n) FROM {R}": 5,
    f"SELECT SUM(r.n * c.lon) FROM {R} r JOIN cells c ON c.cell_id = r.cell_id": 1,  # a cell may stand there twice
    f"SELECT SUM(r.n) FROM {R} r CROSS JOIN cells c": 1,  # each number many times
    f"SELECT SUM(r.n) FROM {R} r JOIN cells c ON c.cell_id >= r.cell_id": 1,
    f"SELECT SUM(a.n + b.n) FROM {R} a CROSS JOIN {R} b": 1,
    f"SELECT SUM(t) FROM (SELECT cell_id % 2, SUM(n) AS t FROM {R} GROUP BY 1)": 1,
    f"SELECT a.n / (b.n - 5), (a.n - 5) / b.n FROM {R} a JOIN {R} b USING (cell_id)": 2,
    f"SELECT (a.n - 2 * b.n) / (a.n + b.n), (a.n - b.n - 5) / b.n FROM {R} a JOIN {R} b USING (cell_id)": 2,
    f"SELECT n, COUNT(*) FROM {R} GROUP BY n": 2,
    f"SELECT DISTINCT n + 1 FROM {R}": 1,
    f"SELECT x + n FROM (SELECT n, {' + '.join(['n'] * 110)} AS x FROM {R})": 1,
    "SELECT zone, lon FROM cells": 2,
    f"SELECT rank() OVER (ORDER BY n), MAX(n) OVER (), COUNT(*) OVER (), SUM(m) OVER (), SUM(n * n) OVER () FROM {R}": 5,
    f"SELECT SUM(n) OVER (ORDER BY n), LAG(n) OVER (ORDER BY s), SUM(n) FILTER (WHERE n > 5) OVER () FROM {R}": 3,
    f"SELECT LAG(n) OVER (PARTITION BY n > 5 ORDER BY cell_id), LAG(n IGNORE NULLS) OVER (ORDER BY cell_id) FROM {R}": 2,
    f"SELECT LAG(n, 1, n) OVER (ORDER BY cell_id), LAG(m) OVER (ORDER BY cell_id) FROM {R}": 2,
    f"SELECT SUM(r.n) OVER () FROM {R} r CROSS JOIN cells c": 1,
    f"SELECT SUM(t) OVER () FROM (SELECT cell_id % 2, SUM(n) AS t FROM {R} GROUP BY 1)": 1,
}  # fmt: skip


def _raw(sql: str, ask: Callable[[str], Question]) -> list[int]:
    forms = [shown.form for shown in ask(sql).columns]
    return [
        0 if form is None else len({f for part in (form.numerator, form.denominator) if part for f, _ in part.terms})
        for form in forms
    ]


@pytest.mark.parametrize("sql", FOLLOWED)
def test_noise_is_propagated(sql: str, ask: Callable[[str], Question]) -> None:
    assert tuple(_raw(sql, ask)) == FOLLOWED[sql]


@pytest.mark.parametrize("sql", NOT_FOLLOWED)
def test_no_interval_is_reported_where_noise_is_not_propagated(sql: str, ask: Callable[[str], Question]) -> None:
    assert _raw(sql, ask) == [0] * NOT_FOLLOWED[sql]


NOISY = {  # which shown columns rest on released numbers
    f"SELECT cell_id, n, n + 1, 1 FROM {R}": [False, True, True, False],
    f"SELECT c.zone, MAX(r.n) FROM {R} r JOIN cells c USING (cell_id) GROUP BY 1": [False, True],
    f"SELECT cell_id % 2 AS odd, SUM(n) FROM {R} GROUP BY 1": [False, True],
    f"SELECT upper(z), COUNT(*) FROM (SELECT c.zone AS z, SUM(r.n) FROM {R} r JOIN cells c USING (cell_id) GROUP BY 1) GROUP BY 1": [
        False, True
    ],
    f"SELECT n > 5, COUNT(*) FROM {R} GROUP BY 1": [True, True],
    f"SELECT big, COUNT(*) FROM (SELECT cell_id + n > 5 AS big FROM {R} GROUP BY 1) GROUP BY 1": [True, True],
    f"SELECT n, COUNT(*) FROM (SELECT n, cell_id FROM {R} GROUP BY n, cell_id) GROUP BY n": [True, True],
    "SELECT zone, MAX(lon) FROM cells GROUP BY 1": [False, False],
}  # fmt: skip


@pytest.mark.parametrize("sql", NOISY)
def test_group_keys_over_releases_are_exact_only_if_their_inputs_are(sql: str, ask: Callable[[str], Question]) -> None:
    assert [shown.is_noisy for shown in ask(sql).columns] == NOISY[sql]
