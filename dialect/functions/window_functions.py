"""Allow-list of window functions: arguments, result type, and which part of the window determines the value.

Proof: `dialect/codegen/proofs.md#windows`.

FRAME_AGGREGATES lists the aggregates of `dialect.functions.aggregates` that may be used over a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sqlglot import exp

from dialect.catalog.model import SqlType

_I, _D = SqlType.BIGINT, SqlType.DOUBLE


class DeterminedBy(Enum):
    """What determines a window function's value, apart from the partition.

    Peers are rows that the call's ORDER BY leaves equal.
    """

    PLACE = "place"  # position of the row, which needs a total order among peers
    PEERS = "peers"  # the sets of peer rows
    FRAME = "frame"  # one row of the frame, selected by position


@dataclass(frozen=True)
class WindowFunction:
    """One allowed window function; WINDOW_NODES maps the parser's nodes to its name."""

    name: str
    argument_slots: tuple[str, ...]  # argument names in the parser's node, in order
    min_arguments: int  # minimum number of arguments
    result: SqlType | None  # None: type of the first argument
    determined_by: DeterminedBy
    allows_ignore_nulls: bool = False  # IGNORE NULLS is allowed


WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    f.name: f
    for f in (
        WindowFunction("row_number", (), 0, _I, DeterminedBy.PLACE),
        WindowFunction("ntile", ("this",), 1, _I, DeterminedBy.PLACE),
        WindowFunction("lag", ("this", "offset", "default"), 1, None, DeterminedBy.PLACE, True),
        WindowFunction("lead", ("this", "offset", "default"), 1, None, DeterminedBy.PLACE, True),
        WindowFunction("rank", (), 0, _I, DeterminedBy.PEERS),
        WindowFunction("dense_rank", (), 0, _I, DeterminedBy.PEERS),
        WindowFunction("percent_rank", (), 0, _D, DeterminedBy.PEERS),
        WindowFunction("cume_dist", (), 0, _D, DeterminedBy.PEERS),
        WindowFunction("first_value", ("this",), 1, None, DeterminedBy.FRAME, True),
        WindowFunction("last_value", ("this",), 1, None, DeterminedBy.FRAME, True),
        WindowFunction("nth_value", ("this", "offset"), 2, None, DeterminedBy.FRAME, True),
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

FRAME_AGGREGATES = {"count_star", "count", "sum", "avg", "min", "max", "bool_and", "bool_or"}
