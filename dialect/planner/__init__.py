"""Planner: splits a typed relation into releases and the query over them.

Relation -> Question: a PrivatePlan per release (key set, query vectors, charged privacy windows), and the outer query.

Modules, each before those that import it:

    keys, query_vectors, quantiles, window_charging, releases, noise_fields, grouping_set_reuse, reuse, compilation.

Terms in all modules: the boundary is the release point, the operator at which private rows become released numbers. A
fact is a predicate that is true of every row. A charged window is a privacy window whose budget the release uses. A raw
number is one noisy number of a query vector, before formulas and rounding.
"""
