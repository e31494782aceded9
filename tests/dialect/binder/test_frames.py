"""A window's frame is read with its distances in the type of what orders the rows, or refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import BoundQuery, Frame, Window
from dialect.errors import Refusal

SUM = "SELECT SUM(dwell_s) OVER ({}) AS s FROM events WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts), v AS (w ROWS 1 PRECEDING)"
READ = {
    "PARTITION BY subscriber_id ORDER BY ts": None,
    "w": None,
    "v": "ROWS preceding 1 to current row",
    "w ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING": "ROWS preceding 2 to following 1",
    "w GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW": "GROUPS preceding to current row",
    "w RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW": "RANGE preceding 2 hour to current row",
    "PARTITION BY subscriber_id ORDER BY lon RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING": "RANGE preceding 1.0 to following 2.0",
    "PARTITION BY subscriber_id ORDER BY cell_id RANGE 3 PRECEDING": "RANGE preceding 3 to current row",
}
REFUSED = {
    "u": "There is no window u",
    "w PARTITION BY lon": "says that already",
    "w ORDER BY lon": "says that already",
    "v ORDER BY lon": "says that already",
    "w ROWS BETWEEN CURRENT ROW AND 1 PRECEDING": "ends before it starts",
    "w ROWS BETWEEN 1 PRECEDING AND 2 PRECEDING": "ends before it starts",
    "w RANGE BETWEEN INTERVAL '40 days' FOLLOWING AND INTERVAL '1 month' FOLLOWING": "ends before it starts",
    "w ROWS 1.5 PRECEDING": "counted by whole numbers",
    "w ROWS -1 PRECEDING": "not negative",
    "PARTITION BY subscriber_id GROUPS 1 PRECEDING": "ORDER BY leaves equal",
    "w RANGE 1 PRECEDING": "numbers go with numbers",
    "PARTITION BY subscriber_id ORDER BY ts, lon RANGE INTERVAL '1 hour' PRECEDING": "one ORDER BY value",
}


def frame_text(frame: Frame | None) -> str | None:
    if frame is None:
        return None
    ends = [end.side if end.offset is None else f"{end.side} {end.offset.value}" for end in (frame.start, frame.end)]
    return f"{frame.unit} {' to '.join(ends)}"


@pytest.mark.parametrize("over", READ)
def test_a_frame_is_read(over: str, rows_of: Callable[[str], BoundQuery]) -> None:
    operator = rows_of(SUM.format(over)).relation.operator
    while not isinstance(operator, Window):
        operator = operator.source.operator
    (call,) = operator.calls
    assert frame_text(call.frame) == READ[over]


@pytest.mark.parametrize("over", REFUSED)
def test_an_invalid_frame_is_refused(over: str, rows_of: Callable[[str], BoundQuery]) -> None:
    with pytest.raises(Refusal, match=REFUSED[over]):
        rows_of(SUM.format(over))
