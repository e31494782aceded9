"""Bugs to plant under the exactness oracle: each changes the plan of a release, or its SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from dialect import BoundedSql, ContributionBounds, Eligibility, PrivatePlan, Target, generate_sql
from dialect.algebra.expressions import Case, Expr
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    PerPerson,
    Project,
    Relation,
    SetOperation,
)
from dialect.algebra.release_plan import QueryVector, VectorKind
from dialect.algebra.traversal import map_children
from dialect.codegen.partials import SharedPlan
from tests.support.planted import Plant, planting

Text = Callable[[str], str]


@dataclass(frozen=True)
class PlantedChange:
    """A bug, as changes of plan, admission and SQL text; the default changes nothing."""

    plan: Callable[[PrivatePlan], PrivatePlan] = lambda plan: plan
    admission: Callable[[Eligibility | None], Eligibility | None] = lambda admission: admission
    text: Text = str

    def write(
        self,
        plan: PrivatePlan,
        bounds: ContributionBounds,
        target: Target,
        admission: Eligibility | None,
        shared: SharedPlan | None = None,
    ) -> BoundedSql:
        """Generate SQL as `dialect.write` does, with the bug."""
        made = generate_sql(self.plan(plan), bounds, target, self.admission(admission), shared)
        return replace(made, text=self.text(made.text))


def plant_change(module: Any, spoiling: PlantedChange) -> Plant:
    """Plant a bug in a module's SQL generation; the test fails unless some SQL changed."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        used = planting(monkeypatch).needed("nothing that is written became another")

        def wrong(*given: Any) -> BoundedSql:
            made = spoiling.write(*given)
            if made != generate_sql(*given):
                used()
            return made

        monkeypatch.setattr(module, "generate_sql", wrong)

    return plant


def vectors(change: Callable[[QueryVector], QueryVector]) -> PlantedChange:
    """Change every vector of a plan."""
    return PlantedChange(plan=lambda plan: replace(plan, vectors=tuple(map(change, plan.vectors))))


def operators(change: Callable[[Operator], Operator]) -> PlantedChange:
    """Change every operator below the release."""

    def spoil(plan: PrivatePlan) -> PrivatePlan:
        source = _rewritten(plan.source, change)
        assert isinstance(source, PerPerson)
        return replace(plan, source=source)

    return PlantedChange(plan=spoil)


def text(wrong: str, right: str) -> PlantedChange:
    """Replace `right` by `wrong` in the SQL."""
    return PlantedChange(text=lambda written: re.sub(right, wrong, written))


def count_rows_for_values(vector: QueryVector) -> QueryVector:
    """Count rows instead of values."""
    return replace(vector, kind=VectorKind.ROWS, value=None) if vector.kind is VectorKind.VALID else vector


def count_person_per_row(vector: QueryVector) -> QueryVector:
    """Count a person once per row."""
    return replace(vector, kind=VectorKind.ROWS) if vector.kind is VectorKind.PERSONS else vector


def swap_left_join(operator: Operator) -> Operator:
    """Swap the sides of a LEFT JOIN."""
    left = isinstance(operator, Join) and operator.kind == "left"
    return replace(operator, left=operator.right, right=operator.left) if left else operator


def inner_for_left_join(operator: Operator) -> Operator:
    """Replace a LEFT JOIN by an inner join."""
    return replace(operator, kind="inner") if isinstance(operator, Join) and operator.kind == "left" else operator


def compare_hidden_columns(operator: Operator) -> Operator:
    """Make a set operation compare hidden columns too."""
    if not isinstance(operator, SetOperation) or not (operator.is_distinct or operator.kind != "union"):
        return operator
    hidden = [[f for f in side.fields if f.definition is None] for side in (operator.left, operator.right)]
    shown = {field for columns in operator.columns for field in columns}
    pairs = zip(*([f for f in fields if f not in shown] for fields in hidden), strict=False)
    more = [(a, b, replace(a, id=f"{a.id}_x")) for a, b in pairs if a.type is b.type]
    return replace(operator, columns=(*operator.columns, *more))


def keep_duplicates(operator: Operator) -> Operator:
    """Keep duplicates in a UNION."""
    union = isinstance(operator, SetOperation) and operator.kind == "union"
    return replace(operator, is_distinct=False) if union else operator


def reverse_cases(operator: Operator) -> Operator:
    """Evaluate the branches of every CASE in reverse order."""
    if not isinstance(operator, Project):
        return operator
    return replace(operator, computed=tuple((field, _reversed(expr)) for field, expr in operator.computed))


def _reversed(expr: Expr) -> Expr:
    if isinstance(expr, Case):
        return replace(expr, branches=expr.branches[::-1])
    return map_children(expr, _reversed)


def _rewritten(relation: Relation, change: Callable[[Operator], Operator]) -> Relation:
    operator = change(relation.operator)
    if isinstance(operator, Join | SetOperation):
        sides = _rewritten(operator.left, change), _rewritten(operator.right, change)
        operator = replace(operator, left=sides[0], right=sides[1])
    elif isinstance(operator, Filter | Project | Group | Distinct):
        operator = replace(operator, source=_rewritten(operator.source, change))
    return replace(relation, operator=operator)
