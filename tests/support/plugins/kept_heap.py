"""What collecting tests makes stays to the end: the garbage collector looks at none of it again.

Collection leaves a million objects. Looking through them took a third of its seconds, and a twelfth of the tests' own.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

YOUNG = 10_000  # objects more before the youngest are looked at: a served application alone makes thousands


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without a look for garbage, and leave what is there alone from then on."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG)
        gc.enable()
