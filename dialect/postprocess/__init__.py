"""Post-processing of releases: noise propagation, unstable ratios, display rounding and interval functions.

A query over releases -> a Question, with the linear form of each column in noisy query vectors.

Modules, each before those that import it:

    display_rounding, fieller, noise_propagation, question, interval_functions, unstable_ratios, shared_noise,
    single_groups.

Terms in all modules: a raw number is one noisy number of a query vector. The form of a column is offset + numerator /
denominator, both linear in raw numbers with coefficients free of noise. A grain is the step of a raw number; it is
fractional if counts are not released as whole numbers.
"""

from __future__ import annotations

from dialect.postprocess.display_rounding import RoundingDistance
from dialect.postprocess.fieller import ratio_ends
from dialect.postprocess.interval_functions import IntervalParameters
from dialect.postprocess.noise_propagation import (
    ZERO,
    FractionalLinearForm,
    LinearCombination,
    non_negative_fields,
)
from dialect.postprocess.question import ResultColumn
from dialect.postprocess.shared_noise import mark_shared_noise
from dialect.postprocess.single_groups import reads_single_groups

__all__ = [
    "ZERO",
    "FractionalLinearForm",
    "IntervalParameters",
    "LinearCombination",
    "ResultColumn",
    "RoundingDistance",
    "mark_shared_noise",
    "non_negative_fields",
    "ratio_ends",
    "reads_single_groups",
]
