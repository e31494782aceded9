"""Generated aggregate queries for the grey box: FROM clauses with matching keys, values and conditions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from tests.support.statistics.drawn import maybe, one_of_these, some_of


@dataclass(frozen=True)
class QuerySource:
    """A FROM clause with its keys, bounded values and conditions."""

    rows: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    conditions: tuple[str, ...]


@st.composite
def draw_query(draw: st.DrawFn, sources: tuple[QuerySource, ...], aggregates: tuple[str, ...]) -> str:
    """Draw a query with some of the aggregates, each a format string with one or two placeholders for values."""
    source = draw(one_of_these(sources))
    keys = draw(some_of(source.keys))
    measures = draw(_measures(source, aggregates))
    where = draw(maybe(source.conditions, " WHERE {}"))
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join([*keys, *measures])} FROM {source.rows}{where}{by}"


@cache
def _measures(source: QuerySource, aggregates: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    value = st.sampled_from(source.values)
    written = st.builds(str.format, st.sampled_from(aggregates), value, value)
    filtered = st.builds(str.__add__, written, maybe(source.conditions, " FILTER (WHERE {})"))
    return st.lists(filtered, min_size=1, max_size=3)
