"""Suggestions for refused queries: SQL that compiles and answers the same or a similar query.

A refused node -> SQL that may replace it, with the difference in meaning.

Modules, each before those that import it:

    aggregates, beginners, clauses, private_joins, columns, foreign_dialects, rewrite_suggestions, candidates,
    window_functions.
"""

from __future__ import annotations

from dialect.parser.suggestions.rewrite_suggestions import ChangeKind, Rewrite, suggest_rewrites
