"""Tuned clip bounds: for each query vector, the bound of least expected error, from calibration histograms.

Input: a plan, a price and the dataset's noisy histograms of contributions. Output: clip bounds, with expected clipping
bias. All of it is post-processing of public facts.

Modules, each before those that import it:

    histograms, value_bounds, tails, distribution, column_means, means, tuning, error_models, profiles.
"""
