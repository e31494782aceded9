"""DB-API 2.0 (PEP 249) and SQLAlchemy interfaces over a connection.

passersby.connect's Connection -> PEP 249 connection and cursors.

Modules, each before those that import it:

    binding, pep249, sqlalchemy.
"""

from __future__ import annotations

from passersby.dbapi.pep249 import *  # noqa: F403  the interface is that of PEP 249, by its list of names
from passersby.dbapi.pep249 import __all__ as __all__
