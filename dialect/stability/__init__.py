"""Kinds of relations: Public, PerPerson or Released, proved by one rule per operator.

Operators over relations of known kinds -> a relation of a proven kind, or a Refusal. How many rows one person may have
in the result is estimated in `dialect.analysis.person_rows` and limited in `engine.pricing.work_limits`.

Modules, each before those that import it:

    typed_calls, outer_joins, row_operators, set_operations, joins, scans.
"""
