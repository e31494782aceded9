"""New files to more rows: fetched, checked against charged windows, taken once.

Files -> rows and a register of deliveries.

Modules, each before those that import it:

    fetch, new_rows, ingest.
"""
