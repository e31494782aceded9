"""The quick suite: `pytest --quick`, run by `make test`. Without the option everything runs, as in `make test-all`.

A test is in the quick suite unless a table below excludes it, so new files are included. Excluded are inherently slow
files (SLOW); of long parametrised tests every n-th case runs (EVERY), the first included; tests measured slower than
TEST_SECONDS (tests/slow_tests.txt) are excluded unless privacy depends on them (KEPT); of the files with planted bugs,
one bug per mechanism runs (CORE). tests/house/test_quick.py checks the total against QUICK_SECONDS and each file
against FILE_SECONDS, by the seconds recorded in tests/seconds.txt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.tree import ROOT

QUICK_SECONDS = 600.0  # sum over workers: five minutes on two idle cores with pytest -n 3
FILE_SECONDS = 30.0  # of one file: a longer one started late would run alone
TEST_SECONDS = 0.5  # of one test, without its fixtures
PROPERTY = "quick"  # property of a test report: in the quick suite unless slow
SLOW_TESTS = ROOT / "tests" / "slow_tests.txt"

# why -> files (patterns), or single tests of a file
SLOW: dict[str, tuple[str, ...]] = {
    "every planted bug: CORE has one a mechanism": ("tests/*_planted.py", "tests/*/test_planted.py", "tests/*/test_planted_bugs.py"),
    "runs notebooks": ("tests/passersby/test_notebooks.py",),
    "builds and installs a wheel": ("tests/house/test_wheel.py",),
    "runs the README": ("tests/house/test_readme.py",),
    "runs the linters of `make check` on planted violations": ("tests/house/test_law.py",),
    "starts servers as an operator does": (
        "tests/passersby/cli/test_cli_ledger.py::test_auditor_commands_work_on_a_server_as_on_a_local_ledger",
        "tests/engine/server/test_runbook.py",
        "tests/engine/server/test_runbook_environments.py",
        "tests/engine/server/test_tls.py",
        "tests/engine/server/test_two_servers.py",
    ),
    "kills processes": (
        "tests/budgets/test_ledger_crash.py",
        "tests/budgets/test_ledger_power.py",
        "tests/engine/server/test_processes.py",
    ),
    "kills processes, beside what is fast": (
        "tests/engine/data/test_fetch.py::test_a_killed_copy_is_resumed",
        "tests/engine/data/test_ingest.py::test_a_killed_ingest_is_before_or_after_and_running_again_finishes",
        "tests/privacy/worlds/test_charge_before_read.py::test_a_killed_question_is_charged_once_and_answered_once",
    ),
    "drives a browser": ("tests/engine/server/console/test_browser.py",),
    "starts a PostgreSQL": (
        "tests/budgets/stores/test_postgres.py",
        "tests/budgets/test_outlook_postgres.py",
        "tests/engine/server/test_operations.py::test_a_postgres_dump_contains_the_ledger_without_the_server_s_tables",
        "tests/engine/accounts/test_ledger_binding.py::test_a_ledger_on_a_server_is_named_without_its_password",
    ),
    "starts Spark": (
        "tests/engine/backends/test_can_object_in_lakes.py",
        "tests/engine/backends/test_lake_layout.py",
        "tests/engine/backends/test_spark.py",
        "tests/engine/backends/test_spark_numbers.py",
        "tests/engine/backends/test_spark_profiles.py",
    ),
    "short forms of `make nightly`": (
        "tests/dialect/catalog/test_fuzz.py::test_the_long_search_in_its_short_form",
        "tests/privacy/test_nightly.py", "tests/privacy/test_search.py"),
    "long searches: other files ask the same of questions by hand": (
        "tests/engine/pricing/test_year_of_days.py",
        "tests/privacy/exactness/test_exactness_ends.py",
        "tests/privacy/exactness/test_exactness_random.py",
        "tests/privacy/greybox/test_greybox_person_windows.py",
        "tests/privacy/worlds/test_two_worlds_free.py",
        "tests/privacy/worlds/test_two_worlds_without_norms.py",
    ),
    "races of processes": ("tests/budgets/test_ledger_races.py",),
    "runs a page of the docs": (
        "tests/passersby/cli/test_cli_objections.py::test_the_commands_of_the_document_run",
        "tests/engine/server/test_flight_page.py",
        "tests/passersby/test_calibration_page.py",
        "tests/passersby/test_client_page.py",
    ),
    "measures what forms take": ("tests/dialect/analysis/test_row_costs.py",),
    "benchmarks": ("tests/bench/test_rivals.py",),
    "audits by thousands of draws": (
        "tests/privacy/statistics/test_audit.py",
        "tests/privacy/statistics/test_coverage.py",
        "tests/privacy/statistics/test_coverage_propagated.py",
        "tests/privacy/statistics/test_coverage_selected.py",
        "tests/privacy/statistics/test_coverage_simultaneous.py",
    ),
}  # fmt: skip

# the PostgreSQL case of tests that run on both ledger stores
SLOW_CASE = re.compile(r"\[postgres[-\]]")

# file, or one test of it -> n: every n-th case runs, the first included
EVERY: dict[str, int] = {
    "tests/privacy/greybox/test_greybox_window_pairs.py": 4,
    "tests/budgets/stores/test_schema.py": 2,
    "tests/budgets/stores/test_versions.py": 2,
    "tests/budgets/log/test_verify.py": 3,
    "tests/dialect/analysis/test_work_bound.py": 5,
    "tests/dialect/test_conformance.py": 2,
    "tests/dialect/functions/test_forms_alone.py": 4,
    "tests/dialect/functions/test_functions.py": 3,
    "tests/dialect/functions/test_functions_cells.py": 3,
    "tests/dialect/functions/test_functions_polygons.py": 3,
    "tests/dialect/analysis/test_date_pruning.py": 4,
    "tests/dialect/algebra/test_ranges.py": 3,
    "tests/dialect/test_refusals.py": 2,
    "tests/engine/backends/test_duckdb.py": 2,
    "tests/engine/backends/test_eligible_persons.py": 3,
    "tests/engine/server/test_requests.py": 2,
    "tests/engine/server/http/test_roles.py": 7,
    "tests/engine/data/test_csv_files.py": 3,
    "tests/engine/workflows/test_delivered_windows.py": 3,
    "tests/engine/server/test_forms.py": 2,
    "tests/engine/reuse/test_source_selection.py": 2,
    "tests/engine/data/test_ingest.py": 2,
    "tests/engine/data/test_layout.py": 3,
    "tests/engine/workflows/test_synthetic_rows.py": 2,
    "tests/engine/accounts/test_ledger_binding.py": 3,
    "tests/engine/mechanism/test_moments.py": 5,
    "tests/engine/mechanism/test_gaussian.py": 2,
    "tests/engine/data/test_operator.py": 8,
    "tests/engine/data/test_layout_renewal.py": 4,
    "tests/engine/backends/test_semi_joins_of_intervals.py": 4,
    "tests/engine/pipeline/test_target_budget.py": 3,
    "tests/passersby/cli/test_cli.py": 5,
    "tests/dialect/codegen/test_profile.py": 2,
    "tests/passersby/cli/test_cli_admins.py": 3,
    "tests/passersby/client/test_connection.py": 2,
    "tests/passersby/client/test_remote.py": 3,
    "tests/privacy/worlds/test_charge_before_read.py": 7,
    "tests/privacy/exactness/test_determinism.py": 4,
    "tests/privacy/exactness/test_exactness.py": 7,
    "tests/privacy/greybox/test_greybox_eligibility.py": 4,
    "tests/privacy/greybox/test_greybox_calibrated.py": 4,
    "tests/privacy/greybox/test_greybox_of_a_person.py": 3,
    "tests/privacy/greybox/test_greybox_window_eligibility.py": 4,
    "tests/privacy/statistics/test_noise_law.py": 4,
    "tests/privacy/worlds/test_two_worlds.py": 7,
    "tests/privacy/worlds/test_two_worlds_interfaces.py": 5,
    "tests/privacy/worlds/test_two_worlds_objections.py": 5,
    "tests/privacy/worlds/test_two_worlds_person_windows.py": 5,
    "tests/privacy/worlds/test_two_worlds_timing.py": 4,
}

GREY_BOX = "tests/privacy/planted/test_planted.py::test_a_planted_bug_is_found"
# mechanism -> the planted bug that proves that its tests can fail
CORE: dict[str, str] = {
    "clip": f"{GREY_BOX}[rounding up instead of towards zero]",
    "truncation": f"{GREY_BOX}[a row more than are kept left alone]",
    "threshold": "tests/privacy/statistics/test_noise_law.py::test_a_threshold_that_is_too_low_is_found[1]",
    "noise law": "tests/privacy/statistics/test_noise_law.py::test_a_scale_ten_percent_off_is_found[too narrow]",
    "charge before read": "tests/privacy/worlds/test_charge_before_read.py::test_a_statement_before_the_charge_is_found",
    "chain": "tests/budgets/log/test_verify.py::test_a_tamper_of_the_file_is_found[releases]",
    "windows": "tests/privacy/planted/test_person_windows_planted.py::test_the_bug_is_found[crossing is taken for preserved]",
    "partition selection": f"{GREY_BOX}[a person who weighs 1 in each group]",
    "quantiles": f"{GREY_BOX}[a bin taken for the person's own]",
    "distinct": f"{GREY_BOX}[persons counted by their rows]",
    "semi-join": f"{GREY_BOX}[rows chosen by the rows of whoever is there]",
    "eligibility": f"{GREY_BOX}[admission forgotten]",
    "correlated noise": "tests/privacy/planted/test_correlated_noise_planted.py"
    "::test_a_person_counted_as_one_unit_over_several_windows_is_found",
}

# tests of sensitivity, noise and eligibility that always run
KEPT: tuple[str, ...] = (
    "tests/engine/catalog/test_eligibility.py::test_objectors_are_as_good_as_deleted",
    "tests/privacy/worlds/test_charge_before_read.py::test_an_engine_that_charges_after_reading_is_caught",
    "tests/privacy/greybox/test_greybox.py::test_one_person_moves_no_vector_further_than_declared",
    "tests/privacy/greybox/test_greybox_eligibility.py::test_ineligible_people_are_as_good_as_deleted",
    "tests/privacy/greybox/test_greybox_moments.py::test_one_person_moves_nothing_further_than_declared",
    "tests/privacy/greybox/test_greybox_windows.py::test_one_person_moves_no_vector_further_than_declared",
    "tests/privacy/exactness/test_movement.py::test_one_persons_movement_moves_no_vector_further_than_declared",
    "tests/privacy/statistics/test_noise_law.py::test_released_numbers_follow_the_priced_law_independently",
    "tests/privacy/worlds/test_two_worlds.py::test_only_noise_distinguishes_the_worlds",
    "tests/privacy/worlds/test_two_worlds_interfaces.py::test_only_noise_distinguishes_the_worlds_at_every_interface",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --quick."""
    parser.addoption("--quick", action="store_true", help="the quick suite only: see tests/support/plugins/quick.py")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip collecting files without tests in the quick suite."""
    if not (config.getoption("--quick") and collection_path.is_relative_to(ROOT)):
        return None
    file = str(collection_path.relative_to(ROOT))
    return True if is_slow(file) and file not in map(file_of, CORE.values()) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of the quick suite; with --quick, deselect the others."""
    candidates = set(selected([item.nodeid for item in items]))
    for item in items:
        if item.nodeid in candidates:
            item.user_properties.append((PROPERTY, True))
    quick = candidates - {test for test in slow_tests() if not is_always_run(test)}
    if config.getoption("--quick"):
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in quick])
        items[:] = [item for item in items if item.nodeid in quick]


def selected(nodes: Sequence[str]) -> Iterator[str]:
    """Return the tests of a whole suite that are in the quick one; cases are counted in order."""
    core, counted = set(CORE.values()), Counter[str]()
    for node in nodes:
        test = node.partition("[")[0]
        slow = SLOW_CASE.search(node) or is_slow(test) or is_slow(file_of(test))
        number = counted[test]
        counted[test] += not slow
        if node in core or not (slow or number % _step(test)):
            yield node


def slow_tests() -> dict[str, float]:
    """Read the tests slower than TEST_SECONDS, and their seconds."""
    lines = (line for line in SLOW_TESTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {test: float(seconds) for seconds, test in (line.split(maxsplit=1) for line in lines)}


def is_always_run(node: str) -> bool:
    """Return whether a test is in the quick suite regardless of its duration."""
    return node in CORE.values() or node.partition("[")[0] in KEPT


def is_slow(named: str) -> bool:
    """Return whether a file or test is excluded from the quick suite."""
    return any(fnmatch(named, pattern) for pattern in listed(SLOW.values()))


def file_of(node: str) -> str:
    """File of a test."""
    return node.partition("::")[0]


def listed(groups: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Entries of all groups."""
    for group in groups:
        yield from group


def _step(test: str) -> int:
    return EVERY.get(test, EVERY.get(file_of(test), 1))
