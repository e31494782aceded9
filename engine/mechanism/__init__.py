"""The mechanism: noise, thresholds, and the intervals and formulas computed from noisy numbers.

Exact and a price -> Release (gaussian, thresholds, release); Release -> quantiles, moments and intervals of what is
computed from it, which is post-processing. The only randomness is in gaussian.

Modules, each before those that import it:

    intervals, gaussian, moments, quantiles, release, answer, thresholds.
"""
