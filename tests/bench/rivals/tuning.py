"""Bounds tuned on the true data, which voids the guarantee: the second column of the table.

For each candidate the truth is cut as the rival would cut it on average, its noise is what its documentation says, and
the bounds with the least median of the expected relative error over all groups are taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist, median

import duckdb

from budgets import rho_from_epsilon
from tests.bench.rivals.questions import DELTA, EPSILON, Asked
from tests.bench.rivals.worlds import World

RHO = float(
    rho_from_epsilon(EPSILON, DELTA)
)  # the largest whose (epsilon, delta) is the asked one, by Canonne, Kamath and Steinke
QRLEW_SIGMAS = 10.856 * math.sqrt(2.0)  # what it takes for a sensitivity of 1 at half of epsilon and delta
GRID = (1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 65, 100, 150, 220, 330, 500, 750, 1100)
PER_GROUP = (1, 2, 3, 5, 8, 12, 20, 35, 60, 100)


@dataclass(frozen=True)
class Tuned:
    """The best bounds of one kind."""

    setting: dict[str, float]
    error: float  # expected


@dataclass(frozen=True)
class Rule:
    """How a rival clips: the factor of a person's number in a group, in SQL, and the resulting L2 and L1 bounds."""

    factor: str
    setting: dict[str, float]
    l2: float
    l1: float


def by_rows() -> Iterable[Rule]:
    """At most so many rows of a person, whichever."""
    return (Rule(f"least(1, {k} / rows)", {"rows": k}, k, k) for k in GRID)


def by_groups(most: int) -> Iterable[Rule]:
    """At most so many groups of a person, and so many rows in each."""
    for groups in (*(g for g in GRID if g < most), most):
        for rows in PER_GROUP:
            factor = f"least(1, {groups} / groups) * least(1, {rows} / n)"
            yield Rule(factor, {"groups": groups, "per_group": rows}, math.sqrt(groups) * rows, groups * rows)


def by_all_groups(most: int) -> Iterable[Rule]:
    """Every group of a person, and at most so many rows in each."""
    for rows in PER_GROUP:
        setting = {"groups": most + 1, "per_group": rows}  # OpenDP keeps one group less than it is told
        yield Rule(f"least(1, {rows} / n)", setting, math.sqrt(most + 1) * rows, (most + 1) * rows)


def by_clip_bound() -> Iterable[Rule]:
    """Clip a person's vector in L2."""
    return (Rule(f"least(1, {c} / norm)", {"max_multiplicity": c}, c, math.inf) for c in GRID)


class Truth:
    """Every person's number in every group, read once per query."""

    def __init__(self, asked: Asked, world: World) -> None:
        """Aggregate per person and group."""
        self.asked = asked
        self.connection = duckdb.connect(config={"threads": 2})
        number = "1" if asked.kind == "persons" else "count(*)"
        keys, value = ", ".join(asked.keys), asked.value or "0"
        self.connection.execute(f"""CREATE TABLE pg AS
            WITH each AS (SELECT person, {keys}, {number}::DOUBLE AS n, sum({value})::DOUBLE AS s
                          FROM '{world.path}' GROUP BY ALL),
            one AS (SELECT person, sum(n) AS rows, count(*)::DOUBLE AS groups, sqrt(sum(n * n)) AS norm
                    FROM each GROUP BY person)
            SELECT each.*, rows, groups, norm
            FROM each JOIN one USING (person)""")
        self.true = self._clip("1")

    def _clip(self, factor: str) -> dict[tuple, tuple[float, float]]:
        keys = ", ".join(self.asked.keys)
        found = self.connection.execute(f"SELECT {keys}, sum(n * {factor}), sum(s * {factor}) FROM pg GROUP BY {keys}")
        return {row[:-2]: row[-2:] for row in found.fetchall()}

    def number(self, n: float, s: float) -> float:
        """The requested number of a group."""
        return {"sum": s, "mean": s / n if n else 0.0}.get(self.asked.kind, n)

    def answers(self) -> dict[str, float]:
        """The true answer, by key as text."""
        return {",".join(map(str, key)): self.number(*found) for key, found in self.true.items()}

    def best(self, rules: Iterable[Rule], *, laplace: bool = False, sigmas: float | None = None) -> Tuned:
        """Pick the rule of least expected error."""
        made = [Tuned(rule.setting, self._error(rule, laplace, sigmas)) for rule in rules]
        return min(made, key=lambda each: each.error)

    def _error(self, rule: Rule, laplace: bool, sigmas: float | None) -> float:
        parts = 2 if self.asked.kind == "mean" else 1
        if laplace:
            unit = math.sqrt(2) * rule.l1 * parts / float(EPSILON)
        else:
            unit = rule.l2 * math.sqrt(parts) * (sigmas or 1 / math.sqrt(2 * RHO))
        largest = max(map(abs, self.asked.ends))
        cut, errors = self._clip(rule.factor), []
        for key, (n, s) in self.true.items():
            true, kept = self.number(n, s), cut.get(key, (0.0, 0.0))
            noise = unit * largest if self.asked.kind == "sum" else unit
            if self.asked.kind == "mean":
                noise = math.hypot(unit * largest, unit * true) / max(kept[0], 1e-9)
            if true > 0:
                errors.append(_absolute(self.number(*kept) - true, noise) / true)
        return median(errors)


def _absolute(bias: float, noise: float) -> float:
    """E|bias + N(0, noise^2)|."""
    ratio = bias / noise
    tails = 1 - 2 * NormalDist().cdf(-ratio)
    return noise * math.sqrt(2 / math.pi) * math.exp(-ratio * ratio / 2) + bias * tails
