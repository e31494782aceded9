"""Kinds of relations: Public, PerPerson or Released, proved by one rule per operator.

Operators over relations of known kinds -> a relation of a proven kind, or a Refusal. The growth of one person's rows is
bounded in `dialect.analysis.cardinality` and refused in `engine.pricing.work_limits`.

Modules, each before those that import it:

    typed_calls, outer_joins, row_operators, joins, set_operations, full_joins, scans, window_functions.
"""
