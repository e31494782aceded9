"""A synthetic mobile operator: nobody is in it, so anybody may look. A size -> operator.duckdb, catalog.toml."""

from engine.operator.cache import operator_path
from engine.operator.make import DEMO_EVENTS, make_operator

__all__ = ["DEMO_EVENTS", "make_operator", "operator_path"]
