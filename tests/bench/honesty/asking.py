"""Answers of the engine through the analyst's session, each draw on a ledger of its own, so that nothing is repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pyarrow as pa

from budgets import Ledger
from dialect import BoundedSql
from engine.api.session import Session
from engine.backends.exact import Exact
from engine.backends.protocol import Backend
from engine.errors import Refused
from passersby.result.card import Answer
from tests.bench.honesty.catalogs import Opened, Subject
from tests.bench.honesty.cells import Record, Shown
from tests.bench.honesty.questions import Aggregate, Question
from tests.bench.honesty.truth import Truth, key_text, truth_of


class ReadOnce:
    """A backend that reads each question's exact integers once for all draws; nothing else of it changes."""

    def __init__(self, backend: Backend) -> None:
        self._backend, self._read = backend, dict[str, Exact]()

    def sharing(self) -> AbstractContextManager[Any]:
        """Run the statements of a release as any others."""
        return nullcontext(self.run)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def run(self, bounded: BoundedSql, *tables: pa.Table, **named: pa.Table) -> Exact:
        """Run bounded SQL, or return what it gave; SQL over rows that are sent along is always run."""
        given = [each for each in (*tables, *named.values()) if each is not None]
        if any(table.num_rows for table in given) or len(given) > 1:
            return self._backend.run(bounded, *tables, **named)
        if bounded.text not in self._read:
            self._read[bounded.text] = self._backend.run(bounded, *tables, **named)
        return self._read[bounded.text]


LEVELS = (0.95, 0.5)
MAX_GROUPS = 1500  # kept of one record with public keys: the largest, and an even sample of the others by size
ALWAYS_KEPT = 50
IS_WEAK = "noise"  # the reliability of a number that may be nothing
COUNTED = (Aggregate.ROWS, Aggregate.PEOPLE, Aggregate.SUM, Aggregate.DISTINCT)  # 0 where there are no rows


def records_of(
    subject: Subject,
    opened: Opened,
    asked: Sequence[Question],
    rhos: Sequence[float],
    draws: int,
    progress: Callable[[str], None],
) -> list[Record]:
    """Ask every question at every price."""
    found = []
    for place, question in enumerate(asked):
        began = time.perf_counter()
        truth = truth_of(question, opened, rhos)
        known = time.perf_counter() - began
        backend = cast("Backend", ReadOnce(opened.session.engine.backend))
        session = replace(opened.session, engine=replace(opened.session.engine, backend=backend))
        made = [_record(subject, question, truth, session, rho, draws) for rho in rhos]
        refused = next((f"; REFUSED: {each.refused}" for each in made if each.refused), "")
        seconds = sum(each.seconds for each in made)
        progress(
            f"{subject.name} {place + 1}/{len(asked)}: {question.name}"
            f" ({known:.1f} s exact, {seconds:.1f} s asked{refused})"
        )
        found += made
    return found


def _record(subject: Subject, question: Question, truth: Truth, session: Session, rho: float, draws: int) -> Record:
    facts = (subject.name, question.name, str(question.kind), str(question.measure.aggregate), sorted(question.marks))
    record = Record(*facts, rho, question.top, bool(question.keys), truth.dense)
    groups = {key: i for i, key in enumerate(truth.keys)}
    began = time.perf_counter()
    try:
        record.draws = [_draw(question, session, rho, groups) for _ in range(draws)]
    except Refused as refused:
        record.refused = " ".join(str(refused).split())[:200]
    record.seconds = time.perf_counter() - began
    record.listed = len(groups)
    missing = 0.0 if question.measure.aggregate in COUNTED else np.nan
    exact = np.concatenate([truth.exact, np.full(len(groups) - len(truth.exact), missing)])
    record.truth = exact.tolist()
    if rho in truth.bounds:
        every, largest = truth.bounds[rho]
        record.bias, record.deviation = every.bias.tolist(), every.deviation.tolist()
        size = np.where(np.isfinite(truth.exact), np.abs(truth.exact), 0.0)
        record.largest = [int(i) for i in np.argsort(-size, kind="stable")[:10] if size[i] > 0]
        record.bias_of_largest = largest.bias[record.largest].tolist()
        record.deviation_of_largest = largest.deviation[record.largest].tolist()
    is_whole = question.top or question.rows.has_private_keys or len(groups) <= MAX_GROUPS
    return record if is_whole else _sampled(record)


def _draw(question: Question, session: Session, rho: float, groups: dict[str, int]) -> Shown:
    """Ask once on a new ledger, at two levels of confidence; the second answer is the first one's release."""
    with Ledger.open(":memory:") as ledger:
        asking = replace(session, engine=replace(session.engine, ledger=ledger))
        sql, price = question.sql(), format(rho, "f")
        wide, narrow = (Answer(asking.query(sql, client="bench", rho=price, confidence=level)) for level in LEVELS)
    if not narrow.replayed:
        raise AssertionError(f"asked again at another level, {sql!r} was released anew")
    keys = len(question.keys)
    place = [groups.setdefault(key_text(row[:keys]), len(groups)) for row in wide.rows]
    position = {key_text(row[:keys]): i for i, row in enumerate(narrow.rows)}
    at = [position.get(key_text(row[:keys])) for row in wide.rows]
    outer = [ends or (np.nan, np.nan) for ends in wide.intervals["n"]]
    halves = narrow.intervals["n"]
    inner = [(None if i is None else halves[i]) or (np.nan, np.nan) for i in at]
    words = wide.reliability.get("n") or [None] * len(outer)
    return Shown(
        place,
        [np.nan if row[-1] is None else float(row[-1]) for row in wide.rows],
        [float(ends[0]) for ends in outer],
        [float(ends[1]) for ends in outer],
        [float(ends[0]) for ends in inner],
        [float(ends[1]) for ends in inner],
        [bool(word == IS_WEAK or ends[0] <= 0 <= ends[1]) for word, ends in zip(words, outer, strict=True)],
    )


def _sampled(record: Record) -> Record:
    """Keep a part of the groups, the same for all draws."""
    truth = np.array(record.truth)
    order = np.argsort(-np.where(np.isfinite(truth), np.abs(truth), 0.0), kind="stable")
    rest = order[ALWAYS_KEPT:]
    step = -(-len(rest) // (MAX_GROUPS - ALWAYS_KEPT))
    kept = np.sort(np.concatenate([order[:ALWAYS_KEPT], rest[::step]]))
    new = {int(old): i for i, old in enumerate(kept)}
    known = [int(i) for i in kept if i < len(record.bias)]
    record.truth = truth[kept].tolist()
    record.bias, record.deviation = ([of[i] for i in known] for of in (record.bias, record.deviation))
    record.largest = [new[i] for i in record.largest]
    record.draws = [_of_groups(draw, new) for draw in record.draws]
    return record


def _of_groups(draw: Shown, new: dict[int, int]) -> Shown:
    rows = [i for i, group in enumerate(draw.group) if group in new]
    columns = (draw.value, draw.low, draw.high, draw.low_half, draw.high_half, draw.is_marked)
    return Shown([new[draw.group[i]] for i in rows], *([column[i] for i in rows] for column in columns))  # type: ignore[arg-type]
