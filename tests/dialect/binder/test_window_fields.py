"""A window's value: its type, whether it may be NULL, and between which ends it lies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import BoundQuery

BY = "(PARTITION BY subscriber_id ORDER BY ts)"
ALL = "(PARTITION BY subscriber_id)"
FIELDS = {  # call -> type, ends
    f"ROW_NUMBER() OVER {BY}": ("BIGINT", (1, 200)),  # of one person at most so many rows are read
    f"RANK() OVER {BY}": ("BIGINT", (1, 200)),
    f"NTILE(4) OVER {BY}": ("BIGINT", (1, 4)),
    f"PERCENT_RANK() OVER {BY}": ("DOUBLE", (0, 1)),
    f"COUNT(*) OVER {ALL}": ("BIGINT", (0, 200)),
    f"LAG(hour(ts)) OVER {BY}": ("BIGINT", (0, 23)),
    f"LAG(hour(ts), 1, 30) OVER {BY}": ("BIGINT", (0, 30)),
    f"MAX(hour(ts)) OVER {ALL}": ("BIGINT", (0, 23)),
    f"SUM(least(hour(ts), 9)) OVER {ALL}": ("BIGINT", (0, 1800)),
}


@pytest.mark.parametrize("shown", FIELDS)
def test_a_field_is_described(shown: str, rows_of: Callable[[str], BoundQuery]) -> None:
    field = dict(rows_of(f"SELECT subscriber_id, {shown} AS x FROM events").columns)["x"]
    kind, ends = FIELDS[shown]
    assert str(field.type) == kind
    assert field.bounds is not None
    assert (field.bounds.lower, field.bounds.upper) == ends


@pytest.mark.parametrize(
    ("shown", "nullable"),
    [
        ("LAG(h) OVER (ORDER BY h)", True),
        ("LAG(h, 1, 0) OVER (ORDER BY h)", False),
        ("LAG(h, 1, NULL) OVER (ORDER BY h)", True),
        ("COUNT(h) OVER (ORDER BY h ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)", False),
        ("MAX(h) OVER (ORDER BY h)", False),
        ("MAX(h) OVER (ORDER BY h ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)", True),  # an empty frame
        ("MAX(h) FILTER (WHERE h > 3) OVER ()", True),
        ("NTH_VALUE(h, 2) OVER (ORDER BY h)", True),
        ("FIRST_VALUE(h) OVER (ORDER BY h)", False),
        ("RANK() OVER (ORDER BY h)", False),
    ],
)
def test_a_window_value_without_a_row_is_nullable(
    shown: str, nullable: bool, rows_of: Callable[[str], BoundQuery]
) -> None:
    field = dict(rows_of(f"SELECT {shown} AS x FROM (SELECT coalesce(h, 0) AS h FROM hours)").columns)["x"]
    assert field.nullable is nullable


def test_a_value_equal_in_all_rows_of_a_person_is_the_person_s(rows_of: Callable[[str], BoundQuery]) -> None:
    def of_person(shown: str) -> bool:
        return dict(rows_of(f"SELECT subscriber_id, {shown} AS x FROM events").columns)["x"].is_constant_per_person

    assert of_person(f"COUNT(*) OVER {ALL}")
    assert of_person(f"FIRST_VALUE(cell_id) OVER {BY[:-1]} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)")
    assert not of_person(f"COUNT(*) OVER {BY}")  # runs along
    assert not of_person("COUNT(*) OVER (PARTITION BY subscriber_id, cell_id)")
    assert not of_person(f"RANK() OVER {BY}")
