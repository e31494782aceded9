"""A synthetic mobile operator: nobody is in it, so anybody may look. A size -> operator.duckdb, catalog.toml."""

from engine.catalog.operator.cache import operator_path
from engine.catalog.operator.make import DEMO_EVENTS, make_operator

__all__ = ["DEMO_EVENTS", "make_operator", "operator_path"]
