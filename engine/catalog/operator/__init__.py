"""The synthetic operator: made-up people, events, visits and trips, by SQL from a fixed text.

Nothing -> a folder with a catalog and its files.

Modules, each before those that import it:

    make, cache.
"""

from engine.catalog.operator.cache import operator_path
from engine.catalog.operator.make import DEMO_EVENTS, make_operator

__all__ = ["DEMO_EVENTS", "make_operator", "operator_path"]
