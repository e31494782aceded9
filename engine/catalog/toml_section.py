"""Strict TOML reading: typed access to the keys of one section; every error names file, dotted key and cure.

Errors are collected, so that a steward sees all of them at once. An unknown word is reported with the closest known
one.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import ParamSpec, TypeVar

from dialect.diagnostics import near_names
from engine.errors import CatalogError

Part = TypeVar("Part")
Given = ParamSpec("Given")


class ErrorCollector:
    """The errors collected so far, in file order."""

    def __init__(self) -> None:
        """Start without errors."""
        self._found: list[CatalogError] = []

    def add(self, error: CatalogError) -> None:
        """Collect an error, once."""
        if error not in self._found:
            self._found.append(error)

    def collect(self, fallback: Part, read: Callable[Given, Part], *args: Given.args, **kwargs: Given.kwargs) -> Part:
        """Call `read`; collect its CatalogError, and return `fallback` in that case."""
        try:
            return read(*args, **kwargs)
        except CatalogError as error:
            self.add(error)
            return fallback

    def raise_first(self) -> None:
        """Raise the first error, with the others attached; do nothing if there are none."""
        if self._found:
            raise replace(self._found[0], other_errors=tuple(self._found[1:]))


def closest_word(word: str, known: Iterable[str]) -> str | None:
    """Return the closest known word, by edit similarity; None where none is close."""
    return next(iter(near_names(word.lower(), sorted(known))), None)


def suggestion(word: str, known: Collection[str], otherwise: str) -> str:
    """Return a suggestion: the closest known word, or all of them; `otherwise` where no word is known."""
    if close := closest_word(word, known):
        return f"write {close}."
    return f"use one of {', '.join(sorted(known))}." if known else otherwise


IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
FOREIGN_KEY = re.compile(r"([a-z_][a-z0-9_]*) *-> *([a-z_][a-z0-9_]*)")  # foreign key: column -> table


def read_toml(path: Path) -> Section:
    """Parse a TOML file; numbers are exact decimals, so that 0.005 is exactly 1/200. Raises CatalogError."""
    file = str(path)
    try:
        return Section(file, "", tomllib.loads(path.read_text("utf-8"), parse_float=Decimal))
    except OSError as error:
        why = "the file cannot be read" if path.exists() else "there is no such file"
        raise CatalogError(file, "catalog", f"{why}.", "give the path of a catalog file that you may read.") from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise CatalogError(file, "catalog", f"this is not TOML: {error}.", "correct the line that is named.") from error


@dataclass(frozen=True)
class Section:
    """One TOML table with its file and dotted key; every reader raises CatalogError at the key it reads."""

    file: str
    key: str  # dotted path of this table; "" is the whole file
    entries: Mapping[str, object]
    # shared by all sections of the file
    collector: ErrorCollector = field(default_factory=ErrorCollector, compare=False)

    def key_path(self, name: str) -> str:
        """Return the dotted path of a key in this section."""
        return f"{self.key}.{name}" if self.key else name

    def error(self, name: str, why: str, cure: str) -> CatalogError:
        """Build an error at a key of this section."""
        return CatalogError(self.file, self.key_path(name), why, cure)

    def check_keys(self, known: Collection[str]) -> None:
        """Collect an error for every unknown key."""
        for name in self.entries:
            if name not in known:
                self.collector.add(self.error(name, "this key is not known.", suggestion(name, known, "remove it.")))

    def require(self, name: str, cure: str) -> None:
        """Raise if a key is absent."""
        if name not in self.entries:
            raise self.error(name, "this key is missing.", cure)

    def text(self, name: str, example: str = "") -> str | None:
        """Read a non-empty text; None where absent. `example` shows in the error how to fill in an empty one."""
        found = self.entries.get(name)
        if found is None:
            return None
        if not isinstance(found, str):
            raise self.error(name, "this is no text.", f'write it in quotes: {name} = "...".')
        if not found.strip():
            raise self.error(name, "this text is empty.", f"fill it in: {example}" if example else "fill it in.")
        return found

    def required_text(self, name: str, cure: str, example: str = "") -> str:
        """Read a non-empty text that must be there; `cure` says how to add it."""
        self.require(name, cure)
        return self.text(name, example) or ""

    def required_reference(self, name: str, cure: str, example: str = "") -> str:
        """Read the name of a declaration that must be there, in lower case."""
        return self.required_text(name, cure, example).lower()

    def reference(self, name: str, example: str = "") -> str | None:
        """Read the name of a declaration, in lower case; None where absent."""
        found = self.text(name, example)
        return found if found is None else found.lower()

    def references(self, name: str) -> tuple[str, ...]:
        """Read a list of declaration names, in lower case and without duplicates; empty where absent."""
        found = tuple(text.lower() for text in self.texts(name))
        for twice in (text for i, text in enumerate(found) if text in found[:i]):
            raise self.error(name, f"{twice} is named twice.", "name it once.")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a list of non-empty texts; empty where absent."""
        found = self.entries.get(name, [])
        if not isinstance(found, list) or not all(isinstance(text, str) and text for text in found):
            raise self.error(name, "this is no list of texts.", f'write {name} = ["...", "..."].')
        return tuple(found)

    def flag(self, name: str, default: bool) -> bool:
        """Read a boolean."""
        found = self.entries.get(name, default)
        if not isinstance(found, bool):
            raise self.error(name, "this is neither true nor false.", f"write {name} = true or {name} = false.")
        return found

    def to_decimal(self, name: str, found: object) -> Decimal:
        """Convert a TOML value to a finite exact decimal."""
        if isinstance(found, bool) or not isinstance(found, int | Decimal):
            raise self.error(name, "this is no number.", f"write a number without quotes, e.g. {name} = 1.")
        number = Decimal(found)
        if not number.is_finite() or float(number) in (float("inf"), float("-inf")):
            raise self.error(name, "this number is not finite.", "write a finite number.")
        return number

    def finite_float(self, name: str) -> float | None:
        """Read a finite number as a float; None where absent."""
        return float(self.to_decimal(name, self.entries[name])) if name in self.entries else None

    def positive_float(self, name: str) -> float | None:
        """Read a positive number as a float; None where absent."""
        number = self.finite_float(name)
        if number is not None and number <= 0:
            raise self.error(name, "this number is not above 0.", "write a number above 0.")
        return number

    def integer(self, name: str, default: int, lower: int, upper: int) -> int:
        """Read an integer from lower to upper, inclusive."""
        found = self.entries.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int) or not lower <= found <= upper:
            why = f"this is no integer from {lower} to {upper}."
            raise self.error(name, why, f"write an integer in that range, e.g. {name} = {default}.")
        return found

    def fraction(self, name: str, default: str, lower: str, upper: str) -> Fraction:
        """Read a number from lower to upper, inclusive, as an exact fraction."""
        number = self.to_decimal(name, self.entries[name]) if name in self.entries else Decimal(default)
        # compare as decimals first: Fraction("1e-999999999") would exhaust memory
        if not Decimal(lower) <= number <= Decimal(upper):
            raise self.error(name, f"this is not between {lower} and {upper}.", f"write e.g. {name} = {default}.")
        return Fraction(number)

    def to_date(self, name: str, found: object) -> str:
        """Convert a TOML value to a date, as ISO text."""
        try:
            if type(found) is dt.date:
                return found.isoformat()
            if isinstance(found, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", found, re.ASCII):
                return dt.date.fromisoformat(found).isoformat()
        except ValueError:
            pass  # e.g. 31 February: reported below
        raise self.error(name, "this is no date.", 'write dates as "2026-10-31".')

    def section(self, name: str) -> Section:
        """Open a table inside this section; empty where absent."""
        return self.to_section(name, self.entries.get(name, {}))

    def table(
        self, name: str, known: Collection[str], required: Collection[str] = (), cure: str = ""
    ) -> Section | None:
        """Open a table inside this section, and check its keys; None where absent."""
        if name not in self.entries:
            return None
        table = self.section(name)
        table.check_keys(known)
        for key in required:
            table.require(key, cure)
        return table

    def to_section(self, name: str, found: object) -> Section:
        """Convert a TOML value to a section."""
        if not isinstance(found, dict):
            raise self.error(name, "this is no table.", f"write [{self.key_path(name)}] or {name} = {{ ... }}.")
        return Section(self.file, self.key_path(name), found, self.collector)

    def named_sections(self, name: str, cure: str) -> tuple[tuple[str, Section], ...]:
        """Open the tables of a section by name, without those that have errors; raise if there are none."""
        inside = self.section(name)
        if not inside.entries:
            raise self.error(name, "nothing is declared here.", cure)
        opened = ((word, self.collector.collect(None, inside.named_section, word)) for word in inside.entries)
        return tuple((word, section) for word, section in opened if section is not None)

    def named_section(self, word: str) -> Section:
        """Open a table with a name that the steward chose; the name must be an identifier."""
        if IDENTIFIER.fullmatch(word):
            return self.section(word)
        raise self.error(
            word,
            "a name is made of a to z, 0 to 9 and _, at most 63 of them, and does not begin with a digit.",
            "write it in lower case, and rename it in the source where that does not suffice.",
        )

    def section_list(self, name: str) -> tuple[Section, ...]:
        """Open an array of tables; empty where absent."""
        found = self.entries.get(name, [])
        if not isinstance(found, list):
            raise self.error(name, "this is no list.", f"write {name} = [{{ ... }}].")
        return tuple(self.to_section(f"{name}[{i}]", entry) for i, entry in enumerate(found))
