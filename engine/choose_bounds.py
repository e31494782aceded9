"""plan + calibration + price -> the norm C of each vector: least squared error, what is cut and what is noise together.

Only public facts are looked at: the plan, the number of its keys, released histograms, the price
(`proofs.md#choose_bounds`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from budgets import PICO
from dialect import Catalog, PrivatePlan
from dialect.chosen_norms import ChosenNorm
from dialect.multiplied import multiplies
from dialect.norms import counted_table, multiple_of
from dialect.private_plan import Vector, VectorKind
from engine.calibration import Calibration, Histogram, Kind
from engine.norm_spread import Spread, norm_spread

STEPS = 4  # norms that are tried between a norm and its double
UNEVEN = 1.0  # squared coefficient of variation of groups: places differ in size by about as much as their mean
CELLS_OF_PRIVATE_KEYS = 50  # rows that a group of private keys is reckoned with, as their number is not known


@dataclass(frozen=True)
class Foreseen:
    """What one norm would give: of one number, in its unit."""

    norm: float
    noise: float  # standard deviation
    bias: float  # of a usual group, at most 0
    chosen: bool


@dataclass(frozen=True)
class Aimed:
    """What decides the norm of one vector, for any price."""

    spread: Spread
    groups: float  # over which everybody's contributions are spread
    moved: float  # how many times C one person moves the vector
    whole: bool  # C is a whole number of rows or groups

    def noise(self, norm: float, pico_rho: int) -> float:
        """Give the standard deviation of the noise of one number, in its unit."""
        return self.moved * norm / math.sqrt(2 * pico_rho / PICO)

    def bias(self, norm: float) -> float:
        """Give how much is cut away of a usual group: as large as the root of the mean squared size."""
        usual = math.sqrt(1 + UNEVEN * (1 - 1 / self.groups)) * self.spread.total / self.groups
        return self.spread.lost(norm) * usual

    def error(self, norm: float, pico_rho: int) -> float:
        """Give the root of the expected squared error of one number."""
        return math.hypot(self.noise(norm, pico_rho), self.bias(norm))

    def norms(self) -> list[float]:
        """List the norms to choose from: four to a doubling, whole ones where rows or groups are counted."""
        low, high = math.log2(self.spread.norms.min()), math.log2(self.spread.norms.max())
        tried = [2.0 ** (place / STEPS) for place in range(math.floor(low * STEPS), math.ceil(high * STEPS) + 1)]
        return sorted({max(1.0, float(round(norm))) for norm in tried}) if self.whole else tried


def aimed(
    plan: PrivatePlan, catalog: Catalog, calibration: Calibration, key_count: int | None
) -> tuple[Aimed | None, ...]:
    """Find what is known of each vector of a plan; None where the declared norm, or the question's own bounds, hold."""
    table = counted_table(plan, catalog)
    limited = plan.limits.max_rows is not None or plan.limits.max_groups is not None
    if table is None or limited or multiplies(plan.source):
        return (None,) * len(plan.vectors)
    return tuple(_aimed(plan, vector, catalog, calibration, table.name, key_count) for vector in plan.vectors)


def choose_bounds(made: Sequence[Aimed | None], pico_rhos: Sequence[int]) -> tuple[ChosenNorm | None, ...]:
    """Choose the norm of each vector at its price.

    Claim: the choice is a function of plan, catalog, released histograms and price. Symbols: C, people with norms r_i
    and totals t_i, G groups, s(C) noise. Formula: least (1 + u) (sum t_i (1 - C/r_i)+ / G)^2 + s(C)^2 over C = 2^(j/4),
    and of as good ones the smallest. Raises nothing. Source and proof: proofs.md#choose_bounds
    """
    return tuple(None if each is None else _chosen(each, price) for each, price in zip(made, pico_rhos, strict=True))


def foreseen(each: Aimed | None, norm: float, pico_rho: int) -> tuple[Foreseen, ...]:
    """Say what half the chosen norm, the norm and its double would give; nothing where none was chosen."""
    if each is None:
        return ()
    tried = [max(1.0, float(round(norm / 2))) if each.whole else norm / 2, norm, 2 * norm]
    return tuple(Foreseen(at, each.noise(at, pico_rho), -each.bias(at), at == norm) for at in dict.fromkeys(tried))


def _chosen(each: Aimed, pico_rho: int) -> ChosenNorm:
    norm = min(each.norms(), key=lambda norm: each.error(norm, pico_rho))
    return ChosenNorm(norm, -each.spread.lost(norm), f"chosen from {each.spread.told} for this price")


def _aimed(
    plan: PrivatePlan, vector: Vector, catalog: Catalog, calibration: Calibration, table: str, key_count: int | None
) -> Aimed | None:
    if vector.part is not None:
        return None
    spread = _spread(plan, vector, catalog, calibration, table)
    if spread is None:
        return None
    together, persons = plan.touched.together, vector.kind is VectorKind.PERSONS
    spread = spread.times(math.sqrt(together) if persons else together, _windows(plan))
    groups = float(key_count) if key_count is not None else max(1.0, spread.total / CELLS_OF_PRIVATE_KEYS)
    moved = 2.0 if plan.touched.crossing and vector.summed else math.sqrt(2) if plan.touched.crossing else 1.0
    return Aimed(spread, groups, moved, not vector.summed)


def _windows(plan: PrivatePlan) -> float:
    """Count the windows whose people add up: all of them where each is bounded for itself."""
    return 1.0 if plan.touched.crossing else float(len(plan.touched.windows))


def _spread(plan: PrivatePlan, vector: Vector, catalog: Catalog, calibration: Calibration, table: str) -> Spread | None:
    """Find the spread of a vector's norms: its own kind's, else that of rows, each as large as a value may be."""
    texts = [key.text for key in plan.keys]

    def found(kind: Kind, column: str | None = None) -> Spread | None:
        by_keys = calibration.find(table, texts, kind, column)
        return None if by_keys is None else norm_spread(by_keys, _in_all(by_keys, calibration))

    if vector.kind is VectorKind.PERSONS:
        return found(Kind.PERSONS)
    if not vector.summed:
        return found(Kind.ROWS) if vector.kind is not VectorKind.DISTINCT else None
    multiple = multiple_of(vector, catalog) if vector.factor is None else None
    if multiple is not None:
        of_column = found(Kind.CENTRED if vector.kind is VectorKind.CENTRED else Kind.SUMS, multiple[0].name)
        if of_column is not None:
            return of_column.times(multiple[1])
    rows = found(Kind.ROWS)
    return None if rows is None else rows.times(max(vector.magnitude, 2.0**-20))


def _in_all(by_keys: Histogram, calibration: Calibration) -> Histogram | None:
    measured = by_keys.measured
    return calibration.find(measured.table, (), measured.kind, measured.column)
