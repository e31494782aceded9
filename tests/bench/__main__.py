"""Figures that the project quotes, a part each: `make bench` prints all parts but those of other systems and of Spark.

`python -m tests.bench speed latency` prints these two. Ratios are medians of pairs: plain DuckDB and
this engine in turn, same query, same data, same process, warm. `python -m tests.bench honesty --help` has options of its
own: coverage of intervals and error against the best clip bound in hindsight. `python -m tests.bench fixed --against FOLDER`
compares the fixed cost of a question with that of another checkout.
"""

from __future__ import annotations

import argparse
import sys

from tests.bench import (
    accuracy,
    admission,
    calibration,
    correlated,
    crowd,
    dashboard,
    fixed,
    guard,
    hierarchy,
    honesty,
    ingest,
    keys,
    latency,
    ledger,
    machine,
    memory,
    noise,
    place,
    profiles,
    rivals,
    scale,
    serving,
    spark,
    speed,
)

PARTS = {
    "speed": speed.main,
    "profiles": profiles.main,
    "latency": latency.main,
    "serving": serving.main,
    "crowd": crowd.main,
    "admission": admission.main,
    "ledger": ledger.main,
    "noise": noise.main,
    "place": place.main,
    "accuracy": accuracy.main,
    "dashboard": dashboard.main,
    "hierarchy": hierarchy.main,
    "keys": keys.main,
    "calibration": calibration.main,
    "correlated": correlated.main,
    "scale": scale.main,
    "memory": memory.main,
    "ingest": ingest.main,
}
# other systems are installed, or started: only where it is named
APART = {"rivals": rivals.main, "own": rivals.own, "race": rivals.race, "spark": spark.main}

_ALL = PARTS | APART


def main() -> None:
    """Run the requested parts and print their tables; `honesty` and `fixed` have options of their own."""
    if sys.argv[1:2] == ["honesty"]:
        return honesty.command(sys.argv[2:])
    if sys.argv[1:2] == ["fixed"]:
        return fixed.command(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"any of {', '.join(PARTS)}; all of them by default; {', '.join(APART)} where it is named",
    )
    parser.add_argument("--events", type=float, default=1e7, help="events of the synthetic operator (default 1e7)")
    parser.add_argument("--runs", type=int, default=7, help="pairs of runs behind each ratio (default 7)")
    parser.add_argument("--guard", action="store_true", help="exit with 1 where a figure is beyond its limit")
    asked = parser.parse_args()
    unknown = set(asked.parts) - _ALL.keys()
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(_ALL)}")
    print(machine.described())
    for name in asked.parts or PARTS:
        print(f"\n## {name}\n", flush=True)
        _ALL[name](events=int(asked.events), runs=asked.runs)
    sys.exit(int(asked.guard and bool(guard.beyond)))


if __name__ == "__main__":
    main()
