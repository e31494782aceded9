"""Cells -> a page that can be trusted: the machine, versions, the table, how bounds were set, coverage, plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.bench.machine import described
from tests.bench.rivals import plots
from tests.bench.rivals.envs import RIVALS, folder
from tests.bench.rivals.questions import DELTA, EPSILON
from tests.bench.rivals.results import Cell, Coverage
from tests.bench.rivals.worlds import World

OURS = "passersby"
Told = Mapping[tuple[str, str, str], Cell]
SYSTEMS = tuple(rival.name for rival in RIVALS)


def write_page(cells: Told, coverage: Mapping[str, Coverage], worlds: Mapping[str, World | None], runs: int) -> None:
    """Print the page, and keep it with its plots in the cache folder."""
    text = "\n".join(_lines(cells, coverage, worlds, runs))
    place = folder() / "page"
    place.mkdir(exist_ok=True)
    (place / "accuracy.md").write_text(text + "\n")
    print(text)
    print(f"\nkept in {place}; {plots.write_plots(cells, place)}")


def _lines(
    cells: Told, coverage: Mapping[str, Coverage], worlds: Mapping[str, World | None], runs: int
) -> Iterator[str]:
    yield f"{described()}; epsilon {float(EPSILON):g}, delta {float(DELTA):g}, one person's whole history"
    several = ", ".join(f"{rival.runs} of {rival.name}" for rival in RIVALS)
    yield f"{runs} runs of passersby, {several}: medians over runs\n"
    for found in filter(None, worlds.values()):
        yield f"- {found.name}: {found.rows:,} rows of {found.people:,} people"
    yield "\n### Median relative error over groups, bias in brackets\n"
    yield from _table(cells)
    yield "\n### How often 95% intervals of passersby hold the unclipped truth\n"
    yield from _coverage(coverage)
    yield "\n### How bounds were set\n"
    yield from _settings(cells)


def _table(cells: Told) -> Iterator[str]:
    heads = [f"{system}, {column}" for system in SYSTEMS for column in ("default", "tuned")]
    yield "| question | passersby | " + " | ".join(heads) + " |"
    yield "|---" * (len(heads) + 2) + "|"
    for question in dict.fromkeys(name for name, _, _ in cells):
        told = [_shown(cells.get((question, system, column))) for system in SYSTEMS for column in ("default", "tuned")]
        yield f"| {question} | {_shown(cells[question, OURS, 'default'])} | " + " | ".join(told) + " |"


def _shown(cell: Cell | None) -> str:
    if cell is None or cell.error is None or cell.bias is None:
        return "fails" if cell is not None else "not asked"
    missing = f", {cell.missing:.0%} missing" if cell.missing >= 0.005 else ""
    return f"{cell.error:.2%} ({cell.bias:+.1%}{missing})"


def _coverage(coverage: Mapping[str, Coverage]) -> Iterator[str]:
    yield "| question | noise alone | with the stated bias | width over that of noise |"
    yield "|---|---|---|---|"
    for question, found in coverage.items():
        stated = f"{found.with_bias:.1%}" if found.stated else "none stated"
        width = "its own, by row" if found.width != found.width else f"{found.width:.2f}"
        yield f"| {question} | {found.noise_alone:.1%} | {stated} | {width} |"


def _settings(cells: Told) -> Iterator[str]:
    for (question, system, column), cell in cells.items():
        version = f" {cell.version}" if cell.version else ""
        told = f"its own error: `{cell.failed[:200]}`" if cell.failed else f"{cell.setting} ({cell.seconds:.0f} s)"
        yield f"- {question}, {system}{version}, {column}: {told if system != OURS else cell.setting}"
