"""What a steward declares of calibration: what it may cost, and on which timetable it is made anew."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class CalibrationTerms:
    """The public terms of measuring how much people contribute; no data ever move them."""

    rho: Fraction = Fraction(2, 100)  # of all histograms of one window together
    every_days: int = 90  # after which another one is due
    expires_days: int = 365  # after which declared norms hold again


USUAL = CalibrationTerms()
