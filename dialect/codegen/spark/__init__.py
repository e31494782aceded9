"""What Spark writes otherwise than DuckDB: aggregates and window functions.

The same nodes -> Spark's text.

Modules, each before those that import it:

    aggregates, window_functions.
"""
