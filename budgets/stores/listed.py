"""A list of texts as one parameter: a statement over 365 windows is written once, with no name in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class text_elements(GenericFunction[str]):  # noqa: N801  a function is named as SQL has it
    """The elements of a JSON array of texts, a row each."""

    inherit_cache = True


@compiles(text_elements, "sqlite")
def _in_sqlite(element: text_elements, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(text_elements, "postgresql")
def _in_postgres(element: text_elements, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"jsonb_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS jsonb))"


def among(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """Ask whether a column is in the list that a parameter holds, as `listed` writes it."""
    one: Select[Any] = select(each_of(parameter))
    return column.in_(one)


def each_of(parameter: str) -> ColumnElement[str]:
    """Give the elements of the list that a parameter holds, a row each."""
    elements = text_elements(bindparam(parameter, type_=Text)).table_valued("value")
    each: ColumnElement[str] = elements.c.value
    return each


def listed(texts: Iterable[str]) -> str:
    """Write a list for a parameter."""
    return json.dumps(list(texts))
