"""The maps on the fronts of `dialect`, `engine`, `engine.server` and `tests.support` show every module once, and no other."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest

import dialect
import engine
import engine.server
import tests.support
from tests.support.tree import modules

WIDTH = 30  # of the column that says what stands in a row
FRONTS = {"dialect": dialect, "engine": engine, "tests.support": tests.support}


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


def test_the_way_of_a_request_names_every_module_once() -> None:
    text = engine.server.__doc__ or ""
    named = re.findall(r"\b(\w+)(?:\.py\b|/)", text.replace("engine/proofs", ""))
    there = {module.name.split(".")[2] for module in modules() if module.name.startswith("engine.server.")}
    assert sorted(named) == sorted(there), "name it in engine/server/__init__.py"


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
