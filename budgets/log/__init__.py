"""The tamper-evident log: a hash chain of entries, anchors, tables derived from the chain, verification.

Ledger events -> chained entries; entries and tables -> list of faults.

Modules, each before those that import it:

    events, projections, verify.
"""
