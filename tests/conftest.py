"""What every test shares: the quick suite, no skips in CI, slow files first, and how long hypothesis may search.

`make test` runs the quick suite, `make test-all` everything; tests/support/plugins/quick.py says which tests are quick.
"""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

if "PASSERSBY_DATA" not in os.environ:  # tests leave nothing among the user's data
    os.environ["PASSERSBY_DATA"] = (data := tempfile.TemporaryDirectory(prefix="passersby-data-")).name

pytest_plugins = [
    "tests.support.plugins.no_skips",
    "tests.support.plugins.kept_heap",
    "tests.support.plugins.one_worker",
    "tests.support.planted",
    "tests.support.plugins.quick",
    "tests.support.plugins.slowest_first",
    "tests.support.plugins.recorded_counts",
]

settings.register_profile(
    "short",
    max_examples=30,
    deadline=None,  # two shared cores: a slow example is no bug
    derandomize=True,  # the same examples for everybody; nightly searches new ones
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NIGHTLY = bool(os.environ.get("PASSERSBY_NIGHTLY"))
settings.load_profile("nightly" if NIGHTLY else "short")
# Spark plans and compiles for a second or two what other tests do in milliseconds
NIGHTLY_ALONE = (
    "dialect/functions/test_functions_spark.py",
    "dialect/functions/test_tie_order_spark.py",
    "privacy/exactness/test_spark_lake.py",
)
collect_ignore = [] if NIGHTLY else [*NIGHTLY_ALONE]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites reviewed outcomes."""
    parser.addoption("--update", action="store_true", help="write the reviewed outcomes in tests/sql anew")
