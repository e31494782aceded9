"""Public orders of magnitude of a release's numbers, before anybody has measured how much people contribute.

Size classes tell how many rows a group has, and fallback clip bounds how much a person may contribute. Between a person
with a few rows and those bounds lies the clip bound that a profile will choose, where noise and what correction leaves
are of a size; so the noise is at most a share of the number, unless this is small. A question that shows the largest
groups alone, as ORDER BY n DESC LIMIT 5 does, has numbers of their size: by Zipf's law, the largest of k groups has a
share of 1 / (1 + 1/2 + ... + 1/k). Nothing here is measured, and nothing is decided by it: it is shown before a profile
is bought. Shares are those of operator, mibici and a Pareto shop at rho 0.001 to 0.02.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dialect import Catalog, ContributionBounds, PrivatePlan
from dialect.algebra import ROW_ADDITIVE_KINDS, Literal, QueryVector, VectorBound, VectorKind, walk
from dialect.catalog import FALLBACK_VALUE_SHARE, Dataset, PrivacyWindow, first_day_of_name, next_window_start
from engine.pricing.price import VectorPrice

FEWEST_ROWS = 1.5  # that a person with usual contributions has, where clip bounds may be small
SIZE_SLACK = 2.0  # times a size class, which is a power of ten: rows that a table may have
# of a number: standard deviation of what correction leaves, at least and at most as a rule
SHARES_OF_ALL_ROWS, SHARES_OF_GROUPS = (0.0025, 0.1), (0.008, 0.15)
NOISE_SHARE = 0.08  # of a number: standard deviation of its noise at the clip bound that a profile chooses, at most
SMALL_BOUND = 8  # times the noise of a person with few rows: what numbers have that are too small for a share


@dataclass(frozen=True)
class Magnitude:
    """Order of magnitude of one number of a release, in its unit."""

    usual: float | None  # its size in a usual group; None: no size class tells it
    least_deviation: float  # standard deviation of its noise
    most_deviation: float
    residual: float = 0.0  # standard deviation of what correction leaves at most, of a usual or a largest group
    least_residual: float = 0.0  # the same at least; 0 where a condition may leave few of the rows


def vector_magnitudes(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    prices: Sequence[VectorPrice],
    profiled: Collection[int],
    groups: int | None,
    catalog: Catalog,
    *,
    shows_largest: bool = False,
) -> tuple[Magnitude, ...]:
    """Magnitude of each query vector at its price, whose clip bounds at indices `profiled` a profile will choose.

    `shows_largest`: noisy numbers choose the groups that are shown.
    """
    rows = _all_rows(plan, catalog) if groups else None
    least, most = SHARES_OF_GROUPS if plan.keys else SHARES_OF_ALL_ROWS
    usual = _Rows(None, None, 0.0, most)
    if rows is not None and groups:
        largest = rows / (math.log(groups) + 0.58) if shows_largest and groups > 1 else rows / groups
        has_conditions = _has_conditions(plan, catalog.datasets_by_name[plan.dataset])
        usual = _Rows(rows / groups, largest, 0.0 if has_conditions else least, most)
    return tuple(
        _magnitude(vector, bound, price.deviation(bound), usual, is_profiled=i in profiled)
        for i, (vector, bound, price) in enumerate(zip(plan.vectors, bounds.vectors, prices, strict=True))
    )


class _Rows(NamedTuple):
    """Rows of the groups of a question; None: no size class is declared."""

    usual: float | None  # of a usual group
    shown: float | None  # of a group that is shown: a usual one, or the largest
    least_share: float  # standard deviation of what correction leaves of a number
    most_share: float


def _magnitude(
    vector: QueryVector, bound: VectorBound, deviation: float, rows: _Rows, *, is_profiled: bool
) -> Magnitude:
    """Magnitude of one vector; `deviation` = of its noise at the fallback clip bound."""
    usual_value = FALLBACK_VALUE_SHARE * vector.magnitude if vector.is_sum else 1.0
    is_additive = vector.kind in ROW_ADDITIVE_KINDS or vector.kind is VectorKind.CENTRED
    size = rows.usual * usual_value if rows.usual is not None and is_additive else None
    is_centred = vector.kind is VectorKind.CENTRED
    usual = 0.0 if is_centred else size
    if not is_profiled:
        return Magnitude(usual, deviation, deviation)
    least = deviation * min(1.0, FEWEST_ROWS * usual_value / bound.clip_bound)
    shown = (rows.shown or 0.0) * usual_value  # people of a group are at most as many as its rows
    by_size = (
        math.inf if rows.shown is None or is_centred else max(SMALL_BOUND * least, NOISE_SHARE * SIZE_SLACK * shown)
    )
    most = min(deviation, by_size)
    return Magnitude(usual, least, most, rows.most_share * shown, rows.least_share * (size or 0.0))


def _has_conditions(plan: PrivatePlan, dataset: Dataset) -> bool:
    """Return whether a condition with a constant may leave few of the rows of the charged windows."""
    ends = {end for name in plan.charged_windows.windows for end in _ends_of(dataset.window, name)}
    constants = [part.value for fact in plan.source.predicates for part in walk(fact) if isinstance(part, Literal)]
    return any(str(value)[:10] not in ends for value in constants)


def _ends_of(window: PrivacyWindow, name: str) -> tuple[str, ...]:
    """First day of a privacy window and of the one after it; none for a window without ends."""
    first = None if window is PrivacyWindow.FOREVER else first_day_of_name(window, name)
    return () if first is None else (first.isoformat(), next_window_start(window, first).isoformat())


def _all_rows(plan: PrivatePlan, catalog: Catalog) -> float | None:
    """Rows of all groups by the size class of the largest table, in the charged windows; None if it is unknown."""
    sizes = [
        float(table.size_class)
        for name in plan.tables
        if (table := catalog.tables_by_name.get(name)) and table.size_class
    ]
    if not sizes:
        return None
    declared = catalog.datasets_by_name[plan.dataset].window_names
    charged = len({*plan.charged_windows.windows} & {*declared}) or len(declared)
    return max(sizes) * charged / len(declared)
