"""Parse SQL text: tokens, size limits, the privacy clause, statements, the syntax tree.

SQL text -> a sqlglot tree that carries its options, or a Refusal with a span.

Modules, each before those that import it:

    options, placeholders, tokens, privacy_clause, aggregate_bounds, clause_order, spans, context, parser,
    statements, suggestions.
"""

from __future__ import annotations

from dialect.parser.context import Reading
from dialect.parser.options import IntervalsAre, TargetError, target_error
from dialect.parser.tokens import MAX_CHARACTERS, listed, several, uncommented

__all__ = [
    "MAX_CHARACTERS",
    "IntervalsAre",
    "Reading",
    "TargetError",
    "listed",
    "several",
    "target_error",
    "uncommented",
]
