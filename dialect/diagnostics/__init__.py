"""Diagnostics: the kinds of refusals with their texts, and the names that may have been meant.

Modules, each before those that import it:

    names, field_values, kinds.
"""

from __future__ import annotations

from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.diagnostics.names import first_names, near_names
from dialect.errors import Diagnostic
