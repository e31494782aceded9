"""What front ends ask, in wire shapes: analysts by the session, stewards, admins and auditors by modules of their own.

Plain arguments -> plain dicts and Arrow.

Modules, each before those that import it:

    admin, csv_cells, reports, auditor, catalog_diff, wire, session, maps, objection_count, steward, workflows.
"""
