"""Rounds of kills in a single-threaded interpreter, which can be forked safely.

`python -m tests.support.ledger.kill_rounds sqlite|postgres|crash|early-sqlite|early-postgres SEED ROUNDS SPENDERS` writes
one line: the number of kills and acknowledgements, or the violation found.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.ledger.client_kills import Acknowledged, Round, check_acknowledged, steps_of
from tests.support.ledger.postgres import Server, new_server, server


def kill(kind: str, seed: int, rounds: int, spenders: int) -> Acknowledged:
    """Kill the clients of some rounds on one ledger and check after each; raises AssertionError for a violation."""
    drawn, acknowledged = random.Random(seed), Acknowledged()
    with ExitStack() as after:
        if kind.endswith("sqlite"):
            address = str(Path(after.enter_context(tempfile.TemporaryDirectory())) / "ledger")
        else:
            own = new_server() if kind == "crash" else server()
            if kind == "crash":
                after.callback(own.remove)
            address = own.new_ledger()
        steps = steps_of(address)
        for turn in range(rounds):
            this = Round(address, acknowledged, drawn)
            if kind == "crash":
                this.run(spenders, meanwhile=lambda: _crash(own, drawn))
            elif kind.startswith("early"):
                this.run(spenders, ("before COMMIT",), early=True)
            else:
                this.run(spenders, steps if turn % 2 else ())
            check_acknowledged(address, acknowledged)
    return acknowledged


def _crash(own: Server, drawn: random.Random) -> None:
    time.sleep(drawn.uniform(0.1, 0.5))
    own.stop()
    own.start()


def main() -> int:
    """Report the outcome; the exit code is 1 if a violation was found."""
    kind, *numbers = sys.argv[1:]
    try:
        acknowledged = kill(kind, *map(int, numbers))
    except AssertionError as found:
        sys.stdout.write(f"found: {found}\n")
        return 1
    charges, results = sum(map(len, acknowledged.charged.values())), len(acknowledged.settled)
    sys.stdout.write(
        f"{acknowledged.kills} kills, {charges} charges and {results} results acknowledged, nothing lost\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
