"""The plan of one release point: canonical key order, key visibility, and additional query vectors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.release_plan import PrivatePlan, VectorKind
from dialect.errors import Code, Refusal

Plan = Callable[[str], PrivatePlan]
PRIVATE = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = '{}') {} FROM events GROUP BY 1"


def kinds(plan: PrivatePlan) -> list[VectorKind]:
    return sorted((vector.kind for vector in plan.vectors), key=str)


def test_the_canonical_key_order_is_independent_of_the_query(plan_of: Plan) -> None:
    one = plan_of("SELECT hour(ts), cell_id % 2, COUNT(*) FROM events GROUP BY ALL")
    other = plan_of("SELECT cell_id % 2, hour(ts), COUNT(*) FROM events GROUP BY ALL")
    assert [key.canonical_text for key in one.keys] == [key.canonical_text for key in other.keys]
    assert one.canonical_text == other.canonical_text


def test_private_keys_are_counted_by_persons(plan_of: Plan) -> None:
    assert VectorKind.PERSONS in kinds(plan_of("SELECT home_zone, SUM(age) FROM subscribers GROUP BY 1"))
    assert VectorKind.PERSONS not in kinds(plan_of("SELECT hour(ts), SUM(dwell_s) FROM events GROUP BY 1"))


def test_a_list_can_be_left_out_on_request(plan_of: Plan) -> None:
    asked = plan_of(PRIVATE.format("private", "hour(ts), COUNT(*)"))
    assert asked.key_set is None and "asked for as private" in asked.keys[0].reason
    listed = plan_of("SELECT hour(ts), COUNT(*) FROM events GROUP BY 1")
    assert listed.key_set is not None and listed.keys[0].reason.startswith("public: ")
    assert asked.canonical_text != listed.canonical_text


def test_one_group_per_person_is_known_of_what_is_fixed(plan_of: Plan) -> None:
    assert plan_of("SELECT gender, COUNT(*) FROM subscribers GROUP BY 1").has_one_group_per_person
    assert not plan_of("SELECT hour(ts), COUNT(*) FROM events GROUP BY 1").has_one_group_per_person
    assert plan_of("SELECT COUNT(*) FROM events").has_one_group_per_person  # there is one group alone


def test_private_tables_are_named_also_below_joins(plan_of: Plan) -> None:
    joined = plan_of("SELECT COUNT(*) FROM events JOIN subscribers USING (subscriber_id) JOIN hours ON hour(ts) = h")
    assert joined.tables == ("events", "subscribers")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (
            "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'public') home_zone, COUNT(*) FROM subscribers GROUP BY 1",
            Code.KEY,
        ),
        (
            "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private') h, COUNT(lat) FROM hours LEFT JOIN events ON hour(ts) = h GROUP BY h",
            Code.PARAM,
        ),
    ],
)
def test_forcing_impossible_key_visibility_is_refused(sql: str, code: Code, plan_of: Plan) -> None:
    with pytest.raises(Refusal) as refused:
        plan_of(sql)
    assert refused.value.code is code
