"""Tables of keys and types in docs/catalog.md: `make docs`.

Keys are recorded while the readers of catalogs read, and defaults are those of the smallest catalog; meanings are in
tests/pages/catalog_keys.py.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from unittest import mock

from engine.catalog.columns import TYPES
from engine.catalog.file import load_catalog
from engine.catalog.toml_section import Section
from engine.errors import CatalogError
from tests.pages.catalog_keys import PLACES, Key
from tests.support.greybox.marked import marked
from tests.support.tree import ROOT

PATH = ROOT / "docs" / "catalog.md"
PARTS = (
    (r"^(datasets|tables)\.\w+", r"\1.NAME"),
    (r"^tables\.NAME(\.movement)?\.columns\.\w+", r"tables.NAME\1.columns.NAME"),
    (r"^tables\.NAME\.movement\.norms", "tables.NAME.norms"),  # those of any norms
    (r"\[\d+\]", "[]"),
)
SMALLEST = """
format = 1
name = "town"
[datasets.town]
window = "forever"
[tables.person]
dataset = "town"
kind = "private"
source = { parquet = "person.parquet" }
person = "person_id"
size_class = "1e4"
norms = { rows = 1, persons = 1, by_keys = [{ keys = ["age"], rows = 1 }] }
time_column = "seen"
movement = { zone = "age", columns = { dwell_min = { sum_norm = 1 } } }
[tables.person.columns]
person_id = { type = "BIGINT" }
age = { type = "BIGINT", range = [0, 99] }
seen = { type = "TIMESTAMP", range = ["2026-01-01", "2026-01-31"] }
"""


def place_of(key: str) -> str:
    """Kind of a place in a catalog: names that the steward chose become NAME."""
    for pattern, instead in PARTS:
        key = re.sub(pattern, instead, key)
    return key


@contextmanager
def hearing(heard: dict[str, set[str]], asking: str = "check_keys") -> Iterator[None]:
    """Record which keys the readers of catalogs know (`check_keys`) or require (`require`), by place."""
    asked = getattr(Section, asking)

    def listening(self: Section, names: Collection[str] | str, *more: str) -> None:
        heard[place_of(self.key)] |= {names} if isinstance(names, str) else set(map(str, names))
        asked(self, names, *more)

    with mock.patch.object(Section, asking, listening):
        yield


def known_keys(*texts: str, asking: str = "check_keys") -> dict[str, set[str]]:
    """Keys that were asked for while catalogs were read, by place."""
    heard: dict[str, set[str]] = defaultdict(set)
    with hearing(heard, asking):
        for text in texts:
            _load(text)
    return heard


def _load(text: str) -> None:
    """Read a catalog for the keys that its readers ask for; whether it is valid does not matter."""
    with tempfile.TemporaryDirectory() as folder, suppress(CatalogError):
        path = Path(folder) / "catalog.toml"
        path.write_text(text, encoding="utf-8")
        load_catalog(path)


SECTIONS = {
    "": "The file",
    "datasets.NAME": "`[datasets.NAME]`",
    "tables.NAME": "`[tables.NAME]`",
    "tables.NAME.columns.NAME": "`[tables.NAME.columns.NAME]`",
}


def keys() -> str:
    """Write one table per section; keys of tables inside it have dotted names."""
    rows: dict[str, list[str]] = {section: [] for section in SECTIONS}
    for place, found in PLACES.items():
        section = max((each for each in SECTIONS if place.startswith(each) and (each or not place)), key=len)
        prefix = place.removeprefix(section).lstrip(".")
        rows[section] += [_row(row, f"{prefix}." if prefix else "") for row in found]
    return "\n".join(_section(title, rows[section]) for section, title in SECTIONS.items())


def _section(title: str, rows: list[str]) -> str:
    return "\n".join([f"### {title}", "", "| key | value | default | meaning |", "|---|---|---|---|", *rows, ""])


def _row(row: Key, prefix: str) -> str:
    form = row.form.replace("|", "\\|")
    return f"| `{prefix}{row.name}` | {form} | {_default(row.absent)} | {row.meaning} |"


def _default(absent: str | Callable[..., object]) -> str:
    """Default of a key, as it would be written; a function finds it in the smallest catalog."""
    if isinstance(absent, str):
        return absent
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.toml"
        path.write_text(SMALLEST, encoding="utf-8")
        found = absent(load_catalog(path))
    if isinstance(found, bool):
        return f"`{str(found).lower()}`"
    return f"`{_decimal(found)}`" if isinstance(found, Fraction) else f"`{found}`"


def _decimal(number: Fraction) -> str:
    return f"{float(number):g}".replace("e-0", "e-")


def types() -> str:
    """Write the types of columns, and as what each is read."""
    by_kind = defaultdict(list)
    for name, kind in TYPES.items():
        by_kind[kind].append(f"`{name}`")
    rows = [f"| {kind} | {', '.join(names)} |" for kind, names in by_kind.items()]
    rows = [row.replace("`DOUBLE` |", "`DOUBLE`, `DECIMAL(p, s)` |") for row in rows]
    return "\n".join(["| read as | written as |", "|---|---|", *rows])


TABLES = {"keys": keys, "types": types}


def document() -> str:
    """The page with its tables written anew, each between its markers."""
    return marked(PATH.read_text(encoding="utf-8"), TABLES)
