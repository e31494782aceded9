"""Pricing: clip bounds, noise scales, work limits and accuracy targets of a query.

Input: a query and public facts. Output: one CompiledRelease per release, with the release key (module `release_key`)
under which the stored result is replayed for free.

Modules, each before those that import it:

    budget_allocation, price, noisy_release, group_keys, clip_bounds, expected_error, work_limits, release_key,
    compile_release, profiled_release, clip_bound_origin, simultaneous, target_error, query_terms.
"""
