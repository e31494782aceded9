"""Rehearsal: a dry run of queries on synthetic rows generated from the catalog.

Catalog -> an Engine over rows of nobody.

Modules, each before those that import it:

    rows, engine.
"""
