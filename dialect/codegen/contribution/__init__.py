"""Contribution of one privacy unit: partial aggregates, truncation and clipping, and equivalent faster forms.

A query vector of a plan -> SQL with one row per (unit, group). A unit is a person, or a person and privacy window.

Modules, each before those that import it:

    clipping, pushdown, unclipped_units, physical_plan.
"""
