"""The map on the front of `dialect` shows every module once, and none that is not there."""

from __future__ import annotations

from fnmatch import fnmatch

import dialect
from tests.support.tree import modules

WIDTH = 30  # of the column that says what stands in a row
MODULES = {module.name.removeprefix("dialect.") for module in modules() if module.name.startswith("dialect.")}


def on_the_map() -> list[str]:
    """List what the map shows: names, and kinds of names that end in *."""
    text = dialect.__doc__ or ""
    rows = text[text.index("Where what stands") :].splitlines()[2:]
    return [name for row in rows for name in row[WIDTH:].split()]


def test_every_module_stands_on_the_map_once() -> None:
    shown = on_the_map()
    places = {module: [name for name in shown if fnmatch(module, name)] for module in MODULES}
    assert not [module for module, found in places.items() if len(found) != 1], "name it in dialect/__init__.py"


def test_the_map_shows_nothing_else() -> None:
    assert not [name for name in on_the_map() if not any(fnmatch(module, name) for module in MODULES)]
