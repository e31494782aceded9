"""Small fixture databases, each with its catalog.

`operator` is the bundled one at its smallest. `attack` is the world of the adversarial cases. `clocks` has instants and
UTC around four clock changes, and a table that reaches its person through another. `types` has a column of every
stored type.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from dialect.catalog.model import Catalog
from engine.catalog.file import load_catalog
from engine.catalog.operator import make_operator
from tests.support.neighbours.attack_catalog import attack_catalog

FOLDER = Path(__file__).parent / "worlds"
SMALL_OPERATOR_EVENTS = 20_000


def make_world(name: str, folder: Path) -> Catalog:
    """Create one of the worlds in an empty folder."""
    if name == "operator":
        make_operator(folder, SMALL_OPERATOR_EVENTS)
        return load_catalog(folder / "catalog.toml")
    if name == "attack":
        return attack_catalog(folder)
    statements, declared = ((FOLDER / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("sql", "toml"))
    return write_world(folder, statements, declared)


def write_world(folder: Path, statements: str, declared: str) -> Catalog:
    """Run statements in a new data.duckdb, and write a catalog next to it."""
    with duckdb.connect(str(folder / "data.duckdb"), config={"threads": 1}) as connection:
        connection.execute("SET TimeZone='UTC'")
        connection.execute(statements)
    (folder / "catalog.toml").write_text(declared, encoding="utf-8")
    return load_catalog(folder / "catalog.toml")
