"""Contribution of one privacy unit: partial aggregates, truncation and clipping, and equivalent faster forms.

A vector of a plan -> SQL per (unit, privacy window, group).

Modules, each before those that import it:

    clipping, distinct, aggregation_pushdown, group_truncation, public_pushdown, zero_fill, key_encoding,
    unclipped_units, per_unit.
"""
