"""Post-processing of releases: noise propagation, unstable ratios, display rounding and interval functions.

A query over releases -> a Question, with the linear form of each column in noisy query vectors.

Modules, each before those that import it:

    display_rounding, noise_propagation, question, interval_functions, noisy_selection.

Terms in all modules: a raw number is one noisy number of a query vector. The form of a column is offset + numerator /
denominator, both linear in raw numbers with coefficients free of noise. A grain is the step of a raw number; it is
fractional if counts are not released as whole numbers.
"""

from __future__ import annotations

from dialect.postprocess.interval_functions import IntervalParameters, averaged_columns, column_limits, ratio_ends
from dialect.postprocess.noise_propagation import (
    ZERO,
    FractionalLinearForm,
    LinearCombination,
    Residual,
)
from dialect.postprocess.noisy_selection import NoisySelection, candidate_rows, counting_columns, selection_by_noise
from dialect.postprocess.question import (
    ResultColumn,
    mark_shared_noise,
    reads_single_groups,
    result_columns,
    with_centres,
)
