"""Post-processing of releases: noise propagation, unstable ratios, display rounding and interval functions.

A query over releases -> the linear form of each column in noisy query vectors.

Modules, each before those that import it:

    display_rounding, fieller, noise_propagation, interval_functions, unstable_ratios, shared_noise.
"""

from __future__ import annotations

from dialect.postprocess.display_rounding import Rounding, rounding
from dialect.postprocess.fieller import ratio_ends
from dialect.postprocess.interval_functions import Reaches
from dialect.postprocess.noise_propagation import ZERO, Form, Linear, never_negative, noisy, uncertainty
from dialect.postprocess.shared_noise import sharing_noise

__all__ = [
    "ZERO",
    "Form",
    "Linear",
    "Reaches",
    "Rounding",
    "never_negative",
    "noisy",
    "ratio_ends",
    "rounding",
    "sharing_noise",
    "uncertainty",
]
