"""The mechanism: noise, key thresholds, and intervals and formulas computed from noisy numbers.

Measurement: exact integers and a price -> Release (gaussian, thresholds, release). Post-processing: Release ->
quantiles, moments and intervals of what is computed from it; small numbers are shrunk. The only randomness is in
gaussian.

Modules, each before those that import it:

    intervals, gaussian, moments, quantiles, release, answer, shrinkage, thresholds.
"""
