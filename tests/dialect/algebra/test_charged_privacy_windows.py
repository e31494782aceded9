"""The charged privacy windows of a release: in its canonical text, and how many are bounded together."""

from __future__ import annotations

from dialect.algebra.release_plan import ChargedWindows


def test_different_charged_windows_have_different_canonical_texts() -> None:
    some = [
        ChargedWindows(("forever",)),
        ChargedWindows(("static",)),
        ChargedWindows(("2026-01",)),
        ChargedWindows(("2026-01",), True),
        ChargedWindows(("2026-01", "2026-02", "2026-03")),
        ChargedWindows(("2026-01", "2026-03")),
        ChargedWindows(("2026-01", "2026-02", "2026-03"), True),
    ]
    assert len({each.canonical_text for each in some}) == len(some)
    assert some[0].canonical_text == "" and some[2].canonical_text == " in 2026-01"


def test_crossing_privacy_windows_are_bounded_together() -> None:
    assert ChargedWindows(("2026-01", "2026-02")).windows_per_unit == 1
    assert ChargedWindows(("2026-01", "2026-02"), True).windows_per_unit == 2
    assert ChargedWindows(("2026-01", "static"), True).windows_per_unit == 1
