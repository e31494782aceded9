"""Cells -> a plot: every question a line, every system a mark, errors on a log scale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.bench.rivals.results import Cell

MARKS = {"passersby": "o", "SmartNoise SQL": "s", "OpenDP Polars": "^", "Qrlew": "D", "Tumult Analytics": "v"}
FLOOR, CEILING = 1e-4, 10.0


def write_plots(cells: Mapping[tuple[str, str, str], Cell], place: Path) -> str:
    """Draw one file per column; returns what was drawn."""
    try:
        import matplotlib as mpl
    except ImportError:
        return "no plots: pip install '.[bench]'"
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "passersby"  # the same figures, the same file
    for column in ("default", "tuned"):
        _draw(cells, column, place / f"accuracy-{column}.svg")
    return f"plots in {place}/accuracy-default.svg and accuracy-tuned.svg"


def _draw(cells: Mapping[tuple[str, str, str], Cell], column: str, to: Path) -> None:
    from matplotlib import pyplot

    questions = list(dict.fromkeys(question for question, _, _ in cells))
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(questions) + 1.6))
    for system, mark in MARKS.items():
        at = [cells.get((q, system, "default" if system == "passersby" else column)) for q in questions]
        shown = [
            (min(max(c.error, FLOOR), CEILING), y) for y, c in enumerate(at) if c is not None and c.error is not None
        ]
        axes.scatter([x for x, _ in shown], [y for _, y in shown], marker=mark, s=44, label=system, alpha=0.85)
    axes.set_xscale("log")
    axes.set_yticks(range(len(questions)), questions, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(f"median relative error over groups; rivals: {_COLUMNS[column]}")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="upper center", ncols=len(MARKS), fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    figure.savefig(to, metadata={"Date": None})
    pyplot.close(figure)


_COLUMNS = {"default": "as they come", "tuned": "bounds tuned by hand on the true data"}
