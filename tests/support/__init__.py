"""Helpers that several test files share; what one file needs stays in it.

    plugins       of the run of all tests: the quick suite, no skips, slowest first
    worlds        small catalogs with their data
    sql           SQL as data, generators of queries, plain DuckDB as oracle, changed code generation
    greybox       exact sensitivity on neighbouring data
    neighbours    neighbouring databases asked through each interface
    statistics    samples of noise, and their distributions
    ledger        ledgers on disk and in PostgreSQL, killed and cut off
    spark, server Spark clusters and lakes; servers, browsers and object stores

`planted` records whether a planted bug is used; `ties` is the tie order of the engine, in Python.
"""
