"""Backends that run bounded SQL: DuckDB in process, a Spark lake, and a sandbox over releases alone.

Input: BoundedSql. Output: Exact, integers per group.

Modules, each before those that import it:

    exact, scratch, protocol, lockdown, duckdb, lake, spark.
"""
