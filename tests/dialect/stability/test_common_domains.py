"""Taken together, two columns lie in a domain that holds both, and what is true of all rows is true on both sides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.expressions import Field
from dialect.algebra.relations import BoundQuery, SetOperation
from dialect.catalog.model import Domain, SqlType, ValueList, ValueRange
from dialect.stability.set_operations import common_domain, common_predicates

DOMAINS = [
    (ValueList((1, 2)), ValueList((1, 2)), ValueList((1, 2))),
    (ValueList((1, 2)), ValueList((2, 3)), ValueList((1, 2, 3))),
    (ValueRange(0, 9), ValueRange(-5, 3), ValueRange(-5, 9)),
    (
        ValueRange("2026-01-01", "2026-12-31"),
        ValueRange("2025-06-01", "10000-01-01"),
        ValueRange("2025-06-01", "10000-01-01"),
    ),
    (ValueRange(0, 9), ValueList((1, 2)), None),
    (ValueList((1, 2)), None, None),
]


@pytest.mark.parametrize(("one", "other", "both"), DOMAINS)
def test_a_domain_of_two_columns_holds_the_values_of_both(
    one: Domain | None, other: Domain | None, both: Domain | None
) -> None:
    fields = [Field(name, None, SqlType.BIGINT, domain=domain) for name, domain in (("a", one), ("b", other))]
    assert common_domain(fields) == both


def test_columns_of_two_types_have_no_common_key_set() -> None:
    fields = [Field(kind, None, kind, domain=ValueList((1, 2))) for kind in (SqlType.BIGINT, SqlType.DOUBLE)]
    assert common_domain(fields) is None


@pytest.mark.parametrize(
    ("how", "true_of_all"),
    [
        ("UNION ALL", 1),  # what both say
        ("EXCEPT ALL", 2),  # its rows are the left ones
        ("INTERSECT ALL", 2),
    ],
)
def test_predicates_of_the_remaining_rows_hold_for_a_set_operation(
    how: str, true_of_all: int, rows_of: Callable[[str], BoundQuery]
) -> None:
    left, right = "lat > 1 AND lon > 2", "lat > 1 AND lon > 3"
    columns = "SELECT subscriber_id, lat, lon FROM events WHERE"
    operator = rows_of(f"{columns} {left} {how} {columns} {right}").relation.operator
    assert isinstance(operator, SetOperation)
    assert len(common_predicates(operator)) == true_of_all
