"""Diagnostics: the kinds of refusals with their texts, and the names that may have been meant.

Modules, each before those that import it:

    names, kinds.
"""

from __future__ import annotations

from dialect.diagnostics.kinds import Kind
from dialect.diagnostics.names import first_names, near_names
from dialect.errors import Diagnostic

__all__ = ["Diagnostic", "Kind", "first_names", "near_names"]
