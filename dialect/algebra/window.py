"""Window functions: the operator over a relation, its calls, and the frames that they look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from typing import Literal as OneOf

from dialect.algebra.expressions import Expr, Field, Literal

if TYPE_CHECKING:
    from dialect.algebra.directions import OrderKey
    from dialect.algebra.relations import Relation


class Unit(StrEnum):
    """What the distance of a frame's end is counted in."""

    ROWS = "ROWS"
    RANGE = "RANGE"  # of the one value that orders the rows
    GROUPS = "GROUPS"  # of rows that the order leaves equal


@dataclass(frozen=True)
class FrameEnd:
    """One end of a frame."""

    side: OneOf["preceding", "current row", "following"]
    offset: Literal | None = None  # None beside a side: no end there


@dataclass(frozen=True)
class Frame:
    """The rows around a row that a call looks at, both ends included."""

    unit: Unit
    start: FrameEnd
    end: FrameEnd

    @property
    def is_distant(self) -> bool:
        """Tell whether it ends at a distance from the value that orders the rows."""
        return self.unit is Unit.RANGE and any(end.offset is not None for end in (self.start, self.end))


@dataclass(frozen=True)
class WindowCall:
    """One function over the rows that share a row's partition."""

    function: str  # a name in dialect.functions.window_functions, or an aggregate's
    arguments: tuple[Expr, ...]
    condition: Expr | None  # FILTER
    ignore_nulls: bool
    partition: tuple[Expr, ...]
    order: tuple[OrderKey, ...]
    frame: Frame | None  # None: up to the rows that the order leaves equal, or without an order the whole partition
    field: Field  # what holds its value above


@dataclass(frozen=True)
class Window:
    """The source's rows, each with the values of some calls over the rows around it."""

    source: Relation
    calls: tuple[WindowCall, ...]


def read_by(call: WindowCall) -> tuple[Expr, ...]:
    """List every expression over rows that a call reads."""
    condition = (call.condition,) if call.condition is not None else ()
    return (*call.arguments, *condition, *call.partition, *(key.expr for key in call.order))


def looks_at_all(call: WindowCall) -> bool:
    """Tell whether a call looks at all rows of the partition, whichever row it stands in."""
    if call.frame is None:
        return not call.order
    return call.frame.start == FrameEnd("preceding") and call.frame.end == FrameEnd("following")


def holds_own_row(frame: Frame | None) -> bool:
    """Tell whether every row is in its own frame."""
    return frame is None or (frame.start.side != "following" and frame.end.side != "preceding")
