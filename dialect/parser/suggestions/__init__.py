"""What to ask instead of what is refused.

A refused node -> one line of SQL that runs, or words that say what differs.

Modules, each before those that import it:

    aggregates, columns, foreign_formats, foreign_dialects, foreign_names, rewrite_suggestions, suggest, windows.
"""

from __future__ import annotations

from dialect.parser.suggestions.rewrite_suggestions import Change, Rewrite, rewrites

__all__ = [
    "Change",
    "Rewrite",
    "rewrites",
]
