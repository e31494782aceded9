"""Spark forms of window functions, whose syntax or result differs from DuckDB's.

The same nodes -> Spark's text. Six places determine the Spark SQL:

    codegen/engine_dialect       fragments, types and operators that engines write differently
    codegen/spark/*              window functions
    functions/scalar/*           a total form, or the reason for none, in each row of the allow-list
    functions/aggregates         the same of aggregates over one person's rows
    codegen/stored_columns       how a stored column of a lake is read as its dialect type
    functions/emitter            how expressions and constants are written as text

Modules, each before those that import it:

    window_functions.
"""
