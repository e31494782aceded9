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


def test_clip_bounds_of_a_calibration_are_a_table_in_two_digits_and_without_exponents() -> None:
    choices = [
        {"norm": 215.3, "noise": 2153.0, "bias": -53_123.0, "off": None, "chosen": False},
        {"norm": 430.6, "noise": 5501.0, "bias": -19_001.0, "off": 1270.0, "chosen": True},
        {"norm": 861.1, "noise": 8630.0, "bias": -0.909, "off": 0.0, "chosen": False},
    ]
    sums = {
        "table": "visit", "kind": "sums", "column": "paid", "keys": [], "window": "forever", "sigma": 11.0,
        "usual": {"sql": "SELECT SUM(paid) AS n FROM visit", "choices": choices, "predicted_bias": None},
        "made_on": "2026-03-01", "expires_on": "2027-03-01", "bins": [{"norm": 678.8, "people": 1490}],
    }  # fmt: skip
    first, *_, usual, head, one, two, three = as_text(show_calibration, [sums]).splitlines()
    assert first == "Measured on 2026-03-01; holds until 2027-03-01"  # a single window has no name
    assert usual == "  a usual group of SELECT SUM(paid) AS n FROM visit"
    assert head.strip().startswith("clipped at ") and "corrected to within" in head
    assert [line.split() for line in (one, two, three)] == [
        ["215", "±", "2,200", "53,000"],
        ["431", "±", "5,500", "19,000", "±", "1,300", "chosen"],
        ["861", "±", "8,600", "0.91", "±", "0"],
    ]
    known = {**sums, "usual": {**sums["usual"], "choices": [{**choices[1], "off": None}], "predicted_bias": -0.0415}}
    assert as_text(show_calibration, [known]).endswith("chosen: -4.2% of the total")


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
