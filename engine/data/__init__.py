"""A steward's files as readable tables: snapshots, layouts, rollups, ingest, objections.

Declared sources -> an open Backend.

Modules, each before those that import it:

    files, checks, draft_catalog, convert_files, snapshot, ingest, materialized_rollups, layout, lake_layout,
    open_data, lake_optimize, objections.
"""
