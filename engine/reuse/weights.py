"""Weights of stored releases whose combination counts the wanted set of rows, with least noise variance.

Sets of rows are given as a 0/1 matrix: one pattern for each kind of row.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from engine.reuse.derived_release import WEIGHT_BITS

Pattern = tuple[bool, ...]  # of one kind of row: is it wanted, then is it in each of the stored sets
Floats = npt.NDArray[np.float64]
TOLERANCE = 1e-9


def is_reachable(patterns: Sequence[Pattern]) -> bool:
    """Check in floating point if weights may make the wanted set; `least_variance_weights` decides exactly."""
    if not any(pattern[0] for pattern in patterns):
        return False
    table = np.array(patterns, dtype=np.float64)
    weights = np.linalg.lstsq(table[:, 1:], table[:, 0], rcond=None)[0]
    return bool(np.abs(table[:, 1:] @ weights - table[:, 0]).max() < TOLERANCE)


def least_variance_weights(patterns: Sequence[Pattern], variances: Sequence[float]) -> tuple[Fraction, ...] | None:
    """Find least-variance weights of sets of rows that make the wanted set; None if no multiples of 2^-10 do.

        -- wanted: COUNT(*) WHERE zone <> 3
        -- stored: COUNT(*) [all rows], COUNT(*) WHERE zone = 3    ->  weights 1, -1

    Claim: on every pattern the weights of the sets that it is in add up to 1 where it is wanted, else to 0, exactly;
    of all such weights these have the least variance, but for rounding. Symbols: `variances` of independent noise.
    Formula: c = argmin sum c_i^2 v_i with M c = t; free ones are rounded, the others follow. Proof:
    proofs.md#least_variance_weights. Raises: nothing.
    """
    pivots = _eliminate(patterns)
    if pivots is None:
        return None
    count = len(variances)
    free = [i for i in range(count) if i not in pivots]
    weights = dict(zip(free, _best_free_weights(pivots, free, variances), strict=True))
    weights |= {
        pivot_index: row[-1] - sum((row[i] * weights[i] for i in free), Fraction(0))
        for pivot_index, row in pivots.items()
    }
    result = tuple(weights[i] for i in range(count))
    return result if all((each * 2**WEIGHT_BITS).denominator == 1 for each in result) else None


_EquationRow = list[Fraction]


def _eliminate(patterns: Sequence[Pattern]) -> dict[int, _EquationRow] | None:
    """Solve the linear equations by Gauss-Jordan elimination: a row for each pivot weight; None if inconsistent.

    One equation per kind of row: the weights of the sets it is in add up to 1 if it is wanted, else to 0. A row lists
    the coefficients of all weights and then the constant; keys are indexes of weights.
    """
    rows = [[Fraction(int(each)) for each in (*pattern[1:], pattern[0])] for pattern in dict.fromkeys(patterns)]
    pivots: dict[int, _EquationRow] = {}
    for column in range(len(rows[0]) - 1 if rows else 0):
        pivot = next((row for row in rows if row[column] and not any(row is other for other in pivots.values())), None)
        if pivot is None:
            continue
        pivot[:] = [each / pivot[column] for each in pivot]
        for row in rows:
            if row is not pivot and row[column]:
                row[:] = [each - row[column] * pivot_value for each, pivot_value in zip(row, pivot, strict=True)]
        pivots[column] = pivot
    return pivots if all(any(row[:-1]) or not row[-1] for row in rows) else None


def _best_free_weights(
    pivots: dict[int, _EquationRow], free: Sequence[int], variances: Sequence[float]
) -> list[Fraction]:
    """Find the free weights of least variance, rounded to multiples of 2^-10."""
    if not free:
        return []
    table: Floats = np.array([[float(row[i]) for i in free] for row in pivots.values()]).reshape(len(pivots), len(free))
    constants: Floats = np.array([float(row[-1]) for row in pivots.values()])
    pivot_variances: Floats = np.array([variances[i] for i in pivots])
    free_variances = np.diag([variances[i] for i in free])
    solution = np.linalg.solve(
        table.T @ (pivot_variances[:, None] * table) + free_variances, table.T @ (pivot_variances * constants)
    )
    return [Fraction(round(each * 2**WEIGHT_BITS), 2**WEIGHT_BITS) for each in solution]
