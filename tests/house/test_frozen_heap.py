"""Objects created while tests are collected are frozen, and garbage of tests is collected."""

from __future__ import annotations

import gc
import weakref


class Circle:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_objects_from_collection_are_frozen_and_later_garbage_is_collected() -> None:
    assert gc.get_freeze_count() > 10_000 and gc.isenabled()
    left = weakref.ref(Circle())
    gc.collect()
    assert left() is None
