"""Allow-list rows of scalar functions: total forms for DuckDB and Spark, which never raise and return NULL instead.

Tables of Function by the kind of their first argument, read by the registry.

Modules, each before those that import it:

    casts, logic, noise_intervals, numbers, patterns, places, text, time.
"""

from __future__ import annotations

from dialect.functions.scalar.places import STORED

__all__ = [
    "STORED",
]
