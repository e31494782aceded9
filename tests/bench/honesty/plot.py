"""Error against the hindsight bound, by class of question, as one picture."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tests.bench.honesty.cells import Record
from tests.bench.honesty.figures import Measured
from tests.bench.honesty.questions import Kind


def write_plot(records: Collection[Record], to: Path) -> str:
    """Draw a point a question and price; returns what was drawn."""
    try:
        import matplotlib as mpl
    except ImportError:
        return "no picture: pip install '.[bench]'"
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "passersby"  # the same figures, the same file
    from matplotlib import pyplot

    measured = [each for each in map(Measured, records) if not each.record.refused and each.has_bound]
    kinds = [kind for kind in Kind if any(each.record.kind == kind for each in measured)]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5.2))
    for place, kind in enumerate(kinds):
        own = [each for each in measured if each.record.kind == kind]
        bound, error = [each.bound for each in own], [each.error for each in own]
        color = pyplot.get_cmap("tab10")(place % 10)
        left.scatter(bound, error, s=14, alpha=0.6, color=color, label=str(kind))
        right.scatter([each.ratio for each in own], [place] * len(own), s=14, alpha=0.4, color=color)
    ends = [1e-4, 3.0]
    left.plot(ends, ends, color="black", linewidth=0.8)
    left.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    left.set_xlabel("hindsight bound: median relative error of the best fixed clip bound")
    left.set_ylabel("total relative error of the answer, median over groups")
    left.legend(fontsize=7, frameon=False)
    right.axvline(1.0, color="black", linewidth=0.8)
    right.set(xscale="log")
    right.set_yticks(range(len(kinds)), [str(kind) for kind in kinds], fontsize=8)
    right.invert_yaxis()
    right.set_xlabel("error over the hindsight bound")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(to, metadata={"Date": None} if to.suffix == ".svg" else None)
    pyplot.close(figure)
    return f"picture in {to}"
