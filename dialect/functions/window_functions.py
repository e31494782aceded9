"""The allow-list of window functions: what each takes and gives, and what its value rests on.

Proof: `dialect/codegen/proofs.md#windows`.

Aggregates over frames are those of `dialect.functions.aggregates` that are named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sqlglot import exp

from dialect.catalog.model import SqlType

_I, _D = SqlType.BIGINT, SqlType.DOUBLE


class RestsOn(Enum):
    """What decides a value besides the partition."""

    PLACE = "place"  # of the row: rows that the order leaves equal are told apart
    PEERS = "peers"  # which rows the order leaves equal
    FRAME = "frame"  # one row of the frame


@dataclass(frozen=True)
class WindowFunction:
    """One allowed window function."""

    name: str
    slots: tuple[str, ...]  # of the parser's node, in order
    least: int  # arguments
    result: SqlType | None  # None: the type of the first argument
    rests_on: RestsOn
    skips_nulls: bool = False  # IGNORE NULLS is allowed


WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    f.name: f
    for f in (
        WindowFunction("row_number", (), 0, _I, RestsOn.PLACE),
        WindowFunction("ntile", ("this",), 1, _I, RestsOn.PLACE),
        WindowFunction("lag", ("this", "offset", "default"), 1, None, RestsOn.PLACE, True),
        WindowFunction("lead", ("this", "offset", "default"), 1, None, RestsOn.PLACE, True),
        WindowFunction("rank", (), 0, _I, RestsOn.PEERS),
        WindowFunction("dense_rank", (), 0, _I, RestsOn.PEERS),
        WindowFunction("percent_rank", (), 0, _D, RestsOn.PEERS),
        WindowFunction("cume_dist", (), 0, _D, RestsOn.PEERS),
        WindowFunction("first_value", ("this",), 1, None, RestsOn.FRAME, True),
        WindowFunction("last_value", ("this",), 1, None, RestsOn.FRAME, True),
        WindowFunction("nth_value", ("this", "offset"), 2, None, RestsOn.FRAME, True),
    )
}

WINDOW_NODES: dict[type[exp.Expr], str] = {
    exp.RowNumber: "row_number",
    exp.Ntile: "ntile",
    exp.Lag: "lag",
    exp.Lead: "lead",
    exp.Rank: "rank",
    exp.DenseRank: "dense_rank",
    exp.PercentRank: "percent_rank",
    exp.CumeDist: "cume_dist",
    exp.FirstValue: "first_value",
    exp.LastValue: "last_value",
    exp.NthValue: "nth_value",
}

OVER_FRAMES = {"count_star", "count", "sum", "avg", "min", "max", "bool_and", "bool_or"}  # aggregates
