"""Files: stored types, CSV, derived columns, polygons, durable writes and the cache.

Paths -> relations of DuckDB.

Modules, each before those that import it:

    cache, csv_files, text_types, polygons, derived_columns, durable, stored_files.
"""
