"""Relations to releases and the query over them: split at the release boundary, key sets, charged privacy windows.

Relation -> Question: one PrivatePlan a release, and the outer part.

Modules, each before those that import it:

    keys, quantiles, vectors, window_charging, releases, noise_tracking, grouping_set_reuse, reuse, split.
"""
