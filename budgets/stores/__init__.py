"""Where the ledger lives: open_sqlite(path) -> Store; balances and journal are the SQL on it.

schema.py    tables, constraints, triggers
store.py     read and write transactions
sqlite.py    opening a file safely
balances.py  accounts: open, debit, read
journal.py   rows that never change: charges, purchases, releases, entries
"""

from budgets.stores.sqlite import open_sqlite
from budgets.stores.store import Store

__all__ = ["Store", "open_sqlite"]
