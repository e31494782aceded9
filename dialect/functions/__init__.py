"""Function allow-list: one row per scalar function or aggregate, with its SQL for each engine, range rule and types.

A name and typed arguments -> a Call, or a Refusal.

Modules, each before those that import it:

    literals, signatures, scalar, registry, tie_order, emitter, aggregate_forms, spark_aggregate_forms, aggregates,
    table_functions, window_functions.
"""

from __future__ import annotations

from dialect.functions.aggregates import AGGREGATES, MOMENTS, Aggregate
from dialect.functions.emitter import UnsupportedByEngine, plain_text, quote_identifier, quote_literal, quote_text
from dialect.functions.registry import OVERLOADS, OVERLOADS_BY_NAME
from dialect.functions.signatures import kind_name, quote_spark_identifier
from dialect.functions.table_functions import TABLE_FUNCTIONS, TableFunction
