"""Spark forms of aggregates and window functions, whose syntax or result differs from DuckDB's.

The same nodes -> Spark's text. Five places determine the Spark SQL:

    codegen/engine_dialect       fragments, types and operators that engines write differently
    codegen/spark/*              aggregates over one person's rows, and window functions
    functions/scalar/*           a total form, or the reason for none, in each row of the allow-list
    codegen/stored_columns       how a stored column of a lake is read as its dialect type
    functions/emitter            how expressions and constants are written as text

Modules, each before those that import it:

    aggregates, window_functions.
"""
