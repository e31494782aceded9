"""How long other systems take for the question of the headline, and how long this one does, before and after each.

Every system has read the rows before its clock starts, answers some times in one process, and is told with its median:
bounds as it comes, two threads where it can be told so. What this engine takes is all of an answer, ledger on the disk
included, each for another client at another price.
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

HEAD = ("system", "answers", "seconds of one", "passersby, before and after", "times as long")


@dataclass(frozen=True)
class Lap:
    """What one rival took, and this engine beside it."""

    rival: str
    told: str  # its own error, or how its bounds were set
    seconds: tuple[float, ...] = ()
    own: tuple[float, ...] = ()

    def cells(self) -> tuple[object, ...]:
        """Give what HEAD names."""
        if not self.seconds:
            return self.rival, 0, self.told, "", ""
        one, own = statistics.median(self.seconds), statistics.median(self.own)
        return self.rival, len(self.seconds), one, own, one / own


def main(events: int, runs: int) -> None:
    """Print what everybody took, row by row."""
    del events  # the headline has ten million rows
    where = world(HEADLINE.world, folder(), 0)
    print(f"{where.rows:,} rows of {where.people:,} people, {HEADLINE.sql}\n", flush=True)
    with _opened(where) as ask:
        ask()
        table(HEAD, (_lap(rival, where, ask, runs).cells() for rival in RIVALS))


def _lap(rival: Rival, where: World, ask: Callable[[], float], runs: int) -> Lap:
    failing = installed(rival)
    if failing is not None:
        return Lap(rival.name, failing)
    name = f"race-{rival.adapter.removesuffix('.py')}"
    (folder() / "asked" / f"{name}.json").unlink(missing_ok=True)  # or what it answered before would be taken
    before = [ask() for _ in range(runs)]
    found = asked_of(rival, job_of(HEADLINE, where, as_it_comes(rival.name, HEADLINE), rival.runs), name)
    after = [ask() for _ in range(runs)]
    if "error" in found:
        return Lap(rival.name, found["error"])
    return Lap(rival.name, found["setting"], tuple(found["each"]), (*before, *after))


@contextmanager
def _opened(where: World) -> Iterator[Callable[[], float]]:
    """Give what asks this engine once more, of another client at another price, and tells the seconds."""
    with tempfile.TemporaryDirectory() as made, patch.dict(os.environ, PASSERSBY_DATA=made):
        place = Path(made) / "catalog.toml"
        place.write_text(ours.catalog(HEADLINE, where))
        with engine.open_desk(str(place), ledger=str(Path(made) / "ledger")) as desk:
            asked = iter(range(1_000_000))

            def ask() -> float:
                number = next(asked)
                begun = time.perf_counter()
                desk.query(HEADLINE.sql, client=f"bench{number}", rho=f"0.005{number:06}")
                return time.perf_counter() - begun

            yield ask
