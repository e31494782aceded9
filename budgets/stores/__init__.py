"""Where the ledger lives: open_store(address) -> Store; balances and journal are the SQL on it.

opening.py   which database an address means
sqlite.py    opening a file safely                postgres.py  opening a database of a server safely
versions.py  making the tables                    schema.py    tables and constraints
copies.py    a whole ledger, into an empty database
guards.py    what the database refuses by itself  store.py     read and write transactions
commits.py   one commit for all who write at once   gathered.py  one piece of work for all who ask at once
entries.py   the chain: rows are added and read
balances.py  accounts: open, debit, read        listed.py    a list as one parameter
journal.py   charges, purchases, releases       standing.py  clients, grants, freezes, failures, top-ups
register.py  who has objected, beside the ledger
probe.py     can it be written now, and why not
"""

from budgets.stores.open import open_store
from budgets.stores.store import Store, insert_new

__all__ = ["Store", "insert_new", "open_store"]
