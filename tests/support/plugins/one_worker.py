"""Run test files that share an expensive fixture on one worker."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    f"tests/engine/backends/{file}.py": "spark"
    for file in (
        "test_can_object_in_lakes",
        "test_lake_layout",
        "test_spark",
        "test_spark_numbers",
        "test_spark_profiles",
    )
}


def part(file: str) -> str:
    """Scheduling group: a file, or files that belong together."""
    return TOGETHER.get(file, file)


class Together(LoadFileScheduling):
    """Scheduler that keeps a file's tests, and those of files that belong together, on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return part(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together | None:
    """Use this scheduler for --dist loadfile."""
    return Together(config, log) if config.getoption("dist") == "loadfile" else None
