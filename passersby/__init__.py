"""Client library: connect to a catalog or a server, run SQL queries, get noisy results with intervals.

    connect      where  -> Connection     client/connect.py: a server's URL, or a catalog's name or file
    .explain     SQL    -> Explanation    result/result.py: price and expected error; no data read, no charge
    .query       SQL    -> Result         result/result.py: noisy numbers with intervals, price, remaining budget
    .rehearse    SQL    -> Result         dry run on synthetic rows made from the catalog alone; free

The library knows the wire format and nothing behind it: importing it loads neither engine nor data nor noise. The
engine of an in-process catalog is loaded at its first use.

Modules, each before those that import it:

    text, errors, result, client, cli, dbapi, magic.
"""

from passersby.client.connect import connect
from passersby.client.connection import Connection
from passersby.errors import (
    AccessError,
    BudgetError,
    CatalogError,
    ExecutionError,
    InstallError,
    LedgerError,
    PassersbyError,
    RefusedError,
    ServerError,
)
from passersby.result.result import Explanation, Result

__version__ = "0.1.0"

__all__ = [
    "AccessError",
    "BudgetError",
    "CatalogError",
    "Connection",
    "ExecutionError",
    "Explanation",
    "InstallError",
    "LedgerError",
    "PassersbyError",
    "RefusedError",
    "Result",
    "ServerError",
    "__version__",
    "connect",
    "load_ipython_extension",
]


def load_ipython_extension(ipython: object) -> None:
    """Implement `%load_ext passersby`: %passersby, %%passersby, and completion in its cells."""
    from passersby.magic import load

    load(ipython)
