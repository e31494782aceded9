"""Planner: splits a typed relation into releases and the query over them.

Relation -> Question: a PrivatePlan per release (key set, query vectors, charged privacy windows), and the outer query.

Modules, each before those that import it:

    keys, quantiles, query_vectors, window_charging, releases, noise_tracking, grouping_set_reuse, reuse, split.
"""
