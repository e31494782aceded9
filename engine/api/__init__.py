"""The engine's programming interface, in wire shapes: the analyst's session; functions for stewards, admins, auditors.

Plain arguments -> plain dicts and Arrow.

Modules, each before those that import it:

    admin, csv_cells, reports, auditor, catalog_diff, wire, session, maps, objection_counts, steward,
    calibrations, sharing, scheduled.
"""
