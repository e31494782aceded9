"""Rows that released numbers would choose: their groups are chosen, and answers are plain DuckDB's."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from dialect.errors import Refusal
from tests.support.sql.oracle import Oracle
from tests.support.worlds import make_world

conditions: Any = import_module("dialect.parser.released_conditions")
TOP = "SELECT zone_id FROM visit GROUP BY zone_id ORDER BY COUNT(*) DESC, zone_id LIMIT 3"
JOINED = f"JOIN ({TOP.replace('SELECT zone_id', 'SELECT zone_id AS z, COUNT(*) AS m')}) AS top"
WITH = f"WITH top AS ({TOP}) SELECT"

CHOSEN = (
    f"SELECT zone_id, hour(start_ts) AS h, COUNT(*) AS n FROM visit {JOINED} ON zone_id = z GROUP BY zone_id, hour(start_ts)",
    f"SELECT zone_id, COUNT(*) AS n, AVG(dwell_min) AS m FROM visit {JOINED} ON (top.z = visit.zone_id) GROUP BY 1 ORDER BY 2",
    f"SELECT zone_id, COUNT(*) AS n FROM visit WHERE zone_id IN ({TOP}) GROUP BY zone_id ORDER BY COUNT(*) DESC LIMIT 2",
    f"SELECT COUNT(*) FROM visit WHERE zone_id IN ({TOP}) AND dwell_min > 20 GROUP BY zone_id",
    f"SELECT v.zone_id AS zone, COUNT(*) AS n FROM visit v WHERE v.zone_id NOT IN ({TOP}) GROUP BY v.zone_id ORDER BY zone",
    f"SELECT zone_id, COUNT(*) AS n FROM visit WHERE zone_id IN ({TOP}) GROUP BY ALL HAVING COUNT(*) > 5 ORDER BY AVG(dwell_min)",
    f"{WITH} zone_id, visit_date, COUNT(*) AS n FROM visit WHERE zone_id IN (SELECT zone_id FROM top) GROUP BY 1, 2",
    f"{WITH} s.age_band, v.zone_id, COUNT(*) AS n FROM visit v JOIN subscriber s USING (subscriber_id) JOIN top t ON t.zone_id = v.zone_id GROUP BY 1, 2",
    f"{WITH} zone_id, COUNT(*) AS n FROM visit JOIN top USING (zone_id) GROUP BY zone_id",
    f"SELECT SUM(n) AS n FROM (SELECT zone_id, COUNT(*) AS n FROM visit WHERE zone_id IN ({TOP}) GROUP BY zone_id)",
    f"SELECT zone_id, COUNT(*) AS n FROM visit {JOINED} ON zone_id = z WHERE zone_id IN ({TOP}) GROUP BY zone_id",
    "SELECT p.category, COUNT(*) AS n FROM visit v JOIN place p USING (place_id) WHERE p.category IN (SELECT category FROM visit JOIN place USING (place_id) GROUP BY category HAVING COUNT(*) > 100) GROUP BY p.category",
)  # fmt: skip
SHARES = (
    f"SELECT zone_id, COUNT(*) / SUM(COUNT(*)) OVER () AS share FROM visit WHERE zone_id IN ({TOP}) GROUP BY zone_id"
)
REPEATED = "WITH top AS (SELECT left(zone_id, 1) AS zone_id, COUNT(*) AS m FROM visit GROUP BY zone_id) SELECT left(v.zone_id, 1) AS z, COUNT(*) AS n FROM visit v JOIN top ON top.zone_id = left(v.zone_id, 1) GROUP BY 1"
LONG = "(SELECT subscriber_id, zone_id FROM visit WHERE dwell_min > 30) AS long"
PADDED = f"SELECT zone_id, COUNT(*) AS n FROM visit LEFT JOIN {LONG} USING (subscriber_id, zone_id) WHERE long.zone_id IN ({TOP}) GROUP BY zone_id"
LONGER = "SELECT z FROM (SELECT zone_id AS z, AVG(dwell_min) AS a FROM visit GROUP BY 1) WHERE a < dwell_min"
REFUSED = (
    SHARES,
    f"SELECT DISTINCT zone_id, COUNT(*) AS n FROM visit WHERE zone_id IN ({TOP}) GROUP BY zone_id",
    f"SELECT zone_id, COUNT(*) AS n FROM visit WHERE zone_id IN ({TOP}) GROUP BY ROLLUP (zone_id)",
    f"SELECT COUNT(*) AS n FROM visit WHERE zone_id IN ({TOP})",
    f"SELECT place_id, COUNT(*) AS n FROM visit WHERE zone_id IN ({TOP}) GROUP BY place_id",
    f"SELECT zone_id, m, COUNT(*) AS n FROM visit {JOINED} ON zone_id = z GROUP BY 1, 2",
    f"SELECT zone_id, COUNT(*) AS n, MAX(top.m) FROM visit {JOINED} ON zone_id = z GROUP BY 1",
    f"SELECT zone_id, COUNT(*) AS n FROM visit LEFT {JOINED} ON zone_id = z GROUP BY zone_id",
    f"SELECT zone_id, COUNT(*) AS n FROM visit {JOINED} ON zone_id = z AND dwell_min > 3 GROUP BY zone_id",
    f"SELECT lower(zone_id) AS zone_id, COUNT(*) AS n FROM visit WHERE zone_id IN ({TOP}) GROUP BY ALL",
    "SELECT zone_id, COUNT(*) AS n FROM visit JOIN (SELECT zone_id AS z, hour(start_ts) AS h, COUNT(*) AS m FROM visit GROUP BY ALL) ON zone_id = z GROUP BY zone_id",
    REPEATED,
    REPEATED.replace("left(zone_id, 1) AS zone_id", "'Z1' AS zone_id"),
    PADDED,
    PADDED.replace("LEFT JOIN", "FULL JOIN"),
)  # fmt: skip


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(make_world("operator", tmp_path_factory.mktemp("operator")), (1,)) as opened:
        yield opened


@pytest.mark.parametrize("sql", CHOSEN)
def test_groups_are_chosen_as_rows_would_be(sql: str, oracle: Oracle) -> None:
    verdict = oracle.ask(sql)
    assert verdict.difference is None and not verdict.plain_raised


@pytest.mark.parametrize("sql", REFUSED)
def test_what_reads_other_groups_stays_refused(sql: str, oracle: Oracle) -> None:
    with pytest.raises(Refusal, match="released"):
        oracle.ask(sql)


def test_a_number_of_the_groups_is_no_column_of_rows(oracle: Oracle) -> None:
    with pytest.raises(Refusal, match="no column dwell_min"):
        oracle.ask(
            f"SELECT zone_id, SUM(dwell_min) AS dwell_min FROM visit WHERE zone_id IN ({LONGER}) GROUP BY zone_id"
        )


def test_a_condition_moved_too_far_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: it is moved behind window functions, behind LIMIT, with keys that repeat, and from padded rows."""
    limited = (
        f"SELECT zone_id, COUNT(*) AS n FROM visit WHERE zone_id NOT IN ({TOP}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 4"
    )
    assert oracle.ask(limited).difference is None
    with monkeypatch.context() as patch:
        patch.setattr(conditions, "_own", lambda *_: iter(()))
        assert oracle.ask(SHARES).difference
    with monkeypatch.context() as patch:
        patch.setattr(conditions, "_is_aliased_key", lambda *_: True)
        assert oracle.ask(REPEATED).difference
    with monkeypatch.context() as patch:
        patch.setattr(conditions, "_merged_by_outer_joins", lambda _: frozenset())
        assert oracle.ask(PADDED).difference
    without = conditions._without_condition

    def with_limit(tree: Any, moved: Any) -> Any:
        made = without(tree, moved)
        for part in ("order", "limit"):
            made.set(part, tree.args[part].copy())
        return made

    monkeypatch.setattr(conditions, "_without_condition", with_limit)
    assert oracle.ask(limited + " ").difference
