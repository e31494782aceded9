"""Syntax tree -> the SQL of a question, as it would be written in one line."""

from __future__ import annotations

from sqlglot import exp


def spelled(tree: exp.Expr) -> str:
    """Write a tree in DuckDB's SQL, without comments, functions in lower case as analysts write them."""
    return tree.sql(dialect="duckdb", comments=False, normalize_functions="lower")
