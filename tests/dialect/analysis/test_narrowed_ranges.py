"""WHERE and FILTER narrow the range of what is summed: to what is true of the rows that count, and no further."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Catalog, Refusal
from dialect.algebra.properties import Properties
from dialect.algebra.release_plan import PrivatePlan, VectorKind
from dialect.sensitivity.clip_bounds import DeclaredClipBounds

SINCE = "ts - TIMESTAMP '2026-10-01'"
# value, rest of the question -> ends of its clamp
NARROWED: list[tuple[str, str, tuple[float, float]]] = [
    ("SUM(dwell_s)", "", (0, 7200)),
    ("SUM(dwell_s)", "WHERE dwell_s BETWEEN 60 AND 600", (60, 600)),
    ("SUM(dwell_s)", "WHERE 600 >= dwell_s", (0, 600)),
    ("SUM(dwell_s) FILTER (WHERE dwell_s <= 600)", "", (0, 600)),
    ("SUM(dwell_s / 60)", "WHERE dwell_s BETWEEN 60 AND 600", (1, 10)),
    ("SUM(lon)", "WHERE lon BETWEEN 0 AND 10", (0, 10)),
    ("SUM(lon - lat)", "WHERE lon - lat BETWEEN -5 AND 5", (-5, 5)),
    ("SUM(cell_id * 2)", "WHERE cell_id > 3 AND cell_id < 10", (8, 18)),
    ("SUM(dwell_s)", "WHERE dwell_s < 600 OR cell_id = 3", (0, 7200)),
    ("SUM(dwell_s)", "WHERE NOT dwell_s < 600", (0, 7200)),
    ("SUM(dwell_s)", "WHERE dwell_s > 9 AND dwell_s < 5", (0, 7200)),
    ("SUM(m)", "WHERE m <= 600", (0, 600)),
    (
        "SUM(epoch(ts - TIMESTAMP '2026-10-01'))",
        f"WHERE {SINCE} BETWEEN INTERVAL 1 MINUTE AND INTERVAL 2 HOUR",
        (60, 7200),
    ),
    (
        "SUM(epoch(ts - TIMESTAMP '2026-10-01') / 60)",
        f"WHERE {SINCE} > INTERVAL 0 DAY AND {SINCE} <= INTERVAL 1 MONTH",
        (0, 43200),
    ),
    ("SUM(epoch(ts))", "WHERE ts >= '1970-01-02' AND ts <= '1970-01-03'", (86400, 172800)),
    ("SUM(epoch_us(ts))", "WHERE ts >= '1969-12-31' AND ts <= '1970-01-01'", (-86_400_000_000, 0)),
    ("SUM(epoch(ts))", "WHERE ts >= '1970-01-02' AND ts <= '1970-01-03' AND epoch(ts) < 90000", (86400, 90000)),
]


@pytest.mark.parametrize(("value", "where", "ends"), NARROWED)
def test_a_sum_is_clamped_to_the_range_narrowed_by_where(
    value: str, where: str, ends: tuple[float, float], plan_of: Callable[[str], PrivatePlan]
) -> None:
    rows = "(SELECT subscriber_id, dwell_s AS m FROM events) e" if "(m)" in value else "events"
    (vector,) = plan_of(f"SELECT {value} FROM {rows} {where}").vectors
    assert vector.kind is VectorKind.SUM
    assert (vector.lower, vector.upper) == pytest.approx(ends)


@pytest.mark.parametrize(
    "where", ["", "WHERE lon > 0", "WHERE lon IS NOT NULL", "WHERE lon BETWEEN 0 AND 10 OR lat = 1", "WHERE lat < 5"]
)
def test_a_range_left_open_by_where_is_refused(where: str, plan_of: Callable[[str], PrivatePlan]) -> None:
    with pytest.raises(Refusal, match="E_BOUNDS"):
        plan_of(f"SELECT SUM(lon) FROM events {where}")


@pytest.mark.parametrize(("most", "norm"), [(7200, 20_000), (7000, 20_000), (600, 20 * 600)])
def test_a_condition_is_no_multiple_of_a_column(
    most: int, norm: float, plan_of: Callable[[str], PrivatePlan], catalog: Catalog
) -> None:
    plan = plan_of(f"SELECT SUM(dwell_s) FROM events WHERE dwell_s <= {most}")
    assert DeclaredClipBounds(plan, catalog, Properties()).of_vector(plan.vectors[0]) == pytest.approx(norm)
