"""Allow-list rows of scalar functions: total forms for DuckDB and Spark, which return NULL instead of raising.

One table of Function per subject, collected by the registry. A form is a SQL template, in which {0}, {1}, ... are the
arguments and {*, } is a list of all; a Spark form may also be a function of a call's constant arguments.

Modules, each before those that import it:

    casts, logic, numbers, patterns, geography, text, time_formats, time.
"""

from __future__ import annotations

from dialect.functions.scalar.geography import POLYGON_TYPE
