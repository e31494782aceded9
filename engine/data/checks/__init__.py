"""Data held against the catalog when they are opened.

Tables and declarations -> nothing, or a yes-or-no CatalogError; no value leaves.

Modules, each before those that import it:

    declared, catalog, lake, snapshot.
"""
