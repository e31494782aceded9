"""Contribution profiles: how much each unit contributes to the vectors of one release, measured with noise.

A profile is a release of its own, of the same rows, keys, values and privacy windows. The clip bounds of the numbers
are chosen from the stored one, what they cut away is given back, and the uncertainty of both widens the intervals.

Modules, each before those that import it:

    histogram_reading, estimator, class_means, average_design, products, unit_means, averages, calibrated_error,
    compiled_profile, numbers, prediction, public_magnitudes.
"""
