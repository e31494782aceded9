"""Where clip bounds come from: declared norms, noisy histograms, spread and tails.

Calibration -> the clip bound of least expected error.

Modules, each before those that import it:

    histograms, tails, spread, values, means, choose, facts, stored.
"""
