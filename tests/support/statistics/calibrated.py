"""Made-up calibrations, for tests of tuned clip bounds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from dialect.catalog.model import Catalog
from engine.pricing.clip_bounds.histograms import Calibration, ContributionHistogram, HistogramSubject, Quantity

LONG_AGO, FAR_AWAY = date(2000, 1, 1), date(2999, 1, 1)


def histogram(measured: HistogramSubject, counts: Iterable[int], expires_on: date = FAR_AWAY) -> ContributionHistogram:
    """Create a histogram whose lowest bins have these counts of persons, with noise of scale 1."""
    lowest = tuple(counts)
    return ContributionHistogram(
        measured, lowest + (0,) * (len(measured.bins) - len(lowest)), 1.0, "forever", LONG_AGO, expires_on
    )


def made_up_calibration(catalog: Catalog, rows: Iterable[int], groups: Iterable[int] = (500, 200)) -> Calibration:
    """Contribution distributions of every private table: squared row norms and group counts of persons."""
    rows, groups = tuple(rows), tuple(groups)
    known: list[ContributionHistogram] = []
    for table in catalog.tables:
        if table.private and not table.has_one_row_per_person:
            known.append(histogram(HistogramSubject(table.name, (), Quantity.ROWS), rows))
            known.append(histogram(HistogramSubject(table.name, (), Quantity.PERSONS), groups))
    return Calibration(tuple(known))
