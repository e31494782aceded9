"""The client: connect to a catalog or a server, ask in SQL, get noisy numbers with intervals.

    connect      where  -> Connection     client/connect.py: a server's address, or a catalog's name or file
    .explain     SQL    -> Explanation    result/explanation.py: the price before paying; no data, no charge
    .query       SQL    -> Result         result/result.py: noisy numbers with intervals, what they cost, what is left
    .rehearse    SQL    -> Result         free, on synthetic rows made from the catalog alone

It knows the wire format, and nothing behind it: importing it loads no engine, no data and no noise. The engine of a
catalog in process is opened at its first use.

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
from passersby.result.explanation import Explanation
from passersby.result.result import Result

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
    """Do what `%load_ext passersby` asks for: %passersby, %%passersby, and completion in its cells."""
    from passersby.magic import load

    load(ipython)
