"""What a question costs: clip bounds, noise scales, limits of work, release keys, target errors.

Question and public facts -> Prepared.

Modules, each before those that import it:

    display_names, expected_error, split, price, keys, norms, work_limits, prepare, norm_origin, simultaneous,
    target_error, terms.
"""
