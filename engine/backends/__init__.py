"""Where bounded SQL runs: DuckDB in process, a Spark lake, a sandbox over releases alone.

BoundedSql -> Exact: integers per group.

Modules, each before those that import it:

    locked, empty_tables, exact, scratch, duckdb, protocol, lake, sandbox, spark.
"""
