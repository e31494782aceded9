"""The long searches, one after another, a line of result each: `make nightly`, or `python -m tests.nightly greybox`.

PASSERSBY_NIGHTLY_SHARE=0.01 makes a hundredth of the examples; PASSERSBY_NIGHTLY_PROCESSES is 2 unless said; seeds count up
from PASSERSBY_NIGHTLY_SEED, and are drawn without. An interrupt ends a search after what is running, with its line of result.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.nightly import (
    accounts,
    canonical,
    crash,
    extremes,
    grammar,
    greybox,
    places,
    power,
    soak,
    statements,
    worlds,
)
from tests.nightly import eligibility as eligibility_nightly
from tests.nightly import parser as parser_nightly
from tests.nightly.search import Outcome, Search, search

SEARCHES = {
    "greybox": Search("grey box", 100_000, greybox.chunk),
    "grammar": Search("grammar", 50_000, grammar.chunk),
    "grammar_windows": Search("grammar under windows", 10_000, grammar.windows),
    "admission": Search("admission", 20_000, eligibility_nightly.chunk),
    "admission_windows": Search("admission under windows", 10_000, eligibility_nightly.windows),
    "places": Search("places", 20_000, places.chunk),
    "extremes": Search("extreme statistics", 100_000, extremes.chunk),
    "canonical": Search("canonical texts", 20_000, canonical.chunk),
    "canonical_windows": Search("canonical texts under windows", 20_000, canonical.windows),
    "statements": Search("statements", 100_000, statements.chunk),
    "worlds": Search("two worlds", 5_000, worlds.chunk),
    "accounts": Search("histories of accounts", 20_000, accounts.chunk),
    "crash": Search("kills", 10_000, crash.chunk),
    "power": Search("power cuts", 5_000, power.chunk),
    "soak": Search("soak", 1, soak.chunk, processes=1),
    "parser": Search("parser", 200_000, parser_nightly.chunk, parser_nightly.lacking),
}


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run the named searches, or all; the exit code is 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.nightly", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(SEARCHES)}; all of them by default"
    )
    names = parser.parse_args().names or list(SEARCHES)
    unknown = set(names) - SEARCHES.keys()
    if unknown:
        parser.error(f"there is no search {', '.join(sorted(unknown))}; there are {', '.join(SEARCHES)}")
    share = float(os.environ.get("PASSERSBY_NIGHTLY_SHARE", "1"))
    processes = int(os.environ.get("PASSERSBY_NIGHTLY_PROCESSES", "2"))
    outcomes = [run(SEARCHES[name], share, processes) for name in names]
    return int(any(outcome.found for outcome in outcomes))


def run(asked: Search, share: float, processes: int) -> Outcome:
    """Run one search and say what became of it, or what it lacks."""
    wanted = max(1, round(asked.wanted * share))
    if lacking := asked.lacking():
        _say(f"{asked.name}: not run, {lacking}")
        return Outcome(asked.name)
    _say(f"{asked.name}: {wanted:,} examples wanted")
    first = os.environ.get("PASSERSBY_NIGHTLY_SEED")
    outcome = search(asked, wanted, asked.processes or processes, _say, None if first is None else int(first))
    for found in outcome.found:
        _say(found)
    _say(outcome.line())
    return outcome


if __name__ == "__main__":
    sys.exit(main())
