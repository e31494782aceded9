"""One unit's contribution: group limits, partial aggregates, clipping, and the shortcuts that give the same integers.

A vector of a plan -> SQL per (unit, privacy window, group).

Modules, each before those that import it:

    clipping, distinct, eager_aggregation, group_limit, public_side, key_rows, key_numbers, light_units, per_unit.
"""
