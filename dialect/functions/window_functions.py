"""Allow-list of window functions: arguments, result type, and which part of the window determines the value.

Proof: `dialect/codegen/proofs.md#windows`.
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
    """One allowed window function."""

    name: str
    node: type[exp.Expr]  # sqlglot's node of a call
    argument_slots: tuple[str, ...]  # argument names in the parser's node, in order
    min_arguments: int  # minimum number of arguments
    result: SqlType | None  # None: type of the first argument
    determined_by: DeterminedBy
    allows_ignore_nulls: bool = False  # IGNORE NULLS is allowed
    constant: int | None = None  # index of the argument that is a constant integer; None: none is
    min_constant: int = 1
    numbers_rows: bool = False  # numbers the rows of a partition from 1
    ranks_rows: bool = False  # one more than the rows before the peers
    reads_first: bool = False  # the first row of the frame decides
    offset_sign: int = 0  # LAG and LEAD: direction of the offset; they have a default for a missing row

    @property
    def returns_argument(self) -> bool:
        """Whether the result is one of the argument's values; other results are never NULL."""
        return self.result is None


MAX_OFFSET = 10**9  # largest constant offset, in rows or groups
_OFFSET_SLOTS = ("this", "offset", "default")
WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    f.name: f
    for f in (
        WindowFunction("row_number", exp.RowNumber, (), 0, _I, DeterminedBy.PLACE, numbers_rows=True),
        WindowFunction("ntile", exp.Ntile, ("this",), 1, _I, DeterminedBy.PLACE, constant=0),
        WindowFunction("lag", exp.Lag, _OFFSET_SLOTS, 1, None, DeterminedBy.PLACE, True, 1, -MAX_OFFSET, offset_sign=1),
        WindowFunction(
            "lead", exp.Lead, _OFFSET_SLOTS, 1, None, DeterminedBy.PLACE, True, 1, -MAX_OFFSET, offset_sign=-1
        ),
        WindowFunction("rank", exp.Rank, (), 0, _I, DeterminedBy.PEERS, ranks_rows=True),
        WindowFunction("dense_rank", exp.DenseRank, (), 0, _I, DeterminedBy.PEERS),
        WindowFunction("percent_rank", exp.PercentRank, (), 0, _D, DeterminedBy.PEERS),
        WindowFunction("cume_dist", exp.CumeDist, (), 0, _D, DeterminedBy.PEERS),
        WindowFunction("first_value", exp.FirstValue, ("this",), 1, None, DeterminedBy.FRAME, True, reads_first=True),
        WindowFunction("last_value", exp.LastValue, ("this",), 1, None, DeterminedBy.FRAME, True),
        WindowFunction("nth_value", exp.NthValue, ("this", "offset"), 2, None, DeterminedBy.FRAME, True, constant=1),
    )
}


def numbers_rows(name: str) -> bool:
    """Return whether a window function, or aggregate, numbers the rows of a partition from 1."""
    return name in WINDOW_FUNCTIONS and WINDOW_FUNCTIONS[name].numbers_rows


def ranks_rows(name: str) -> bool:
    """Return whether a window function is the rank of a row, which peers share."""
    return name in WINDOW_FUNCTIONS and WINDOW_FUNCTIONS[name].ranks_rows


WINDOW_NODES = {f.node: f.name for f in WINDOW_FUNCTIONS.values()}
