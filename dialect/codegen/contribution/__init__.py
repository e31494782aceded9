"""Contribution of one privacy unit: partial aggregates, truncation and clipping, and equivalent faster forms.

A vector of a plan -> SQL per (unit, privacy window, group).

Modules, each before those that import it:

    clipping, distinct, eager_aggregation, group_limit, public_side, key_rows, key_numbers, light_units, per_unit.
"""
