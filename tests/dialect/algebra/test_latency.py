"""Reading, bounding and writing a usual question is a matter of milliseconds: printed, and held to no tight limit."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import pytest

import dialect
from dialect.algebra.codegen_types import Target
from dialect.catalog.model import Catalog
from dialect.postprocess.question import Question

QUESTIONS = {
    "a count by zone and hour": "SELECT c.zone, hour(e.ts) AS h, COUNT(*), COUNT(DISTINCT e.subscriber_id), SUM(e.dwell_s)"
    " FROM events e JOIN cells c USING (cell_id) WHERE e.ts >= '2026-10-01' AND e.ts < '2026-10-08' GROUP BY ALL",
    "people by age and gender": "SELECT s.gender, s.age // 10 * 10 AS band, COUNT(DISTINCT e.subscriber_id) AS n, AVG(e.dwell_s)"
    " FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY ALL HAVING n > 20 ORDER BY n DESC LIMIT 10",
    "an index against a base": "WITH shop AS (SELECT s.gender, COUNT(DISTINCT e.subscriber_id) AS n FROM events e"
    " JOIN subscribers s USING (subscriber_id) WHERE e.cell_id = 3 GROUP BY 1),"
    " base AS (SELECT gender, COUNT(*) AS n FROM subscribers GROUP BY 1)"
    " SELECT b.gender, 100.0 * shop.n / b.n AS idx FROM base b LEFT JOIN shop USING (gender)",
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_usual_query_is_planned_in_time(
    name: str, ask: Callable[[str], Question], catalog: Catalog, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    def once() -> float:
        start = time.thread_time()
        for plan in ask(QUESTIONS[name]).plans:
            dialect.generate_sql(plan, dialect.bound_contributions(plan, catalog, 120), target)
        return (time.thread_time() - start) * 1e3

    once()
    taken = median(once() for _ in range(15))
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {taken:.1f} ms to read, bound and write")
    assert taken < 100
