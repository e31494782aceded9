"""Pricing: clip bounds, noise scales, work limits and accuracy targets of a query.

Input: a query and public facts. Output: one CompiledRelease per release, with the release key (module `release_key`)
under which the stored result is replayed for free.

Modules, each before those that import it:

    price, noisy_release, clip_bounds, expected_error, work_limits, compile_release, profiled_release, simultaneous,
    target_error, query_terms.
"""
