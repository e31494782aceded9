"""Files of tests that share what takes long to start run on one worker, one after the other."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    f"tests/engine/backends/{file}.py": "spark"
    for file in ("test_can_object_in_lakes", "test_lake_layout", "test_spark", "test_spark_numbers")
}


def part(file: str) -> str:
    """Name what runs on one worker: a file, or files that belong together."""
    return TOGETHER.get(file, file)


class Together(LoadFileScheduling):
    """A file's tests run on one worker, and those of files that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        return part(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together | None:
    """Schedule so where files are kept whole."""
    return Together(config, log) if config.getoption("dist") == "loadfile" else None
