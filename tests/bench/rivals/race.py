"""Time of other systems for the headline query, and of this engine before and after each.

Every system has read the rows before its clock starts, answers some times in one process, and is told with its median:
bounds as it comes, two threads where it can be told so. What this engine takes is all of an answer, ledger on the disk
included, each for another client at another price: over the rows as they lie, and from a rollup by cell.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import engine
from tests.bench.machine import table
from tests.bench.rivals import ours
from tests.bench.rivals.envs import RIVALS, Rival, asked_of, folder, installed
from tests.bench.rivals.questions import HEADLINE
from tests.bench.rivals.run import job_of
from tests.bench.rivals.settings import as_it_comes
from tests.bench.rivals.worlds import World, world

HEAD = ("system", "answers", "seconds of one", "passersby", "times as long", "from a rollup", "times as long")
ROLLUP = f'[datasets.flat]\nrollups = ["{HEADLINE.sql}"]'


@dataclass(frozen=True)
class Lap:
    """Times of one rival and of this engine."""

    rival: str
    told: str  # its own error, or how its bounds were set
    seconds: tuple[float, ...] = ()
    own: tuple[float, ...] = ()
    rolled: tuple[float, ...] = ()

    def cells(self) -> tuple[object, ...]:
        """Cells of one table row, in the order of HEAD."""
        if not self.seconds:
            return self.rival, 0, self.told, "", "", "", ""
        one, own, rolled = (statistics.median(each) for each in (self.seconds, self.own, self.rolled))
        return self.rival, len(self.seconds), one, own, one / own, rolled, one / rolled


def main(events: int, runs: int) -> None:
    """Print the time of each system, row by row."""
    del events  # the headline has ten million rows
    where = world(HEADLINE.world, folder(), 0)
    print(f"{where.rows:,} rows of {where.people:,} people, {HEADLINE.sql}\n", flush=True)
    with _opened(where, rolled=False) as ask, _opened(where, rolled=True) as ask_rolled:
        own = ask, ask_rolled
        ask(), ask_rolled()
        table(HEAD, (_lap(rival, where, own, runs).cells() for rival in RIVALS))


def _lap(rival: Rival, where: World, own: tuple[Callable[[], float], ...], runs: int) -> Lap:
    failing = installed(rival)
    if failing is not None:
        return Lap(rival.name, failing)
    name = f"race-{rival.adapter.removesuffix('.py')}"
    (folder() / "asked" / f"{name}.json").unlink(missing_ok=True)  # or what it answered before would be taken
    before = [[ask() for _ in range(runs)] for ask in own]
    found = asked_of(rival, job_of(HEADLINE, where, as_it_comes(rival.name, HEADLINE), rival.runs), name)
    after = [[ask() for _ in range(runs)] for ask in own]
    if "error" in found:
        return Lap(rival.name, found["error"])
    beside = [(*one, *other) for one, other in zip(before, after, strict=True)]
    return Lap(rival.name, found["setting"], tuple(found["each"]), *beside)


@contextmanager
def _opened(where: World, *, rolled: bool) -> Iterator[Callable[[], float]]:
    """Closure that runs a query on this engine as another client at another price, and returns the seconds."""
    with tempfile.TemporaryDirectory() as made, patch.dict(os.environ, PASSERSBY_DATA=made, PASSERSBY_CACHE=made):
        place = Path(made) / "catalog.toml"
        declared = ours.catalog(HEADLINE, where)
        place.write_text(declared.replace("[datasets.flat]", ROLLUP, 1) if rolled else declared)
        if rolled:
            engine.optimize_catalog(str(place))
        with engine.open_session(str(place), ledger=str(Path(made) / "ledger")) as session:
            asked = iter(range(1_000_000))

            def ask() -> float:
                number = next(asked)
                begun = time.perf_counter()
                session.query(HEADLINE.sql, client=f"bench{number}", rho=f"0.005{number:06}")
                return time.perf_counter() - begun

            yield ask
