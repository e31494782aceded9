"""Ledger storage in SQLite or PostgreSQL: one schema, guard triggers, group commit.

Charges -> durable rows, or none.

Modules, each before those that import it:

    schema, group_commit, store, balances, journal, client_tables, ledger_format, postgres, sqlite, open, copy,
    probe.
"""

from budgets.stores.open import open_store
from budgets.stores.store import Store, insert_new
