"""Ways to plant a bug for one test: another text, another function, another writer of one operator."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

Plant = Callable[[pytest.MonkeyPatch], None]
write_rows = import_module("dialect.write_rows")  # by its name: the package's face hides some modules behind a function


def rewritten(module: Any, function: str, change: Callable[[str], str]) -> Plant:
    """Plant a bug in the SQL that a function writes."""
    original = getattr(module, function)
    return instead(module, function, lambda *given: change(original(*given)))


def instead(module: Any, name: str, other: Any) -> Plant:
    """Plant a bug in place of a function, a table or a number."""
    return lambda monkeypatch: monkeypatch.setattr(module, name, other)


def written(kind: type, change: Callable[[str], str]) -> Plant:
    """Plant a bug in the SQL of one operator."""
    original = dict(write_rows._WRITERS)[kind]
    others = tuple((each, write) for each, write in write_rows._WRITERS if each is not kind)
    bad = (kind, lambda *given: change(original(*given)))
    return instead(write_rows, "_WRITERS", (bad, *others))
