"""Admin display fits a terminal, and foreign names cannot colour or hide anything."""

from __future__ import annotations

from functools import partial

from passersby.result.terminal import as_text
from passersby.result.terminal_admin import show_audit, show_calibration, show_clients, show_frozen, show_top_ups


def test_empty_admin_lists_have_a_text() -> None:
    for show in (show_audit, show_clients, show_frozen, show_top_ups):
        assert len(as_text(show, []).strip()) > 10


def test_a_calibration_states_once_when_it_was_measured() -> None:
    """Bounds of values are no contributions of people, and have no noise of their own."""
    rows = {
        "table": "visit", "kind": "rows", "column": None, "keys": ["hour(ts)"], "window": "2026-02", "usual": None,
        "made_on": "2026-03-01", "expires_on": "2027-03-01", "sigma": 11.0, "bins": [{"norm": 4.0, "people": 224}],
    }  # fmt: skip
    paid = {**rows, "kind": "values", "column": "paid", "keys": [], "bins": [], "measured_bounds": [0.0, 32.0]}
    assert [line for line in as_text(show_calibration, [paid, rows]).splitlines() if line.strip()] == [
        "Measured in 2026-02 on 2026-03-01; holds until 2027-03-01",
        "visit: values(paid) in all",
        "  values are clamped to 0 to 32",
        "visit: rows by hour(ts)  people ± 22, by contribution (L2)",
        f"  below          4  {'█' * 30} 224",
    ]


def test_the_audit_log_is_in_words() -> None:
    row = {
        "sequence": 3, "at": "2026-10-17T08:00:00.000+00:00", "by": "*owner", "kind": "account_opened",
        "told": "account opened", "client": "*owner", "dataset": "town", "rho": None, "delta": None,
        "windows": ["*lifetime"], "questions": [], "versions": None, "reason": None,
    }  # fmt: skip
    shown = as_text(show_audit, [row])
    assert "account opened  town, the owner  by the owner" in shown and "windows: all windows together" in shown
    assert "*" not in shown and "account_opened" not in shown


def test_a_long_audit_log_shows_its_last_decisions() -> None:
    row = {
        "sequence": 3, "at": "2026-10-17T08:00:00.000+00:00", "by": "ana", "told": "question answered", "client": "ana",
        "dataset": "town", "rho": 0.005, "delta": None, "windows": ["forever"], "questions": ["plan"], "sql": "SELECT 1",
        "versions": "data 1", "reason": None,
    }  # fmt: skip
    log = [{**row, "kind": kind} for _ in range(30) for kind in ("charged", "released")]
    shown = as_text(show_audit, log)
    assert len(shown.splitlines()) <= 25 and "22 earlier" in shown and "data 1" not in shown
    assert as_text(partial(show_audit, details=True), log).count("versions: data 1") == 60


def test_names_are_shown_as_they_are() -> None:
    row = {"client": "[red]ann[/red]", "dataset": None, "window": None, "since": "2026-10-17T08:00:00.000+00:00"}
    shown = as_text(show_frozen, [{**row, "by": "boss", "reason": "why"}])
    assert "[red]ann[/red]" in shown and "2026-10-17 08:00:00" in shown and "all" in shown
