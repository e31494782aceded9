"""Public orders of magnitude of a release's numbers, before anybody has measured how much people contribute.

Size classes tell how many rows a group has, and fallback clip bounds how much a person may contribute. Between a person
with a few rows and those bounds lies the clip bound that a profile will choose, so the noise is known to within a range
and not better. Nothing here is measured, and nothing is decided by it: it is shown before a profile is bought.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dialect import Catalog, ContributionBounds, PrivatePlan
from dialect.algebra import ROW_ADDITIVE_KINDS, QueryVector, VectorBound, VectorKind
from dialect.catalog import FALLBACK_VALUE_SHARE
from engine.pricing.price import VectorPrice

FEWEST_ROWS = 2  # that a person with usual contributions has, where clip bounds may be small
LARGEST_SHARE = 0.125  # of a number: standard deviation of what correction leaves, at most as a rule


@dataclass(frozen=True)
class Magnitude:
    """Order of magnitude of one number of a release, in its unit."""

    usual: float | None  # its size in a usual group; None: no size class tells it
    least_deviation: float  # standard deviation of its noise
    most_deviation: float
    residual: float = 0.0  # standard deviation of what correction leaves at most, of a usual group


def vector_magnitudes(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    prices: Sequence[VectorPrice],
    profiled: Collection[int],
    groups: int | None,
    catalog: Catalog,
) -> tuple[Magnitude, ...]:
    """Magnitude of each query vector at its price, whose clip bounds at indices `profiled` a profile will choose."""
    rows = _usual_rows(plan, groups, catalog)
    return tuple(
        _magnitude(vector, bound, price.deviation(bound), rows, is_profiled=i in profiled)
        for i, (vector, bound, price) in enumerate(zip(plan.vectors, bounds.vectors, prices, strict=True))
    )


def _magnitude(
    vector: QueryVector, bound: VectorBound, deviation: float, rows: float | None, *, is_profiled: bool
) -> Magnitude:
    """Magnitude of one vector; `deviation` = of its noise at the fallback clip bound."""
    usual_value = FALLBACK_VALUE_SHARE * vector.magnitude if vector.is_sum else 1.0
    is_additive = vector.kind in ROW_ADDITIVE_KINDS or vector.kind is VectorKind.CENTRED
    size = rows * usual_value if rows is not None and is_additive else None
    usual = 0.0 if vector.kind is VectorKind.CENTRED else size
    if not is_profiled:
        return Magnitude(usual, deviation, deviation)
    narrowed = min(1.0, FEWEST_ROWS * usual_value / bound.clip_bound)
    return Magnitude(usual, deviation * narrowed, deviation, LARGEST_SHARE * (size or 0.0))


def _usual_rows(plan: PrivatePlan, groups: int | None, catalog: Catalog) -> float | None:
    """Rows of a usual group by the size class of the largest table, in the charged windows; None if it is unknown."""
    sizes = [float(table.size_class) for name in plan.tables if (table := catalog.table(name)) and table.size_class]
    if not sizes or not groups:
        return None
    declared = catalog.dataset(plan.dataset).window_names
    charged = len({*plan.charged_windows.windows} & {*declared}) or len(declared)
    return max(sizes) * charged / len(declared) / groups
