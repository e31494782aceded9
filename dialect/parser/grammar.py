"""The little grammar of what SELECT's own has no words for, loaded where it is first needed."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from dialect.errors import Code, Refusal, Span

if TYPE_CHECKING:
    import lark

RULES = ("clause", "bounds")


@cache
def _grammar() -> lark.Lark:
    import lark  # late: few questions need it

    text = files("dialect.parser").joinpath("grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(text, parser="lalr", start=list(RULES), propagate_positions=True)


def parsed(text: str, rule: str, start: int, hint: str) -> lark.Tree[lark.Token]:
    """Parse a part of a question that begins at `start`; raises Refusal with E_PARSE where it can't be read."""
    import lark

    try:
        return _grammar().parse(text, start=rule)
    except lark.UnexpectedInput as unexpected:
        found = cast("int | None", unexpected.pos_in_stream)
        place = start + min(max(found or 0, 0), len(text) - 1)
        raise Refusal(Code.PARSE, "This can't be read from here on.", hint, Span(place, place + 1)) from None


def place_in(token: lark.Token, start: int) -> Span:
    """Point at a token of a part that begins at `start`."""
    return Span(start + (token.start_pos or 0), start + (token.end_pos or 0))


def blanked(sql: str, start: int, stop: int) -> str:
    """Leave a stretch of a text blank, so that every other place in it stays what it was."""
    blank = "".join(sign if sign == "\n" else " " for sign in sql[start:stop])
    return sql[:start] + blank + sql[stop:]
