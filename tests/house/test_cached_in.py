"""What stays open for many tests leaves the user's cache, and the operator that lies there, to the others."""

from __future__ import annotations

from pathlib import Path

from engine.catalog.folders import cache_folder
from tests.support.cached_in import cached_in
from tests.support.neighbours.two_worlds import open_worlds


def test_copies_use_the_given_cache_only_inside_the_context(tmp_path: Path) -> None:
    before = cache_folder()
    with cached_in(tmp_path):
        assert cache_folder() == tmp_path
    assert cache_folder() == before


def test_open_worlds_leave_the_user_s_cache_to_others(tmp_path: Path) -> None:
    before = cache_folder()
    with open_worlds(tmp_path, ("D",)):
        assert cache_folder() == before
