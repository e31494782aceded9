"""Parse SQL text: tokens, size limits, the privacy clause, statements, the syntax tree.

SQL text -> a sqlglot tree that carries its options, or a Refusal with a span.

Modules, each before those that import it:

    tokens, privacy_clause, clause_order, spans, released_conditions, written_averages, compile_context, parser,
    suggestions.
"""

from __future__ import annotations

from dialect.parser.compile_context import CompileContext
from dialect.parser.privacy_clause import TargetError, parse_target_error
from dialect.parser.tokens import MAX_CHARACTERS, split_list, strip_comments
