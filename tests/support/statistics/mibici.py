"""The real mibici data, which are not in the project: tests that need them skip if they are absent."""

from __future__ import annotations

import pytest

from engine.catalog.bundled import mibici_folder
from engine.errors import CatalogError

ABSENT = "the MiBici data are absent: set PASSERSBY_MIBICI to their folder"


def _is_absent() -> bool:
    try:
        mibici_folder()
    except CatalogError:
        return True
    return False


needs_mibici = pytest.mark.skipif(_is_absent(), reason=ABSENT)
