"""One table of a catalog's TOML, read strictly: every error names file, dotted key and cure.

Reading goes on behind each mistake, so that a steward sees them all at once. An unknown word is reported with the one
that was probably meant.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import ParamSpec, TypeVar

from engine.errors import CatalogError

Part = TypeVar("Part")
Given = ParamSpec("Given")


class Mistakes:
    """What was found so far, in the order of reading."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: list[CatalogError] = []

    def add(self, error: CatalogError) -> None:
        """Keep a mistake, once."""
        if error not in self._found:
            self._found.append(error)

    def part(self, instead: Part, read: Callable[Given, Part], *args: Given.args, **kwargs: Given.kwargs) -> Part:
        """Read a part; where it is a mistake, keep that and go on with what stands instead."""
        try:
            return read(*args, **kwargs)
        except CatalogError as error:
            self.add(error)
            return instead

    def refuse(self) -> None:
        """Raise the first mistake, with the others beside it."""
        if self._found:
            raise replace(self._found[0], others=tuple(self._found[1:]))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word.lower(), sorted(known), n=1)), None)


def meant(word: str, known: Collection[str], nothing: str) -> str:
    """Say which known word was probably meant, or which there are."""
    if close := nearest(word, known):
        return f"write {close}."
    return f"use one of {', '.join(sorted(known))}." if known else nothing


IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
HOP = re.compile(r"([a-z_][a-z0-9_]*) *-> *([a-z_][a-z0-9_]*)")  # from a column to the table whose key it names


def read_toml(path: Path) -> Section:
    """Read a TOML file; decimals stay decimal text, so that 0.005 is exactly 1/200. Raises CatalogError."""
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
    """One TOML table and the place where it was read; whatever reads a key raises CatalogError, which names it."""

    file: str
    key: str  # dotted path of this table; "" is the whole file
    entries: Mapping[str, object]
    mistakes: Mistakes = field(default_factory=Mistakes, compare=False)  # of the whole file

    def at(self, name: str) -> str:
        """Give the dotted path of one of its keys."""
        return f"{self.key}.{name}" if self.key else name

    def error(self, name: str, why: str, cure: str) -> CatalogError:
        """Make the error of one of its keys."""
        return CatalogError(self.file, self.at(name), why, cure)

    def only(self, known: Collection[str]) -> None:
        """Note every key that is not known."""
        for name in self.entries:
            if name not in known:
                self.mistakes.add(self.error(name, "this key is not known.", meant(name, known, "remove it.")))

    def need(self, name: str, cure: str) -> None:
        """Refuse the table where a key is absent."""
        if name not in self.entries:
            raise self.error(name, "this key is missing.", cure)

    def text(self, name: str, example: str = "") -> str | None:
        """Read a text that is not empty; None where absent. The example says how an empty one is filled in."""
        found = self.entries.get(name)
        if found is None:
            return None
        if not isinstance(found, str):
            raise self.error(name, "this is no text.", f'write it in quotes: {name} = "...".')
        if not found.strip():
            raise self.error(name, "this text is empty.", f"fill it in: {example}" if example else "fill it in.")
        return found

    def reference(self, name: str, example: str = "") -> str | None:
        """Read the name of something declared, compared in lower case; None where absent."""
        found = self.text(name, example)
        return found if found is None else found.lower()

    def references(self, name: str) -> tuple[str, ...]:
        """Read a list of names, compared in lower case; empty where absent."""
        found = tuple(text.lower() for text in self.texts(name))
        for twice in (text for i, text in enumerate(found) if text in found[:i]):
            raise self.error(name, f"{twice} is named twice.", "name it once.")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a list of texts; empty where absent."""
        found = self.entries.get(name, [])
        if not isinstance(found, list) or not all(isinstance(text, str) and text for text in found):
            raise self.error(name, "this is no list of texts.", f'write {name} = ["...", "..."].')
        return tuple(found)

    def flag(self, name: str, default: bool) -> bool:
        """Read true or false."""
        found = self.entries.get(name, default)
        if not isinstance(found, bool):
            raise self.error(name, "this is neither true nor false.", f"write {name} = true or {name} = false.")
        return found

    def number(self, name: str) -> Decimal | None:
        """Read a finite number, exactly as written; None where absent."""
        found = self.entries.get(name)
        return None if found is None else self.exact(name, found)

    def exact(self, name: str, found: object) -> Decimal:
        """Take a TOML value as a finite number, exactly as written."""
        if isinstance(found, bool) or not isinstance(found, int | Decimal):
            raise self.error(name, "this is no number.", f"write a number without quotes, e.g. {name} = 1.")
        number = Decimal(found)
        if not number.is_finite() or float(number) in (float("inf"), float("-inf")):
            raise self.error(name, "this number is not finite.", "write a finite number.")
        return number

    def finite(self, name: str) -> float | None:
        """Read a finite number as a float; None where absent."""
        number = self.number(name)
        return None if number is None else float(number)

    def positive(self, name: str) -> float | None:
        """Read a number above 0 as a float; None where absent."""
        number = self.finite(name)
        if number is not None and number <= 0:
            raise self.error(name, "this number is not above 0.", "write a number above 0.")
        return number

    def whole(self, name: str, default: int, lower: int, upper: int) -> int:
        """Read an integer from lower to upper."""
        found = self.entries.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int) or not lower <= found <= upper:
            why = f"this is no integer from {lower} to {upper}."
            raise self.error(name, why, f"write an integer in that range, e.g. {name} = {default}.")
        return found

    def fraction(self, name: str, default: str, lower: str, upper: str) -> Fraction:
        """Read a number from lower to upper as an exact fraction."""
        number = self.number(name)
        number = Decimal(default) if number is None else number
        # compared before it is made a fraction: 1e-999999999 would fill the memory
        if not Decimal(lower) <= number <= Decimal(upper):
            raise self.error(name, f"this is not between {lower} and {upper}.", f"write e.g. {name} = {default}.")
        return Fraction(number)

    def day(self, name: str, found: object) -> str:
        """Take a TOML value as a date, as ISO text."""
        try:
            if type(found) is dt.date:
                return found.isoformat()
            if isinstance(found, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", found, re.ASCII):
                return dt.date.fromisoformat(found).isoformat()
        except ValueError:
            pass  # the 31st of February: told below like everything else that is no date
        raise self.error(name, "this is no date.", 'write dates as "2026-10-31".')

    def section(self, name: str) -> Section:
        """Open one table inside; empty where absent."""
        return self.opened(name, self.entries.get(name, {}))

    def opened(self, name: str, found: object) -> Section:
        """Take a TOML value as a table."""
        if not isinstance(found, dict):
            raise self.error(name, "this is no table.", f"write [{self.at(name)}] or {name} = {{ ... }}.")
        return Section(self.file, self.at(name), found, self.mistakes)

    def named(self, name: str, cure: str) -> tuple[tuple[str, Section], ...]:
        """Open all tables inside one table, by name; refuse where there are none, and pass over what is none."""
        inside = self.section(name)
        if not inside.entries:
            raise self.error(name, "nothing is declared here.", cure)
        opened = ((word, self.mistakes.part(None, inside.called, word)) for word in inside.entries)
        return tuple((word, section) for word, section in opened if section is not None)

    def called(self, word: str) -> Section:
        """Open one table inside, whose name is the steward's."""
        if IDENTIFIER.fullmatch(word):
            return self.section(word)
        raise self.error(
            word,
            "a name is made of a to z, 0 to 9 and _, at most 63 of them, and does not begin with a digit.",
            "write it in lower case, and rename it in the source where that does not suffice.",
        )

    def listed(self, name: str) -> tuple[Section, ...]:
        """Open a list of tables; empty where absent."""
        found = self.entries.get(name, [])
        if not isinstance(found, list):
            raise self.error(name, "this is no list.", f"write {name} = [{{ ... }}].")
        return tuple(self.opened(f"{name}[{i}]", entry) for i, entry in enumerate(found))
