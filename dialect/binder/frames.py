"""What stands between the brackets of OVER: partition, order and frame, merged with a named window and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.directions import OrderKey
from dialect.algebra.expressions import Literal
from dialect.algebra.window import Frame, FrameEnd, Unit
from dialect.binder.names import RowNames, Scope
from dialect.binder.scalars import Names, scalar
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.constant_folding import MONTHS, SECONDS
from dialect.parser.context import only, refusal
from dialect.stability.calls import call

FARTHEST = 10**9  # rows, groups or places that a constant may count
_SIDES = {"PRECEDING": "preceding", "FOLLOWING": "following"}
_STEPS = ("preceding", "current row", "following")
_MONTH = 30 * 86_400  # seconds
_HOURS = "RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW"


@dataclass(frozen=True)
class Spec:
    """A window as it is written."""

    partition: tuple[exp.Expr, ...] = ()
    order: tuple[exp.Expr, ...] = ()
    frame: exp.Expr | None = None


def named_windows(tree: exp.Select) -> dict[str, Spec]:
    """Read the WINDOW clause; a window may build on one before it."""
    named: dict[str, Spec] = {}
    for node in tree.args.get("windows") or ():
        name = node.this.name.lower()
        if name in named:
            raise refusal(Code.WINDOW, f"{name[:40]} stands twice in WINDOW.", "give each window its own name", node)
        named[name] = spec_of(node, named)
    return named


def spec_of(node: exp.Expr, named: Mapping[str, Spec]) -> Spec:
    """Read a window, with what it takes from a named one."""
    order = node.args.get("order")
    own = Spec(
        tuple(node.args.get("partition_by") or ()),
        () if order is None else tuple(order.expressions),
        node.args.get("spec"),
    )
    name = node.alias.lower()
    if not name:
        return own
    if name not in named:
        hint = f"one of {', '.join(list(named)[:12])}" if named else "WINDOW name AS (PARTITION BY ...)"
        raise refusal(Code.WINDOW, f"There is no window {name[:40]} here.", hint, node)
    base = named[name]
    twice = (base.partition and own.partition) or (base.order and own.order) or (base.frame and own != Spec())
    if twice:
        raise refusal(Code.WINDOW, f"The window {name[:40]} says that already.", "write this window out", node)
    return Spec(own.partition or base.partition, own.order or base.order, own.frame or base.frame)


def order_of(spec: Spec, names: Names) -> tuple[OrderKey, ...]:
    """Read the order of a window's rows."""
    keys = []
    for term in spec.order:
        only(term, "this", "desc", "nulls_first", code=Code.WINDOW)
        descending, nulls_first = bool(term.args.get("desc")), bool(term.args.get("nulls_first"))
        keys.append(OrderKey(scalar(term.this, names), descending, nulls_first))
    return tuple(keys)


def frame_of(spec: Spec, order: tuple[OrderKey, ...]) -> tuple[Frame | None, tuple[OrderKey, ...]]:
    """Read the frame, and the order as distances are taken in it; raises Refusal with E_WINDOW."""
    node = spec.frame
    if node is None:
        return None, order
    only(node, "kind", "start", "start_side", "end", "end_side", code=Code.WINDOW)
    start = _end(node.args.get("start"), node.args.get("start_side"), node)
    end = _end(node.args.get("end"), node.args.get("end_side"), node)
    frame = Frame(Unit(str(node.args["kind"]).upper()), start, end)
    _check_ends(frame, node)
    if frame.unit is not Unit.RANGE:
        _check_counted(frame, order, node)
        return frame, order
    return _distances(frame, order, node)


def _end(part: exp.Expr | str | None, side: str | None, node: exp.Expr) -> FrameEnd:
    if part is None or part == "CURRENT ROW" or side is None:
        return FrameEnd("current row")
    where: FrameEnd = FrameEnd("preceding") if side.upper() == "PRECEDING" else FrameEnd("following")
    if isinstance(part, str):
        return where
    offset = scalar(part, RowNames(Scope()))
    if not isinstance(offset, Literal) or offset.value is None or _is_negative(offset):
        why = "A frame ends at a constant distance that is not negative."
        raise refusal(Code.WINDOW, why, "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", node)
    return replace(where, offset=offset)


def _is_negative(offset: Literal) -> bool:
    if isinstance(offset.value, str):
        return offset.type is not SqlType.INTERVAL or offset.value.startswith("-")
    return isinstance(offset.value, bool) or offset.value is None or offset.value < 0


def _check_ends(frame: Frame, node: exp.Expr) -> None:
    """Refuse frames that end before they start, as the engine does or as no row could be in them."""
    start, end = _STEPS.index(frame.start.side), _STEPS.index(frame.end.side)
    open_start = frame.start == FrameEnd("following")
    open_end = frame.end == FrameEnd("preceding")
    if open_start or open_end or start > end or (start == end and _is_turned(frame)):
        why = "This frame ends before it starts."
        raise refusal(Code.WINDOW, why, "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", node)


def _is_turned(frame: Frame) -> bool:
    """Tell whether two ends on one side stand in the wrong order."""
    first, last = (_length(end.offset) for end in (frame.start, frame.end))
    if first is None or last is None:
        return False
    return first < last if frame.start.side == "preceding" else first > last


def _length(offset: Literal | None) -> float | None:
    """Measure a distance: a number itself, an interval in seconds, a month being 30 days."""
    if offset is None:
        return None
    if isinstance(offset.value, int | float):
        return float(offset.value)
    amount, unit = str(offset.value).split(" ")
    return int(amount) * (MONTHS[unit] * _MONTH if unit in MONTHS else SECONDS[unit])


def _check_counted(frame: Frame, order: Sequence[OrderKey], node: exp.Expr) -> None:
    offsets = [end.offset for end in (frame.start, frame.end) if end.offset is not None]
    if any(offset.type is not SqlType.BIGINT or int(offset.value or 0) > FARTHEST for offset in offsets):
        why = f"{frame.unit} are counted by whole numbers of at most {FARTHEST:,}."
        raise refusal(Code.WINDOW, why, f"{frame.unit} BETWEEN 2 PRECEDING AND CURRENT ROW", node)
    if frame.unit is Unit.GROUPS and not order:
        raise refusal(Code.WINDOW, "GROUPS are of rows that an ORDER BY leaves equal.", "add an ORDER BY", node)


def _distances(frame: Frame, order: tuple[OrderKey, ...], node: exp.Expr) -> tuple[Frame, tuple[OrderKey, ...]]:
    """Bring the ends of a RANGE to the type of the one value that orders the rows."""
    offsets = [end.offset for end in (frame.start, frame.end) if end.offset is not None]
    if not offsets:
        return frame, order
    if len(order) != 1:
        raise refusal(Code.WINDOW, "A RANGE with distances has one ORDER BY value.", f"ORDER BY ts {_HOURS}", node)
    (key,) = order
    if key.expr.type is SqlType.DATE:
        key = replace(key, expr=call("to_timestamp", [key.expr], node))
    ends = [_distance(end, key.expr.type, node) for end in (frame.start, frame.end)]
    return Frame(frame.unit, *ends), (key,)


def _distance(end: FrameEnd, kind: SqlType, node: exp.Expr) -> FrameEnd:
    offset = end.offset
    if offset is None:
        return end
    if kind is SqlType.DOUBLE and isinstance(offset.value, int | float):
        return replace(end, offset=Literal(float(offset.value), kind))
    fits = (kind, offset.type) in ((SqlType.BIGINT, SqlType.BIGINT), (SqlType.TIMESTAMP, SqlType.INTERVAL))
    if not fits:
        raise _unlike(kind, node)
    return end


def _unlike(kind: SqlType, node: exp.Expr) -> Refusal:
    hint = "ORDER BY epoch(ts) RANGE BETWEEN 7200 PRECEDING AND CURRENT ROW" if kind is SqlType.TIMESTAMPTZ else _HOURS
    why = f"A RANGE over {kind} has no such distances: numbers go with numbers, intervals with dates and times."
    return refusal(Code.WINDOW, why, hint, node)
