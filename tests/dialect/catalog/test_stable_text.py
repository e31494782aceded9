"""Digests that outlive a version of the code do not depend on names in it."""

from __future__ import annotations

import sys
import typing
from dataclasses import dataclass, fields, is_dataclass, make_dataclass
from enum import Enum, StrEnum

import pytest

from dialect.catalog import Catalog, PrivacyWindow, WindowRange, stable_text
from dialect.catalog.digest_text import CATALOG_LAYOUTS
from dialect.catalog.model import EligibilityCondition


@dataclass(frozen=True)
class Pair:
    first: int
    second: tuple[str, ...]


class Colour(StrEnum):
    RED = "red"


def test_a_text_names_what_the_layout_names() -> None:
    layouts = {Pair: "Two left=first right=second", Colour: "Paint ROT=RED"}
    assert stable_text(Pair(1, ("a, b",)), layouts) == "Two(left=1, right=('a, b',))"
    assert stable_text([Colour.RED, None, {"k": 0.5}], layouts) == "[<Paint.ROT: 'red'>, None, {'k': 0.5}]"


def test_a_renamed_class_has_the_same_text() -> None:
    renamed = make_dataclass("Couple", [("one", int), ("other", tuple)], frozen=True)
    assert stable_text(renamed(1, ("a",)), {renamed: "Pair first=one second=other"}) == repr(Pair(1, ("a",)))


def test_planted_names_of_the_code_in_a_text_are_found() -> None:
    renamed = make_dataclass("Couple", [("one", int), ("other", tuple)], frozen=True)
    assert repr(renamed(1, ("a",))) != repr(Pair(1, ("a",)))


def test_a_class_without_a_layout_is_not_hashed() -> None:
    with pytest.raises(TypeError, match="Pair has no layout"):
        stable_text(Pair(1, ()))
    with pytest.raises(TypeError, match="object has no layout"):
        stable_text((type("object", (), {})(),))


@pytest.mark.parametrize("unordered", [{1, 2}, frozenset({"a", "b"})])
def test_a_set_is_not_hashed_in_an_order_of_chance(unordered: object) -> None:
    with pytest.raises(TypeError, match="set has no layout"):
        stable_text((unordered,))


def test_a_new_field_without_a_layout_entry_fails() -> None:
    with pytest.raises(ValueError, match="Pair has the parts first, second, its layout first"):
        stable_text(Pair(1, ()), {Pair: "Pair first"})


def test_fields_in_another_order_have_the_same_text() -> None:
    """Planted: names by position, as a layout without the names of the code would give them."""
    moved = make_dataclass("Pair", [("second", tuple), ("first", int)], frozen=True)
    assert (
        stable_text(moved(("a",), 1), {moved: "Pair first second"}) == repr(Pair(1, ("a",))) != repr(moved(("a",), 1))
    )


def reachable(kind: object, found: set[type]) -> set[type]:
    """Collect the project's classes in a type annotation and in the annotations of their fields."""
    if isinstance(kind, type) and kind.__module__.startswith("dialect") and kind not in found:
        found.add(kind)
        if is_dataclass(kind):
            hints = typing.get_type_hints(kind, vars(sys.modules[kind.__module__]))
            for field in fields(kind):
                if field.repr:
                    reachable(hints[field.name], found)
    for part in typing.get_args(kind):
        reachable(part, found)
    return found


def test_every_class_of_a_catalog_has_a_layout_of_its_fields() -> None:
    hints = typing.get_type_hints(Catalog)
    found: set[type] = set()
    for kind in (hints["datasets"], hints["tables"], EligibilityCondition):
        reachable(kind, found)
    assert len(found) > 20 and found <= CATALOG_LAYOUTS.keys()
    for kind in found:
        assert is_dataclass(kind) or issubclass(kind, Enum)
        parts = [f.name for f in fields(kind) if f.repr] if is_dataclass(kind) else list(kind.__members__)
        named = [part.rpartition("=")[2] for part in CATALOG_LAYOUTS[kind].split()[1:]]
        assert sorted(named) == sorted(parts), kind


def test_layouts_have_distinct_names() -> None:
    names = [layout.split()[0] for layout in CATALOG_LAYOUTS.values()]
    assert len(set(names)) == len(names)
    assert stable_text(WindowRange(PrivacyWindow.DAY, "2026-10-01", "2026-10-02")).startswith(
        "Stretch(window=<Window.DAY: 'day'>"
    )
