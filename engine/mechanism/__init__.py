"""The mechanism: noise, thresholds, quantiles, intervals. The only randomness is in gaussian.

Exact and a price -> Release, and intervals of what is made of it.

Modules, each before those that import it:

    intervals, gaussian, moments, quantiles, release, answer, thresholds.
"""
