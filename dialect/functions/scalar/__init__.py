"""Allow-list rows of scalar functions: total forms for DuckDB and Spark, which return NULL instead of raising.

One table of Function per subject, collected by the registry.

Modules, each before those that import it:

    casts, logic, noise_intervals, numbers, patterns, geography, text, time.
"""

from __future__ import annotations

from dialect.functions.scalar.geography import POLYGON_TYPE

__all__ = [
    "POLYGON_TYPE",
]
