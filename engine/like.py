"""A text and a pattern of SQL's LIKE -> whether it fits, in a time that no pattern makes long."""

from __future__ import annotations


def like(text: str, pattern: str) -> bool:
    """Match SQL's LIKE: % for anything, _ for one sign; no other sign means anything, and case is the caller's.

    Looks at no more pairs of signs than the two lengths multiplied: only where the last % ends is ever tried again.
    """
    at = place = star = 0
    begun: int | None = None  # where in the pattern the last % stood; `star` is where in the text it ends for now
    while at < len(text):
        sign = pattern[place : place + 1]
        if sign == "%":
            begun, star, place = place, at, place + 1
        elif sign and sign in ("_", text[at]):
            at, place = at + 1, place + 1
        elif begun is not None:
            star, place = star + 1, begun + 1
            at = star
        else:
            return False
    return not pattern[place:].strip("%")
