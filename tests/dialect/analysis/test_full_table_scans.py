"""Which sources contain every row of one table: public facts about the table hold for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import compile_query
from dialect.algebra.relations import Relation
from dialect.analysis.person_rows import filters_time_only, is_full_scan
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.dialect.windowed import CATALOGS

WHOLE = {
    "SELECT place, COUNT(*) AS n FROM visit GROUP BY place": True,
    "SELECT hour(began) AS h, COUNT(*) AS n FROM visit GROUP BY 1": True,  # computed, and every row still there
    "SELECT place, COUNT(*) AS n FROM visit WHERE place > 3 GROUP BY place": False,
    "SELECT place, COUNT(*) AS n FROM visit WHERE began < TIMESTAMP '2026-02-15' GROUP BY place": False,
    "SELECT place, COUNT(*) AS n FROM visit WHERE began >= '2026-02-01' AND began < '2026-03-01' GROUP BY place": True,
    "SELECT place, COUNT(*) AS n FROM visit WHERE day BETWEEN '2026-02-01' AND '2026-02-28' GROUP BY place": True,
    "SELECT place, COUNT(*) AS n FROM visit WHERE date_trunc('month', began) = '2026-02-01' GROUP BY place": True,
    "SELECT place, COUNT(*) AS n FROM visit WHERE month(day) = 2 AND year(began) = 2026 GROUP BY place": True,
    "SELECT place, COUNT(*) AS n FROM visit WHERE began >= '2026-02-01' AND day < '2026-04-01' GROUP BY place": True,
    "SELECT place, COUNT(*) AS n FROM (SELECT *, CAST(began AS DATE) AS d FROM visit) WHERE d >= '2026-02-01'"
    " AND d < '2026-03-01' GROUP BY place": True,
    "SELECT place, COUNT(*) AS n FROM visit WHERE began >= '2026-02-01' AND began < '2026-02-28' GROUP BY place": False,
    "SELECT place, COUNT(*) AS n FROM visit WHERE began > '2026-02-01' AND began < '2026-03-01' GROUP BY place": False,
    "SELECT place, COUNT(*) AS n FROM visit WHERE day >= '2026-02-01' AND day < '2026-03-01' AND place > 3 GROUP BY place": False,
    "SELECT place, COUNT(*) AS n FROM visit WHERE month(day) = 2 AND isodow(day) < 6 GROUP BY place": False,
    "SELECT place, COUNT(*) AS n FROM visit WHERE day >= '2026-02-01' AND day < '2026-03-01' AND hour(began) > 3 GROUP BY place": False,
    "SELECT c, COUNT(*) AS n FROM (SELECT DISTINCT person_id, place AS c FROM visit) AS d GROUP BY c": False,
}


BY_TIME = {
    "SELECT COUNT(*) FROM visit": True,
    "SELECT COUNT(*) FROM visit WHERE began < TIMESTAMP '2026-02-15' AND began >= '2026-02-01'": True,
    "SELECT COUNT(*) FROM visit WHERE hour(began) = 3": False,
    "SELECT COUNT(*) FROM visit WHERE place > 3 AND began < TIMESTAMP '2026-02-15'": False,
    "SELECT COUNT(*) FROM (SELECT * FROM visit WHERE place > 3) WHERE began < TIMESTAMP '2026-02-15'": False,
    "SELECT COUNT(*) FROM visit WHERE person_id IN (SELECT person_id FROM visit WHERE place = 3)": False,
}


ASKED = [(is_full_scan, WHOLE), (filters_time_only, BY_TIME)]


@pytest.mark.parametrize(("told", "sql", "truth"), [(told, *each) for told, cases in ASKED for each in cases.items()])
def test_a_source_is_a_full_table_scan_if_only_time_filters_it(
    told: Callable[[Relation], bool], sql: str, truth: bool
) -> None:
    (plan,) = compile_query(sql, CATALOGS[PrivacyWindow.MONTH]).plans
    assert told(plan.source) is truth
