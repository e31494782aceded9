"""Reuse of stored releases: replay of a release key, view matching, and linear combinations of a client's holdings.

Input: compiled releases and the client's holdings. Output: the ReleaseSource of each release: newly charged, derived
from stored releases, or both combined.

Modules, each before those that import it:

    derived_release, replay, holdings, sources, weights, linear_combinations, view_matching.
"""
