"""Exact values and hindsight bounds of questions, computed on plain DuckDB over eligible rows, and kept in a cache."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.honesty import hindsight, questions
from tests.bench.honesty.catalogs import Opened, work_folder
from tests.bench.honesty.hindsight import Contributions, Floats, Hindsight, hindsights
from tests.bench.honesty.questions import Aggregate, Question

SELECTION_SHARE = 0.5  # of the price, for the choice of private keys


@dataclass(frozen=True)
class Truth:
    """What a question would be answered without noise, bounds and thresholds."""

    keys: tuple[str, ...]  # by group: its keys as text
    exact: Floats  # NaN where SQL has NULL
    people: Floats
    bounds: dict[float, tuple[Hindsight, Hindsight]]  # by rho: over all groups, over the largest alone

    @property
    def dense(self) -> int:
        """Number of groups with at least DENSE people."""
        return int((self.people >= DENSE).sum())


DENSE = 20  # people: fewer make a group sparse


def truth_of(question: Question, opened: Opened, rhos: Sequence[float]) -> Truth:
    """Compute the truth of a question, or read it from the cache."""
    path = _cache_file(question, opened, rhos)
    if path.exists():
        try:
            return _read(path, rhos)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            path.unlink()
    made = _computed(question, opened, rhos)
    _write(path, made)
    return made


def key_text(values: Iterable[Any]) -> str:
    """Text of a group's keys, equal for both engines."""
    return " | ".join(map(_text, values))


def _text(value: Any) -> str:
    if isinstance(value, datetime.datetime) and value.time() == datetime.time.min:
        return str(value.date())
    return "NULL" if value is None else str(value)


def _computed(question: Question, opened: Opened, rhos: Sequence[float]) -> Truth:
    count = len(question.keys)
    order = ", ".join(f"k{i}" for i in range(count))
    by = f" ORDER BY {order}" if count else ""
    rows = opened.plain.query(f"SELECT * FROM ({question.plain_sql()}){by}").rows
    people = opened.plain.query(f"SELECT * FROM ({question.people_sql()}){by}").rows
    keys = tuple(key_text(row[:-1]) for row in rows)
    exact = np.array([math.nan if row[-1] is None else float(row[-1]) for row in rows])
    bounds = {}
    if question.measure.contributions:
        of = _contributions(question, opened)
        for rho in rhos:
            share = SELECTION_SHARE if question.rows.has_private_keys else 1.0
            facts = (question.measure.aggregate, question.measure.centre, rho * share, question.rows.sensitivity)
            bounds[rho] = hindsights(of, exact, *facts)
    return Truth(keys, exact, np.array([float(row[-1]) for row in people]), bounds)


def _contributions(question: Question, opened: Opened) -> Contributions:
    """Read every unit's contribution to every group, with the unit's norm.

    People who are counted once over several windows have in each group the part of their least clipped window.
    """
    vectors = range(len(question.measure.contributions))
    order = ", ".join(f"k{i}" for i in range(len(question.keys)))
    group = f"dense_rank() OVER (ORDER BY {order}) - 1" if order else "0"
    norms = ", ".join(f"sqrt(sum(v{i} * v{i}) OVER (PARTITION BY person, win)) AS m{i}" for i in vectors)
    values = ", ".join(f"v{i}" for i in vectors)
    sql = f"SELECT person, {group} AS g, {values}, {norms} FROM ({question.contributions_sql()})"
    if question.measure.aggregate is Aggregate.PEOPLE:
        sql = f"SELECT g, 1.0 AS v0, min(m0) AS m0 FROM ({sql}) GROUP BY person, g"
    table = opened.plain.arrow(sql)
    columns = {name: table.column(name).to_numpy() for name in table.column_names if name != "person"}
    return Contributions(
        columns["g"].astype(np.int64),
        tuple(np.nan_to_num(columns[f"v{i}"].astype(np.float64)) for i in vectors),
        tuple(np.nan_to_num(columns[f"m{i}"].astype(np.float64)) for i in vectors),
    )


def _cache_file(question: Question, opened: Opened, rhos: Sequence[float]) -> Path:
    code = "".join(Path(str(each.__file__)).read_text(encoding="utf-8") for each in (hindsight, questions))
    code += Path(__file__).read_text(encoding="utf-8")
    asked = [question.plain_sql(), question.contributions_sql(), question.rows.sensitivity, question.measure.centre]
    facts = [opened.digest, asked, question.rows.has_private_keys, list(rhos), code]
    return work_folder() / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]}.npz"


def _write(path: Path, truth: Truth) -> None:
    arrays: dict[str, Any] = {"keys": np.array(truth.keys), "exact": truth.exact, "people": truth.people}
    for rho, pair in truth.bounds.items():
        for name, each in zip(("all", "largest"), pair, strict=True):
            arrays[f"{name} {rho}"] = np.stack([np.full(len(each.bias), each.clip_bound), each.bias, each.deviation])
    unfinished = path.with_suffix(".unfinished.npz")
    np.savez_compressed(unfinished, **arrays)
    unfinished.replace(path)


def _read(path: Path, rhos: Sequence[float]) -> Truth:
    with np.load(path) as arrays:
        bounds = {
            rho: (_stored(arrays[f"all {rho}"]), _stored(arrays[f"largest {rho}"]))
            for rho in rhos
            if f"all {rho}" in arrays
        }
        return Truth(tuple(map(str, arrays["keys"])), arrays["exact"], arrays["people"], bounds)


def _stored(rows: Floats) -> Hindsight:
    return Hindsight(float(rows[0, 0]) if rows.shape[1] else math.nan, rows[1], rows[2])
