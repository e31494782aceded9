"""The maps on the fronts of packages show every module once, and no other."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from types import ModuleType

import pytest

import budgets
import budgets.stores
import dialect
import engine
import engine.server
import passersby
import tests.support
from tests.support.tree import modules

WIDTH = 30  # of the column that says what stands in a row
FRONTS = {each.__name__: each for each in (budgets, dialect, engine, passersby, tests.support)}


def modules_of(package: str) -> set[str]:
    """List the modules and packages that lie right in a package."""
    within = f"{package}."
    names = (module.name for module in modules(package.replace(".", "/")) if module.name.startswith(within))
    return {name.removeprefix(within).split(".")[0] for name in names}


def on_the_map(package: str) -> list[str]:
    """List what the map shows: names, and kinds of names that end in *."""
    text = FRONTS[package].__doc__ or ""
    rows = text[text.index("Where what stands") :].splitlines()[2:]
    return [name for row in rows for name in row[WIDTH:].split()]


@pytest.mark.parametrize("package", [budgets.stores, engine.server], ids=lambda package: package.__name__)
def test_a_way_from_file_to_file_names_every_module_once(package: ModuleType) -> None:
    named = re.findall(r"\b(\w+)(?:\.py\b|/)", (package.__doc__ or "").replace("engine/proofs", ""))
    assert sorted(named) == sorted(modules_of(package.__name__)), f"name it on the front of {package.__name__}"


@pytest.mark.parametrize("package", FRONTS)
def test_every_module_stands_on_the_map_once(package: str) -> None:
    shown = on_the_map(package)
    places = {module: [name for name in shown if fnmatch(module, name)] for module in modules_of(package)}
    assert places, "there are modules"
    assert not [module for module, found in places.items() if len(found) != 1], f"name it on the front of {package}"


@pytest.mark.parametrize("package", FRONTS)
def test_the_map_shows_nothing_else(package: str) -> None:
    there = modules_of(package)
    assert not [name for name in on_the_map(package) if not any(fnmatch(module, name) for module in there)]
