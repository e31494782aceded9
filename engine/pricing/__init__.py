"""What a question costs: clip bounds, noise scales, limits of work, target errors.

Question and public facts -> Prepared, which also names the release key (prepare) under which repeats are free.

Modules, each before those that import it:

    display_names, expected_error, split, price, group_keys, norms, work_limits, prepare, norm_origin, simultaneous,
    target_error, terms.
"""
