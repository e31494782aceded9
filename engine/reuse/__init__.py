"""Stored releases: replay of the same release key, view look-up, linear combinations of what a client holds.

Prepared and holdings -> a Source of each release: bought, held or combined.

Modules, each before those that import it:

    combine, replay, holdings, sources, weights, linear_combinations, view_lookup.
"""
