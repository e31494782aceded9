"""A list as one parameter: a statement over 365 windows, or for 64 clients, is written once, with no name in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Self

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    TableValuedAlias,
    Text,
    and_,
    bindparam,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.operators import OperatorType


class text_elements(GenericFunction[str]):  # noqa: N801  a function is named as SQL has it
    """The elements of a JSON array of texts, a row each."""

    inherit_cache = True


class is_among(GenericFunction[bool]):  # noqa: N801
    """Whether a column is an element of a JSON array of texts."""

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Stand as it is: where booleans are numbers it would be compared with 1, which no index serves."""
        return self


class pair_elements(GenericFunction[str]):  # noqa: N801
    """The elements of a JSON array of pairs of texts, a row each."""

    inherit_cache = True


class text_of_pair(GenericFunction[str]):  # noqa: N801
    """One text of a pair: 0 or 1."""

    inherit_cache = True
    type = Text()


@compiles(text_elements, "sqlite")
@compiles(pair_elements, "sqlite")
def _elements_in_sqlite(element: GenericFunction[str], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(text_elements, "postgresql")
def _elements_in_postgres(element: text_elements, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"jsonb_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS jsonb))"


@compiles(is_among, "sqlite")
def _one_in_sqlite(element: is_among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    column, array = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({array}))"


@compiles(is_among, "postgresql")
def _one_in_postgres(element: is_among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    """Write an array, which an index is searched for; a subquery would be joined."""
    column, array = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST({array} AS jsonb))))"


@compiles(pair_elements, "postgresql")
def _pairs_in_postgres(element: pair_elements, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **options)} AS jsonb))"


@compiles(text_of_pair, "sqlite")
def _text_in_sqlite(element: text_of_pair, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    pair, place = (compiler.process(each, **options) for each in element.clauses)
    return f"json_extract({pair}, '$[{place}]')"


@compiles(text_of_pair, "postgresql")
def _text_in_postgres(element: text_of_pair, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    pair, place = (compiler.process(each, **options) for each in element.clauses)
    return f"({pair} ->> {place})"


def among(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """Ask whether a column is in the list that a parameter holds, as `listed` writes it."""
    return is_among(column, bindparam(parameter, type_=Text))


def of_pairs(one: Column[Any], other: Column[Any], parameter: str, *also: ColumnElement[bool]) -> FromClause:
    """Give, for each pair of the list that a parameter holds, the row with these two columns, or one of NULLs.

    An outer join, since SQLite looks up what an inner one or `(one, other) IN (...)` has in other orders: each row for
    each pair, or each first text with each second one.
    """
    pairs = pair_elements(bindparam(parameter, type_=Text)).table_valued("value")
    texts = [text_of_pair(pairs.c.value, literal_column(place)) for place in "01"]
    return pairs.outerjoin(one.table, and_(one == texts[0], other == texts[1], *also))


def each_of(parameter: str) -> TableValuedAlias:
    """Give the elements of the list that a parameter holds, a row each, in the column `value`."""
    return text_elements(bindparam(parameter, type_=Text)).table_valued("value")


def listed(texts: Iterable[str | tuple[str, str]]) -> str:
    """Write a list of texts, or of pairs, for a parameter."""
    return json.dumps(list(texts))
