"""Ingest: add files of new rows to private tables, each once, after checks against charged privacy windows.

Files -> rows and a register of deliveries.

Modules, each before those that import it:

    fetch, new_rows, add_files.
"""
