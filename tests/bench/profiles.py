"""Time of a question whose catalog declares no clip bounds, with a profile bought or stored.

The reference is the same question over the same rows with declared clip bounds, which buys no profile. All three run in
turn, in one process, warm.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from budgets import Charge, Ledger
from dialect import Question, Refusal, compile_query
from engine.backends.protocol import Run
from engine.catalog.file import load_catalog
from engine.catalog.operator import operator_path
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from tests.bench.guard import Guard
from tests.bench.machine import table
from tests.bench.pairs import RHO, opened

QUESTIONS = {
    "rows in all": "SELECT count(*) AS n FROM event",
    "rows by hour": "SELECT hour(ts) AS h, count(*) AS n FROM event GROUP BY 1",
    "rows by cell": "SELECT cell_id, count(*) AS n FROM event GROUP BY 1",
    "rows by zone and hour, joined": """SELECT c.zone_id, hour(e.ts) AS h, count(*) AS n
 FROM event e JOIN cell c USING (cell_id) GROUP BY 1, 2""",
    "rows, people and sum by zone and hour": """SELECT c.zone_id, hour(e.ts) AS h, count(*) AS n,
 count(DISTINCT e.subscriber_id) AS people, sum(c.range_m) AS metres FROM event e JOIN cell c USING (cell_id) GROUP BY 1, 2""",
    "rows by age and gender, people joined": """SELECT s.age_band, s.gender, count(*) AS n
 FROM event e JOIN subscriber s USING (subscriber_id) GROUP BY 1, 2""",
    "rows of a week by zone": """SELECT c.zone_id, count(*) AS n FROM event e JOIN cell c USING (cell_id)
 WHERE ts >= '2026-10-05' AND ts < '2026-10-12' GROUP BY 1""",
    "people by zone": "SELECT zone_id, count(DISTINCT subscriber_id) AS p FROM visit GROUP BY 1",
    "sum by place": "SELECT place_id, sum(dwell_min) AS s FROM visit GROUP BY 1",
    "average in all": "SELECT avg(dwell_min) AS m FROM visit",
    "average by place": "SELECT place_id, avg(dwell_min) AS m FROM visit GROUP BY 1",
    "rows and kilometres by mode": "SELECT mode, count(*) AS n, sum(dist_km) AS km FROM trip GROUP BY 1",
    "rows by origin and destination": """SELECT o_zone, d_zone, count(*) AS n FROM trip GROUP BY 1, 2""",
    "visits per person, summed by age": """SELECT s.age_band, sum(v.n) AS visits FROM subscriber s
 JOIN (SELECT subscriber_id, count(*) AS n FROM visit GROUP BY 1) v USING (subscriber_id) GROUP BY 1""",
}


@dataclass(frozen=True)
class WithStored(Engine):
    """Engine that finds each profile stored: the payload of the last one that was drawn of the question."""

    drawn: dict[str, bytes] = field(default_factory=dict, compare=False)  # by text of the plan's vectors
    is_stored: list[bool] = field(default_factory=lambda: [False], compare=False)

    def settle(
        self, question: Question, charged_releases: tuple[CompiledRelease, ...], charge: Charge | None
    ) -> Mapping[str, bytes]:
        """Settle as if the ledger had returned the profiles."""
        if self.is_stored[0] and charge is not None:
            keys = {
                p.profile.release_key: repr(p.profile.shared.histograms)
                for p in charged_releases
                if p.profile is not None
            }
            stored = {key: self.drawn[text] for key, text in keys.items()}
            charge = replace(charge, stored={**charge.stored, **stored})
        return super().settle(question, charged_releases, charge)

    def _draw_profiles(
        self, running: list[CompiledRelease], charge: Charge, objected: pa.Table, run: Run
    ) -> Mapping[str, bytes]:
        found = super()._draw_profiles(running, charge, objected, run)
        drawn = {
            repr(p.profile.shared.histograms): found[p.profile.release_key] for p in running if p.profile is not None
        }
        self.drawn.update(drawn)
        return found


@dataclass(frozen=True)
class Timed:
    """One question with declared clip bounds, with a profile bought, and with one stored: medians."""

    seconds: tuple[float, float, float]
    ratios: tuple[float, float]  # of bought and stored to declared, on the clock
    processor: tuple[float, float]  # the same of processor time: of a busy machine it tells more


def main(events: int, runs: int) -> None:
    """Print both ratios of each question, and the guard's findings."""
    guard = Guard("profiles")
    print(f"{events:.0e} events, two threads, warm, {runs} triples; one durable ledger file, nothing replayed\n")
    rows = list[tuple[Any, ...]]()
    with _engines(events) as (declared, undeclared, folder):
        for name, sql in QUESTIONS.items():
            try:
                found = _timed(declared, undeclared, folder, sql, runs)
            except Refusal as refusal:
                print(name, refusal)
                continue
            rows.append((name, *found.seconds, *found.ratios, *found.processor))
    table(("question", "declared s", "bought s", "stored s", "bought", "stored", "processor", "processor"), rows)
    for place, name in (
        (4, "bought"),
        (5, "stored"),
        (6, "bought, of processor time"),
        (7, "stored, of processor time"),
    ):
        ratios = [row[place] for row in rows]
        guard.ratio(f"median with a profile {name}", statistics.median(ratios))
        print(
            f"\nprofile {name}: median of {len(ratios)} ratios {statistics.median(ratios):.2f}, largest {max(ratios):.2f}"
        )
    print(f"\n{guard.summary()}")


@contextmanager
def _engines(events: int) -> Iterator[tuple[Engine, WithStored, Path]]:
    """Open one file twice: with declared clip bounds, and with the catalog as shipped, which has none."""
    with opened(events, "person") as (_, declared, folder):
        bundled = load_catalog(operator_path(events, order="person"))
        yield declared, WithStored(bundled, declared.backend, declared.ledger, declared.add_noise), folder


def _timed(declared: Engine, undeclared: WithStored, folder: Path, sql: str, runs: int) -> Timed:
    """Time a question three ways in turn; each run is of another client at another price, so that none is a repeat.

    Each catalog has a ledger of its own: what is not clipped is the same release in both.
    """
    with (
        Ledger.open(folder / f"{uuid4().hex}.ledger") as of_declared,
        Ledger.open(folder / f"{uuid4().hex}.ledger") as of_undeclared,
    ):
        engines = [replace(declared, ledger=of_declared), replace(undeclared, ledger=of_undeclared)]
        terms = [Request(f"bench{run}", RHO + Fraction(run, 10**9)) for run in range(2 * runs + 2)]
        for each in engines:
            for asked in terms:  # the scale of a price is known where it was asked before, that of a profile, too
                compiled = each.compile(compile_query(sql, each.catalog), asked)
                assert all(release.losses for release in compiled.releases)
        times = []
        for run in range(runs + 1):
            first, second = terms[2 * run], terms[2 * run + 1]
            undeclared.is_stored[0] = False
            declared_and_bought = [_taken(each, sql, first) for each in engines]
            undeclared.is_stored[0] = True
            times.append([*declared_and_bought, _taken(engines[1], sql, second)])
    walls, processors = ([[pair[kind] for pair in triple] for triple in times[1:]] for kind in (0, 1))
    medians = [statistics.median(column) for column in zip(*walls, strict=True)]
    return Timed((medians[0], medians[1], medians[2]), _ratios(walls), _ratios(processors))


def _ratios(times: list[list[float]]) -> tuple[float, float]:
    """Medians of the ratios to declared clip bounds, with a profile bought and stored."""
    bought, stored = (statistics.median(triple[way] / triple[0] for triple in times) for way in (1, 2))
    return bought, stored


def _taken(engine: Engine, sql: str, request: Request) -> tuple[float, float]:
    """Seconds on the clock and of the processor that a question takes."""
    begun, busy = time.perf_counter(), time.process_time()
    engine.answer(sql, request)
    return time.perf_counter() - begun, time.process_time() - busy
