"""Data checks: stored tables are compared with the catalog when they are opened.

Tables and declarations -> nothing, or an error that reveals one yes-or-no answer; no value leaves.

Modules, each before those that import it:

    declared, person_names, undeclared, catalog, lake, snapshot.
"""
