"""Where copies of data go while something is opened, and no longer.

What stays open for many tests must not keep the user's cache from them: an operator takes ten seconds to make.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def cached_in(folder: Path) -> Iterator[None]:
    """Keep copies in a folder of their own."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PASSERSBY_CACHE", str(folder))
        yield
