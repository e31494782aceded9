"""A row of UNION ALL brings along the noise of its own side, and none of the other's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import Project, Relation, SetOperation
from dialect.planner import noise_fields
from dialect.postprocess.noise_propagation import ZERO
from dialect.postprocess.question import Question

Ask = Callable[[str], Question]
MEANS = "SELECT AVG(dwell_s) AS x FROM events"
COUNTS = "SELECT COUNT(*) AS x FROM events"


def union(relation: Relation) -> SetOperation:
    while not isinstance(relation.operator, SetOperation):
        relation = relation.operator.source  # type: ignore[union-attr]  # above a union there are only such
    return relation.operator


def test_each_side_has_zero_in_the_terms_of_the_other(ask: Ask) -> None:
    question = ask(f"{COUNTS} UNION ALL SELECT 2 * COUNT(dwell_s) FROM events")
    (made,) = question.union_columns
    assert [term.raw in release.raw_fields for term, release in zip(made.terms, question.releases, strict=True)] == [
        True
    ] * 2
    operator = union(question.outer)
    beside = operator.columns[1:]
    computed = {}
    for side in (operator.left, operator.right):
        assert isinstance(side.operator, Project)
        computed |= dict(side.operator.computed)
    zeros = [(computed[left] == ZERO, computed[right] == ZERO) for left, right, _ in beside]
    assert zeros == [(False, True)] * 2 + [(True, False)] * 2  # a number and its squared weight, of each side


def test_a_count_in_a_union_with_a_ratio_is_divided_by_one(ask: Ask) -> None:
    (made,) = ask(f"{MEANS} UNION ALL {COUNTS}").union_columns
    assert made.denominator_constant is not None and made.denominator_terms is not None
    assert (len(made.terms), len(made.denominator_terms)) == (2, 1)
    (plain,) = ask(f"{COUNTS} UNION ALL {COUNTS} WHERE cell_id = 1").union_columns
    assert plain.denominator_constant is None and plain.denominator_terms is None


@pytest.mark.parametrize("how", ["UNION", "INTERSECT ALL", "EXCEPT"])
def test_rows_compared_by_a_set_operation_contribute_no_noise_terms(how: str, ask: Ask) -> None:
    assert ask(f"{COUNTS} {how} {MEANS}").union_columns == ()


def test_too_many_noise_terms_end_noise_propagation(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(f"{COUNTS} UNION ALL {COUNTS}").union_columns
    monkeypatch.setattr(noise_fields, "MAX_NOISY_TERMS", 1)
    assert ask(f"{COUNTS} UNION ALL {COUNTS}").union_columns == ()
