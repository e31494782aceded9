"""The charged privacy windows of a release: in its canonical text, and how many are bounded together."""

from __future__ import annotations

from dialect.algebra.release_plan import Touched


def test_different_windows_have_different_texts() -> None:
    some = [
        Touched(("forever",)),
        Touched(("static",)),
        Touched(("2026-01",)),
        Touched(("2026-01",), True),
        Touched(("2026-01", "2026-02", "2026-03")),
        Touched(("2026-01", "2026-03")),
        Touched(("2026-01", "2026-02", "2026-03"), True),
    ]
    assert len({each.text for each in some}) == len(some)
    assert some[0].text == "" and some[2].text == " in 2026-01"


def test_windows_that_cross_are_bounded_together() -> None:
    assert Touched(("2026-01", "2026-02")).together == 1
    assert Touched(("2026-01", "2026-02"), True).together == 2
    assert Touched(("2026-01", "static"), True).together == 1
