"""A temporary cache folder for data copies.

Sessions that stay open for many tests must not take the user's cache from them: generating the operator dataset takes
ten seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def cached_in(folder: Path) -> Iterator[None]:
    """Use `folder` as the data cache within the context."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PASSERSBY_CACHE", str(folder))
        yield
