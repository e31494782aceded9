"""Made-up calibrations, for tests of tuned clip bounds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from dialect.catalog.model import Catalog
from engine.pricing.norms.histograms import Calibration, Histogram, Kind, Measured
from engine.workflows.calibration_questions import is_bounded

LONG_AGO, FAR_AWAY = date(2000, 1, 1), date(2999, 1, 1)


def histogram(measured: Measured, counts: Iterable[int], expires_on: date = FAR_AWAY) -> Histogram:
    """Create a histogram whose lowest bins have these counts of persons, with noise of scale 1."""
    held = tuple(counts)
    return Histogram(measured, held + (0,) * (len(measured.bins) - len(held)), 1.0, "forever", LONG_AGO, expires_on)


def made_up(catalog: Catalog, rows: Iterable[int], groups: Iterable[int] = (500, 200)) -> Calibration:
    """Contribution distributions of every private table: squared row norms and group counts of persons."""
    rows, groups = tuple(rows), tuple(groups)
    known: list[Histogram] = []
    for table in catalog.tables:
        if table.private and not is_bounded(table):
            known.append(histogram(Measured(table.name, (), Kind.ROWS), rows))
            known.append(histogram(Measured(table.name, (), Kind.PERSONS), groups))
    return Calibration(tuple(known))
