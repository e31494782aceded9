"""The exactness oracle: compares the engine without noise with plain DuckDB on one query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import duckdb
import numpy as np

from dialect import Catalog
from engine.backends.exact import Exact
from tests.support.sql.comparison import compare
from tests.support.sql.exact import ExactEngine, exact_engine
from tests.support.sql.plain import PlainEngine

_TEXT = re.compile(r"'[^']*'")


@dataclass(frozen=True)
class Verdict:
    """Outcome of an accepted query."""

    difference: str | None  # None: the answers are equal
    apart: int = 0  # excluded cells
    plain_raised: bool = False  # plain DuckDB raised: the whole query is excluded


class Oracle:
    """A catalog and its data, queried both ways; the engine with each number of threads."""

    def __init__(self, catalog: Catalog, threads: tuple[int, ...] = (2,)) -> None:
        self.catalog = catalog
        self.exact: tuple[ExactEngine, ...] = tuple(exact_engine(catalog, n) for n in threads)
        self._plain: dict[str, PlainEngine] = {}

    def plain(self, time_zone: str = "UTC") -> PlainEngine:
        """Plain DuckDB with its session in a time zone."""
        if time_zone not in self._plain:
            opened = self.exact[0]
            self._plain[time_zone] = PlainEngine(self.catalog, opened.files, opened.addresses, time_zone)
        return self._plain[time_zone]

    def ask(self, sql: str, instead: str | None = None, time_zone: str | None = None, within: float = 0.0) -> Verdict:
        """Compare both answers; `instead` is the text for plain DuckDB. Raises Refusal."""
        first = self.exact[0]
        question, prepared = first.prepare(sql)
        made = [engine.run(prepared) for engine in self.exact]
        if not all(same(made[0], other) for other in made[1:]):
            return Verdict("the exact integers depend on the number of threads")
        answer = first.finish(question, prepared, made[0])
        try:
            plain = self.plain(time_zone or "UTC").query(instead or sql)
        except duckdb.Error as error:
            if isinstance(error, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException):
                return Verdict(f"plain DuckDB does not understand the question: {error}")
            return Verdict(None, plain_raised=True)
        found = compare(answer, plain, ordered=is_ordered(sql), within=within)
        return Verdict(found.difference, found.apart)

    def close(self) -> None:
        """Close everything."""
        for plain in self._plain.values():
            plain.close()
        for exact in self.exact:
            exact.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def same(one: tuple[Exact, ...], other: tuple[Exact, ...]) -> bool:
    """Return whether two runs gave the same keys in the same order, and the same integers."""
    return all(
        a.keys.equals(b.keys) and all(np.array_equal(v, w) for v, w in zip(a.vectors, b.vectors, strict=True))
        for a, b in zip(one, other, strict=True)
    )


def is_ordered(sql: str) -> bool:
    """Return whether the outermost SELECT has an ORDER BY."""
    outermost, depth = [], 0
    for sign in _TEXT.sub("''", sql):
        depth += (sign == "(") - (sign == ")")
        outermost.append(sign if depth == 0 else " ")
    return "ORDER BY" in "".join(outermost).upper()
