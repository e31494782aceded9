"""Options of `python -m tests.bench honesty`, and the run from questions to the page."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.honesty import page, plot
from tests.bench.honesty.asking import records_of
from tests.bench.honesty.catalogs import SUBJECTS, opened
from tests.bench.honesty.cells import Record, read_records, write_records

RHOS = (0.001, 0.005, 0.02)
DRAWS = 4
QUICK_RHOS, QUICK_DRAWS, QUICK_STEP = (0.005,), 2, 5  # of the quick form: every fifth question


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench honesty", description=__doc__)
    parser.add_argument("--catalog", action="append", choices=SUBJECTS, help="one catalog; may be given again")
    parser.add_argument("--rho", action="append", type=float, help="one price; may be given again")
    parser.add_argument("--draws", type=int, help=f"draws of each question at each price (default {DRAWS})")
    parser.add_argument("--quick", action="store_true", help="every fifth question at one price: some minutes")
    parser.add_argument("--only", default="", help="questions whose name contains this text")
    parser.add_argument("--without-norms", action="store_true", help="catalogs that declare no clip norms")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all cells")
    parser.add_argument("--cells", type=Path, action="append", metavar="JSON", help="show these cells; ask nothing")
    parser.add_argument("--against", type=Path, metavar="JSON", help="compare with the cells of another version")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw error against the hindsight bound, by class")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the short table between the markers of a page")
    return parser


def command(arguments: Sequence[str]) -> None:
    """Ask, or read what was asked before, and print the page."""
    options = _parser().parse_args(arguments)
    if options.cells:
        records = [record for path in options.cells for record in read_records(path)[0]]
        about = read_records(options.cells[0])[1]
    else:
        records, about = _asked(options), _about(options)
    if options.json:
        write_records(records, about, options.json)
    other = read_records(options.against)[0] if options.against else []
    print(page.text(records, about, other))
    if options.page:
        page.write_table(records, about, options.page)
    if options.plot:
        print(plot.write_plot(records, options.plot))


def _asked(options: argparse.Namespace) -> list[Record]:
    rhos: Sequence[float] = options.rho or (QUICK_RHOS if options.quick else RHOS)
    draws = options.draws or (QUICK_DRAWS if options.quick else DRAWS)
    records: list[Record] = []
    for name in options.catalog or SUBJECTS:
        subject = SUBJECTS[name]
        asked = [each for each in subject.questions() if options.only in each.name]
        with opened(subject, declares_norms=not options.without_norms) as both:
            step = QUICK_STEP if options.quick else 1
            records += records_of(subject, both, asked[::step], rhos, draws, _progress)
        if options.json:  # what is known is kept if the next catalog fails
            write_records(records, _about(options), options.json)
    return records


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _about(options: argparse.Namespace) -> dict[str, object]:
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    found = run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {"commit": found.stdout.strip(), "declares_norms": not options.without_norms, "is_quick": options.quick}
