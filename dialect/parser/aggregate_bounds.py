"""Contribution bounds of one aggregate call: a named argument, removed from the text before SELECT is parsed.

SUM(dwell_min, contribution_bounds_per_group => (0, 600))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from dialect.catalog.model import Bounds
from dialect.errors import Code, Refusal, Span
from dialect.parser.options import decimal
from dialect.parser.placeholders import LEAST, MOST
from dialect.parser.privacy_clause import blanked, parsed
from dialect.parser.tokens import closing

NAME = "contribution_bounds_per_group"
LARGEST = 10**15
LARGEST_COUNT = 1_000_000
_EXAMPLE = f"SUM(x, {NAME} => ({LEAST}, {MOST}))"
_TAKING = (exp.Sum, exp.Avg, exp.Count, exp.Variance, exp.VariancePop, exp.Stddev, exp.StddevSamp, exp.StddevPop)


@dataclass(frozen=True)
class NamedBounds:
    """Bounds of what one person may add to one group of one aggregate, and where they are written."""

    bounds: Bounds
    span: Span


Named = Mapping[int, NamedBounds]  # start offset of the call's name -> its bounds


def lift_bounds(sql: str, words: list[Token]) -> tuple[str, list[Token], Named]:
    """Remove the named bounds from a query: text and tokens without them, and the bounds by call.

    Raises Refusal with E_PARAM or E_PARSE.
    """
    found: dict[int, NamedBounds] = {}
    kept: list[Token] = []
    place = 0
    while place < len(words):
        if not _begins(words, place):
            kept.append(words[place])
            place += 1
            continue
        end = closing(words, place + 3) if len(words) > place + 3 else None
        end = len(words) - 1 if end is None else end
        start, stop = words[place].start, words[end].end + 1
        named = NamedBounds(_read(sql[start:stop], start), Span(words[place + 1].start, stop))
        call = _call(kept)
        if call is None or call in found:
            why = "Bounds stand twice in this call." if call is not None else "These bounds stand in no call."
            raise Refusal(Code.PARAM, why, _EXAMPLE, named.span)
        found[call] = named
        sql = blanked(sql, start, stop)
        place = end + 1
    return sql, kept, found


def _begins(words: list[Token], place: int) -> bool:
    """Return whether a named bounds argument begins at this token."""
    if words[place].token_type is not TokenType.COMMA or len(words) < place + 3:
        return False
    return words[place + 1].text.lower() == NAME and words[place + 2].token_type is TokenType.FARROW


def _call(before: list[Token]) -> int | None:
    """Start offset of the name of the innermost call whose parenthesis is still open."""
    depth = 0
    for place in range(len(before) - 1, 0, -1):
        kind = before[place].token_type
        depth += (kind is TokenType.R_PAREN) - (kind is TokenType.L_PAREN)
        if depth < 0:
            return before[place - 1].start
    return None


def _read(text: str, start: int) -> Bounds:
    """Parse `, contribution_bounds_per_group => (lower, upper)`, whose first character is at `start`."""
    tree = parsed(text, "bounds", start, _EXAMPLE)
    lower, upper = (decimal(str(token)) for token in tree.scan_values(lambda _: True))
    if lower is None or upper is None or not -LARGEST <= lower < upper <= LARGEST:
        span = Span(start, start + len(text))
        why = f"Bounds are two numbers, the lower first, within {LARGEST:.0e}."
        raise Refusal(Code.PARAM, why, f"{NAME} => ({LEAST}, {MOST})", span)
    return Bounds(float(lower), float(upper))


def check_taken(tree: exp.Expr, named: Named) -> None:
    """Refuse bounds on calls that accept none; raises Refusal with E_PARAM."""
    taken: Iterable[int] = (call.meta.get("start", -1) for call in tree.find_all(*_TAKING)) if named else ()
    for start in sorted(set(named) - set(taken)):
        why = "Only SUM, AVG, COUNT and VARIANCE or STDDEV take bounds of what one person adds to a group."
        raise Refusal(Code.PARAM, why, _EXAMPLE, named[start].span)


def check_named(function: str, named: NamedBounds, releasing: bool) -> None:
    """Refuse bounds where no person's contribution is clipped by them; raises Refusal with E_PARAM."""
    if not releasing:
        why = "Bounds belong to an aggregate over many people."
        raise Refusal(Code.PARAM, why, "leave them out here", named.span)
    if function == "persons":
        raise Refusal(Code.PARAM, "A person counts once: there is nothing to bound.", "leave them out", named.span)
    if function.startswith("count") and not (
        named.bounds.lower >= -LARGEST_COUNT and 1 <= named.bounds.upper <= LARGEST_COUNT
    ):
        why = f"Bounds of a count end between 1 and {LARGEST_COUNT:,}."
        raise Refusal(Code.PARAM, why, f"{NAME} => (0, {MOST})", named.span)
