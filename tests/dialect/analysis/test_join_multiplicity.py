"""Join multiplicity: at most one public match, or several; with several, no clipped share is predicted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Catalog, Question, bound_contributions
from dialect.algebra.properties import Properties
from dialect.analysis.uniqueness import may_match_several_public_rows

APART = (
    "events e JOIN hours h ON h.h = hour(e.ts)",
    "events e, hours h WHERE hour(e.ts) = h.h",
    "events e JOIN (SELECT h FROM hours WHERE h < 12) m ON m.h = hour(e.ts)",
    "events e CROSS JOIN (SELECT * FROM hours WHERE h = 3) m",
    "events e JOIN (SELECT DISTINCT cell_id FROM cells) z ON z.cell_id = e.cell_id",
    "events e JOIN (SELECT zone, COUNT(*) AS n, MIN(cell_id) AS c FROM cells GROUP BY zone) z ON z.zone = 'Z1'",
    "events e JOIN (VALUES (1), (2)) AS t(k) ON t.k = e.cell_id",
    "events e JOIN range(0, 24) AS r(h) ON r.h = hour(e.ts)",
    "events e JOIN (SELECT g.h FROM hours g JOIN hours h ON h.h = g.h + 1) m ON m.h = hour(e.ts)",
    "events e JOIN (VALUES (0, 12, 'am'), (12, 24, 'pm')) AS t(a, b, k) ON hour(e.ts) >= t.a AND hour(e.ts) < t.b",
    "events e JOIN (VALUES (0, 60), (60, 7200)) AS t(a, b) ON dwell_s >= t.a AND dwell_s < t.b",
    "events e JOIN generate_series('2026-10-01'::date, '2026-10-07'::date, '1 day') AS t(d) ON t.d = CAST(e.ts AS DATE)",
    "events e CROSS JOIN (SELECT COUNT(*) AS n FROM cells) m",
    "(SELECT subscriber_id FROM events WHERE cell_id IN (SELECT cell_id FROM cells)) e",
    "events e JOIN subscribers s USING (subscriber_id)",
)
SEVERAL = (
    "events e, hours h",
    "events e JOIN hours h ON h.h <= hour(e.ts)",
    "events e JOIN hours h ON h.h BETWEEN hour(e.ts) AND hour(e.ts) + 2",
    "events e JOIN hours h ON h.h = hour(e.ts) OR h.h = 3",
    "events e JOIN cells c USING (cell_id)",  # of which no primary key is declared
    "events e JOIN (SELECT DISTINCT cell_id, zone FROM cells) z ON z.cell_id = e.cell_id",
    "events e JOIN (SELECT g.h FROM hours g CROSS JOIN hours h) m ON m.h = hour(e.ts)",
    "events e JOIN (VALUES (1), (1)) AS t(k) ON t.k = e.cell_id",
    "events e JOIN range(0, 24) AS r(h) ON r.h < hour(e.ts)",
    "subscribers s CROSS JOIN range(0, 24) AS r(h)",
    "(SELECT e.subscriber_id, h.h FROM events e CROSS JOIN hours h) e",
)


@pytest.mark.parametrize("joined", APART)
def test_joins_with_at_most_one_public_match_are_recognized(joined: str, ask: Callable[[str], Question]) -> None:
    (plan,) = ask(f"SELECT COUNT(*) FROM {joined}").plans
    assert not may_match_several_public_rows(plan.source, Properties())


@pytest.mark.parametrize("joined", SEVERAL)
def test_no_clipping_share_is_predicted_for_joins_with_several_matches(
    joined: str, ask: Callable[[str], Question], catalog: Catalog
) -> None:
    (plan,) = ask(f"SELECT COUNT(*) FROM {joined}").plans
    assert may_match_several_public_rows(plan.source, Properties())
    assert bound_contributions(plan, catalog, 1).vectors[0].predicted_bias is None
