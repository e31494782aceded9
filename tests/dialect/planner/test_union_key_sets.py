"""The list of a set operation's column holds what either query's list holds, each list once."""

from __future__ import annotations

from collections.abc import Callable

from dialect.algebra.relations import Relation, SetOperation
from dialect.algebra.release_plan import PrivatePlan

Plan = Callable[[str], PrivatePlan]
KINDS = "SELECT subscriber_id, CASE WHEN lat > 1 THEN {} END AS k FROM events"


def unions(relation: Relation) -> int:
    """Count the set operations of a list."""
    operator = relation.operator
    own = isinstance(operator, SetOperation) and operator.kind == "union" and operator.is_distinct
    return own + sum(map(unions, relation.children))


def listed(one: str, other: str, plan_of: Plan) -> tuple[int, tuple[str, ...]]:
    both = f"{KINDS.format(one)} UNION ALL {KINDS.format(other)}"
    keys = plan_of(f"SELECT k, COUNT(*) FROM ({both}) GROUP BY k").key_set
    assert keys is not None
    return unions(keys.relation), tuple(source.description for source in keys.sources)


def test_equal_key_sets_of_a_union_are_merged(plan_of: Plan) -> None:
    assert listed("'a' ELSE 'b'", "'a' ELSE 'b'", plan_of)[0] == 0


def test_different_lists_are_united(plan_of: Plan) -> None:
    found, (what,) = listed("'a' ELSE 'b'", "'b' ELSE 'c'", plan_of)
    assert found == 1
    assert what


def test_one_side_without_a_list_leaves_the_keys_private(plan_of: Plan) -> None:
    both = "SELECT subscriber_id, 'x' AS k FROM events UNION ALL SELECT subscriber_id, home_zone FROM subscribers"
    assert plan_of(f"SELECT k, COUNT(*) FROM ({both}) GROUP BY k").key_set is None
