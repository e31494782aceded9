"""Cached Hypothesis strategies: building and validating them at each draw costs more than drawing."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T", bound=Hashable)


@cache
def one_of_these(values: tuple[T, ...]) -> st.SearchStrategy[T]:
    """Draw one of some values."""
    return st.sampled_from(values)


@cache
def some_of(values: tuple[T, ...], least: int = 0, most: int = 2) -> st.SearchStrategy[list[T]]:
    """Draw distinct values."""
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True)


@cache
def maybe(texts: tuple[str, ...], written: str) -> st.SearchStrategy[str]:
    """Draw an empty text, or one of the texts formatted by a template."""
    return st.one_of(st.just(""), st.sampled_from(texts).map(written.format))
