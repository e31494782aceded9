"""Post-processing of releases: noise propagation, unstable ratios, display rounding and interval functions.

A query over releases -> the linear form of each column in noisy query vectors.

Modules, each before those that import it:

    display_rounding, fieller, noise_propagation, interval_functions, unstable_ratios, shared_noise.
"""

from __future__ import annotations

from dialect.postprocess.display_rounding import RoundingDistance, rounding_by_column
from dialect.postprocess.fieller import ratio_ends
from dialect.postprocess.interval_functions import IntervalParameters
from dialect.postprocess.noise_propagation import (
    ZERO,
    FractionalLinearForm,
    LinearCombination,
    column_forms,
    is_noisy_column,
    non_negative_fields,
)
from dialect.postprocess.shared_noise import mark_shared_noise

__all__ = [
    "ZERO",
    "FractionalLinearForm",
    "IntervalParameters",
    "LinearCombination",
    "RoundingDistance",
    "column_forms",
    "is_noisy_column",
    "mark_shared_noise",
    "non_negative_fields",
    "ratio_ends",
    "rounding_by_column",
]
