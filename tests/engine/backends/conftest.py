"""One cluster for all files of this folder: most of what Spark takes for a few rows is its start and the first questions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import NIGHTLY
from tests.support.spark.spark_cluster import Cluster

STARTED = list[Cluster]()


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Spark driver that does everything, which starts and warms a third faster; nightly, one with two workers."""
    with Cluster(tmp_path_factory.mktemp("spark"), workers=2 if NIGHTLY else 0) as started:
        STARTED.append(started)
        yield started


@pytest.fixture(scope="module")
def cluster(kept: Cluster) -> Cluster:
    """The shared cluster, restarted if other tests came in between."""
    if not kept.running:
        kept.start()
    return kept


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop it when another folder's tests come next, which may take long."""
    if nextitem is None or nextitem.path.parent != item.path.parent:
        for started in STARTED:
            started.kill()
