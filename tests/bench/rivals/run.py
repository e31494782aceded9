"""Run every query on every system and report it: a table, two plots and a page in the cache folder.

The page says on what machine, with which versions, and how every bound was set. A rival that can't be installed or
fails is in the table with its own error.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.bench.rivals import ours
from tests.bench.rivals.envs import RIVALS, Rival, asked_of, folder, installed
from tests.bench.rivals.page import write_page
from tests.bench.rivals.questions import DELTA, EPSILON, QUESTIONS, Asked
from tests.bench.rivals.results import Cell, Coverage, judged
from tests.bench.rivals.settings import as_it_comes, by_hand
from tests.bench.rivals.tuning import Truth
from tests.bench.rivals.worlds import World, world

OURS = "passersby"
Told = dict[tuple[str, str, str], Cell]  # question, system, "default" or "tuned"


def own(events: int, runs: int) -> None:
    """Run this engine alone."""
    main(events, runs, ())


def main(events: int, runs: int, rivals: Sequence[Rival] = RIVALS) -> None:
    """Run everything, this engine `runs` times; cached answers of rivals are reused."""
    failing = {}
    for rival in rivals:
        _say(f"installing {rival.name}")
        failing[rival.name] = installed(rival)
    cells: Told = {}
    coverage: dict[str, Coverage] = {}
    worlds: dict[str, World | None] = {}
    for asked in QUESTIONS:
        if asked.world not in worlds:
            worlds[asked.world] = _world(asked.world, events)
        where = worlds[asked.world]
        if where is None:
            continue
        truth = Truth(asked, where)
        cells[name_of(asked), OURS, "default"], coverage[name_of(asked)] = _of_ours(asked, where, truth, runs)
        for rival in rivals:
            for column in ("default", "tuned"):
                cells[name_of(asked), rival.name, column] = _of_rival(
                    rival, asked, where, truth, column, failing[rival.name]
                )
    write_page(cells, coverage, worlds, runs)


def name_of(asked: Asked) -> str:
    """Name of a query with its world."""
    return f"{asked.world}: {asked.name}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _world(name: str, events: int) -> World | None:
    try:
        return world(name, folder(), events)
    except Exception as error:  # MiBici is published by others, and may not be here
        _say(f"{name}: {error}")
        return None


def _of_rival(rival: Rival, asked: Asked, where: World, truth: Truth, column: str, failing: str | None) -> Cell:
    if failing is not None:
        return Cell(failed=failing)
    setting = as_it_comes(rival.name, asked) if column == "default" else by_hand(rival.name, asked, where, truth)
    name = re.sub(r"\W+", "-", f"{name_of(asked)}-{where.rows}-{rival.name}-{column}".lower())
    _say(f"asking {name}: {dict(setting)}")
    found = asked_of(rival, job_of(asked, where, setting, rival.runs), name)
    if "error" in found:
        _say(f"  {found['error'][:200]}")
        return Cell(failed=found["error"], version=found.get("version", ""))
    cell = judged(found["answers"], truth.answers(), asked.kind == "mean")
    _say(f"  error {cell.error:.2%}, bias {cell.bias:+.2%}")
    return dataclasses.replace(cell, setting=found["setting"], version=found["version"], seconds=found["seconds"])


def job_of(asked: Asked, where: World, setting: Mapping[str, Any], runs: int) -> dict[str, Any]:
    """Job of an adapter: the file, the query, public facts, and how bounds are set."""
    return {
        "data": str(where.path), "rows": where.rows, "people": where.people, "keys": list(asked.keys),
        "listed": {key: list(values) for key, values in where.keys.items() if key in asked.keys},
        "kind": asked.kind, "value": asked.value, "ends": list(asked.ends), "private": asked.private,
        "epsilon": float(EPSILON), "delta": float(DELTA), "runs": runs, "setting": dict(setting),
    }  # fmt: skip


def _of_ours(asked: Asked, where: World, truth: Truth, runs: int) -> tuple[Cell, Coverage]:
    _say(f"asking {name_of(asked)}: {OURS}")
    given = ours.ask(asked, where, runs)
    true = truth.answers()
    cell = judged([each.answers for each in given], true, asked.kind == "mean")
    _say(f"  error {cell.error:.2%}, bias {cell.bias:+.2%}; {given[0].setting}")
    return dataclasses.replace(cell, setting=given[0].setting), _coverage(given, true)


def _coverage(given: list[ours.Given], true: Mapping[str, float]) -> Coverage:
    alone, told, widths = [], [], []
    for each in given:
        for key, (lower, upper) in each.intervals.items():
            value, bias = true.get(key, 0.0), each.bias or 0.0
            size = max(0.0, each.answers.get(key, 0.0))
            off = each.within.get("share", 0.0) * size + each.within.get("amount", 0.0)
            alone.append(lower <= value <= upper)
            told.append(lower - off <= value <= upper + off + size * -bias / (1 + bias))
            if key in each.noise:
                widths.append((upper - lower) / 2 / each.noise[key])
    width = float(np.median(widths)) if widths else float("nan")
    return Coverage(float(np.mean(alone)), float(np.mean(told)), width, any(each.bias or each.within for each in given))
