"""Fieller's confidence interval of a ratio of noisy numbers, generic over arrays and SQL expressions."""

from __future__ import annotations

from typing import Protocol, TypeVar

Number = TypeVar("Number")


class Arithmetic(Protocol[Number]):
    """Operations + - * / abs sqrt greatest by name, over arrays or expressions."""

    def __call__(self, name: str, /, *arguments: Number) -> Number:
        """Compute one operation."""


def ratio_ends(
    compute: Arithmetic[Number],
    ratio_terms: tuple[Number, Number],
    variances: tuple[Number, Number],
    covariance: Number,
    z: Number,
    constants: tuple[Number, Number, Number],
) -> tuple[Number, Number]:
    """Return the lower and the upper end of numerator / denominator.

    Claim: they enclose the exact ratio as often as the normal law is within +- z, where the denominator is clear of 0.
    Symbols: `ratio_terms` = numerator and denominator; `variances`, `covariance` of their noise; `constants` = 0, 1, 2.
    Formula: all r with (num - r den)^2 <= z^2 (var_num - 2 r cov + r^2 var_den).
    Source: Fieller, J. R. Stat. Soc. B 16 (1954) 175-185.
    Proof: `engine/mechanism/proofs.md#ratio_interval`.

    Variables: `shrink` = 1 - g with g = z^2 var_den / den^2; `spread` = the variance under the root; `reach` = half the
    distance of both ends.
    """
    (top, bottom), (v_top, v_bottom), (zero, one, two) = ratio_terms, variances, constants
    ratio, step = compute("/", top, bottom), compute("/", z, bottom)
    square = compute("*", step, step)
    shrink = compute("-", one, compute("*", square, v_bottom))
    spread = compute("-", v_top, compute("*", compute("*", two, ratio), covariance))
    spread = compute("+", spread, compute("*", compute("*", ratio, ratio), v_bottom))
    less = compute("-", compute("*", v_top, v_bottom), compute("*", covariance, covariance))
    # non-negative up to rounding: the ratio itself always solves the inequality
    spread = compute("greatest", compute("-", spread, compute("*", square, less)), zero)
    middle = compute("/", compute("-", ratio, compute("*", square, covariance)), shrink)
    reach = compute("/", compute("*", compute("/", z, compute("abs", bottom)), compute("sqrt", spread)), shrink)
    return compute("-", middle, reach), compute("+", middle, reach)
