"""Diagnostics: what is wrong with a query or remarkable about it, as data, and the names that may have been meant.

Modules, each before those that import it:

    near_names.
"""

from __future__ import annotations

from dialect.diagnostics.near_names import first_names, near_names

__all__ = ["first_names", "near_names"]
