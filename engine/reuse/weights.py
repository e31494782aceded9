"""Weights of stored releases whose combination counts the wanted set of rows, with least noise variance.

Sets of rows are given as a 0/1 matrix: one pattern for each kind of row.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from engine.reuse.combine import PLACES

Pattern = tuple[bool, ...]  # of one kind of row: is it wanted, then is it in each of the stored sets
Floats = npt.NDArray[np.float64]
NEARLY_0 = 1e-9


def reachable(patterns: Sequence[Pattern]) -> bool:
    """Check in floating point if weights may make the wanted set; `least_variance_weights` decides exactly."""
    if not any(pattern[0] for pattern in patterns):
        return False
    table = np.array(patterns, dtype=np.float64)
    found = np.linalg.lstsq(table[:, 1:], table[:, 0], rcond=None)[0]
    return bool(np.abs(table[:, 1:] @ found - table[:, 0]).max() < NEARLY_0)


def weights_of(patterns: Sequence[Pattern], variances: Sequence[float]) -> tuple[Fraction, ...] | None:
    """Find least-variance weights of sets of rows that make the wanted set; None if no multiples of 2^-10 do.

        -- wanted: COUNT(*) WHERE zone <> 3
        -- stored: COUNT(*) [all rows], COUNT(*) WHERE zone = 3    ->  weights 1, -1

    Claim: on every pattern the weights of the sets that it is in add up to 1 where it is wanted, else to 0, exactly;
    of all such weights these have the least variance, but for rounding. Symbols: `variances` of independent noise.
    Formula: c = argmin sum c_i^2 v_i with M c = t; free ones are rounded, the others follow. Proof:
    proofs.md#weights_of. Raises: nothing.
    """
    solved = _solved(patterns)
    if solved is None:
        return None
    count = len(variances)
    free = [i for i in range(count) if i not in solved]
    weights = dict(zip(free, _best(solved, free, variances), strict=True))
    weights |= {at: row[-1] - sum((row[i] * weights[i] for i in free), Fraction(0)) for at, row in solved.items()}
    made = tuple(weights[i] for i in range(count))
    return made if all((each * 2**PLACES).denominator == 1 for each in made) else None


_Row = list[Fraction]


def _solved(patterns: Sequence[Pattern]) -> dict[int, _Row] | None:
    """Solve the linear equations by Gauss-Jordan elimination: a row for each pivot weight; None if inconsistent."""
    rows = [[Fraction(int(each)) for each in (*made[1:], made[0])] for made in dict.fromkeys(patterns)]
    bound: dict[int, _Row] = {}
    for at in range(len(rows[0]) - 1 if rows else 0):
        pivot = next((row for row in rows if row[at] and not any(row is other for other in bound.values())), None)
        if pivot is None:
            continue
        pivot[:] = [each / pivot[at] for each in pivot]
        for row in rows:
            if row is not pivot and row[at]:
                row[:] = [each - row[at] * own for each, own in zip(row, pivot, strict=True)]
        bound[at] = pivot
    return bound if all(any(row[:-1]) or not row[-1] for row in rows) else None


def _best(bound: dict[int, _Row], free: Sequence[int], variances: Sequence[float]) -> list[Fraction]:
    """Find the free weights of least variance, rounded to multiples of 2^-10."""
    if not free:
        return []
    table: Floats = np.array([[float(row[i]) for i in free] for row in bound.values()]).reshape(len(bound), len(free))
    ends: Floats = np.array([float(row[-1]) for row in bound.values()])
    spread: Floats = np.array([variances[i] for i in bound])
    own = np.diag([variances[i] for i in free])
    found = np.linalg.solve(table.T @ (spread[:, None] * table) + own, table.T @ (spread * ends))
    return [Fraction(round(each * 2**PLACES), 2**PLACES) for each in found]
