"""Reuse of stored releases: replay of a release key, and view matching: roll-ups and slices of one stored release.

Input: compiled releases and the client's holdings. Output: the ReleaseSource of each release: newly charged, or derived
from a stored release.

Modules, each before those that import it:

    holdings, sources.
"""
