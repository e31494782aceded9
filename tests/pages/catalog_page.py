"""docs/catalog.md's tables of keys and of mistakes, from the readers of catalogs and their reviewed mistakes: `make docs`.

Which keys there are is heard from the readers themselves, defaults are those of the smallest catalog, and each mistake
is made anew; the meanings stand in tests/pages/catalog_keys.py.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from unittest import mock

from engine.catalog.columns import TYPES
from engine.catalog.file import load_catalog
from engine.catalog.toml_section import Section
from engine.errors import CatalogError
from tests.engine.catalog import test_catalog_admission, test_catalog_file, test_catalog_movement, test_catalog_windows
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
NOT_TOML = re.compile(r"(this is not TOML:).*")  # each Python has words of its own for what is wrong in a line
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
[tables.person.columns]
person_id = { type = "BIGINT" }
age = { type = "BIGINT" }
"""


def place_of(key: str) -> str:
    """Say of which kind a place in a catalog is: names of the steward's are NAME."""
    for pattern, instead in PARTS:
        key = re.sub(pattern, instead, key)
    return key


@contextmanager
def hearing(heard: dict[str, set[str]], asking: str = "only") -> Iterator[None]:
    """Hear which keys the readers of catalogs know (`only`), or need (`need`), by place."""
    asked = getattr(Section, asking)

    def listening(self: Section, names: Collection[str] | str, *more: str) -> None:
        heard[place_of(self.key)] |= {names} if isinstance(names, str) else set(map(str, names))
        asked(self, names, *more)

    with mock.patch.object(Section, asking, listening):
        yield


def known_keys(*texts: str, asking: str = "only") -> dict[str, set[str]]:
    """Read catalogs, and give by place the keys that were heard of."""
    heard: dict[str, set[str]] = defaultdict(set)
    with hearing(heard, asking):
        for text in texts:
            _load(text)
    return heard


def _load(text: str) -> CatalogError | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.toml"
        path.write_text(text, encoding="utf-8")
        try:
            load_catalog(path)
        except CatalogError as error:
            return error
    return None


# ------------------------------------------------------------------ keys


def keys() -> str:
    """Write a table of the keys of each place."""
    return "\n".join(_place(place, rows) for place, rows in PLACES.items())


def _place(place: str, rows: tuple[Key, ...]) -> str:
    head = [
        f"### {f'`[{place}]`' if place else 'The file'}",
        "",
        "| key | value | where absent | meaning |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *(_row(row) for row in rows), ""])


def _row(row: Key) -> str:
    form = row.form.replace("|", "\\|")
    return f"| `{row.name}` | {form} | {_default(row.absent)} | {row.meaning} |"


def _default(absent: str | Callable[..., object]) -> str:
    """Give what holds where a key is absent, as it would be written; a function finds it in the smallest catalog."""
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
    """Write which types a column may have, and as what it is read."""
    by_kind = defaultdict(list)
    for name, kind in TYPES.items():
        by_kind[kind].append(f"`{name}`")
    rows = [f"| {kind} | {', '.join(names)} |" for kind, names in by_kind.items()]
    rows = [row.replace("`DOUBLE` |", "`DOUBLE`, `DECIMAL(p, s)` |") for row in rows]
    return "\n".join(["| is read as | is written as one of |", "|---|---|", *rows])


# ------------------------------------------------------------------ mistakes


def mistakes() -> str:
    """Write what each reviewed mistake says, once."""
    found = dict.fromkeys(f"| `{key}` | {_cell(why)} | {_cell(cure)} |" for key, why, cure in _made())
    return "\n".join(["| key | why | cure |", "|---|---|---|", *found])


def _made() -> Iterator[tuple[str, str, str]]:
    said: set[tuple[str, str]] = set()
    for text in _mistaken():
        error = _load(text)
        assert error is not None, text
        what = place_of(error.key), NOT_TOML.sub(r"\1 ...", error.why)
        if what not in said:
            said.add(what)
            yield error.key, what[1], error.cure


def _mistaken() -> Iterator[str]:
    """Give each reviewed catalog with a mistake in it."""
    for old, new, *_ in test_catalog_file.WRONG.values():
        yield test_catalog_file.WHOLE.replace(old, new, 1)
    for rules, *_ in test_catalog_admission.BAD.values():
        yield test_catalog_admission.DECLARED.replace("RULES", rules)
    for instead, *_ in test_catalog_movement.WRONG.values():
        yield test_catalog_movement.WHOLE.replace(test_catalog_movement.DECLARED, instead)
    for text, old, new, *_ in test_catalog_windows.WRONG.values():
        yield text.replace(old, new, 1)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


TABLES = {"keys": keys, "types": types, "mistakes": mistakes}


def document() -> str:
    """Write the tables into the page, each behind its mark."""
    return marked(PATH.read_text(encoding="utf-8"), TABLES)
