"""Reports: the person report, and the regulator's report.

Catalog and Ledger -> text and HTML.

Modules, each before those that import it:

    person, regulator.
"""
