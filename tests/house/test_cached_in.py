"""What stays open for many tests leaves the user's cache, and the operator that lies there, to the others."""

from __future__ import annotations

from pathlib import Path

from engine.catalog.folders import cache_folder
from tests.support.cached_in import cached_in
from tests.support.neighbours.two_worlds import open_worlds


def test_copies_go_there_and_no_longer(tmp_path: Path) -> None:
    before = cache_folder()
    with cached_in(tmp_path):
        assert cache_folder() == tmp_path
    assert cache_folder() == before


def test_worlds_that_are_open_leave_it_to_others(tmp_path: Path) -> None:
    before = cache_folder()
    with open_worlds(tmp_path, ("D",)):
        assert cache_folder() == before
