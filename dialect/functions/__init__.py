"""Function allow-list: one row per scalar function or aggregate, with its SQL for each engine, range rule and types.

A name and typed arguments -> a Call, or a Refusal.

Modules, each before those that import it:

    constant_folding, literals, signature, scalar, registry, inference, tie_order, aggregates, builders, emitter,
    table_functions, window_functions.
"""

from __future__ import annotations

from dialect.functions.aggregates import AGGREGATES, MOMENTS, Aggregate
from dialect.functions.emitter import NoForm, name, quote, quote_text
from dialect.functions.registry import forms_of
from dialect.functions.signature import Function, in_words, quoted_name
from dialect.functions.table_functions import TABLE_FUNCTIONS, TableFunction

__all__ = [
    "AGGREGATES",
    "MOMENTS",
    "TABLE_FUNCTIONS",
    "Aggregate",
    "Function",
    "NoForm",
    "TableFunction",
    "forms_of",
    "in_words",
    "name",
    "quote",
    "quote_text",
    "quoted_name",
]
