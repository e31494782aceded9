"""Records of the bench: exact values, hindsight bounds and every shown cell of each question at each price, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DIGITS = 6  # significant digits that are kept
FORMAT = 1


@dataclass
class Shown:
    """Cells of one answer, in the order of its rows; NaN where there is no number or no interval."""

    group: list[int]  # index into the record's groups
    value: list[float]
    low: list[float]  # of the 95% interval
    high: list[float]
    low_half: list[float]  # of the 50% interval of the same release
    high_half: list[float]
    is_marked: list[bool]  # may be nothing: told by its reliability, or its interval holds 0


@dataclass
class Record:
    """One question at one price."""

    catalog: str
    name: str
    kind: str
    aggregate: str
    marks: list[str]
    rho: float
    top: int
    has_keys: bool
    dense: int = 0  # groups with at least 20 people
    listed: int = 0  # groups that exist, exact and shown alike
    truth: list[float] = field(default_factory=list)  # by group; NaN where SQL has NULL
    bias: list[float] = field(default_factory=list)  # of the hindsight bound, relative, by group; empty: there is none
    deviation: list[float] = field(default_factory=list)
    largest: list[int] = field(default_factory=list)  # the ten largest groups
    bias_of_largest: list[float] = field(default_factory=list)  # of the bound that is best for these
    deviation_of_largest: list[float] = field(default_factory=list)
    draws: list[Shown] = field(default_factory=list)
    seconds: float = 0.0  # of the engine, all draws
    refused: str = ""  # the refusal, if there was one

    @property
    def question(self) -> tuple[str, str]:
        """Identity of the question, at any price."""
        return self.catalog, self.name


def write_records(records: Iterable[Record], about: dict[str, Any], path: Path) -> None:
    """Write records as JSON, a record a line; NaN is null."""
    lines = (json.dumps(_rounded(asdict(record)), separators=(",", ":")) for record in records)
    head = json.dumps({"format": FORMAT, **about})
    path.write_text(f'{{"about":{head},"records":[\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def read_records(path: Path) -> tuple[list[Record], dict[str, Any]]:
    """Read records and what was noted about them."""
    document = json.loads(path.read_text(encoding="utf-8"))
    records = [_with_nan(row) for row in document["records"]]
    return [Record(**{**row, "draws": [Shown(**draw) for draw in row["draws"]]}) for row in records], document["about"]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def _with_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_nan(each) for each in value]
    return math.nan if value is None else value
