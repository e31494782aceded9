"""Contribution bounds of one aggregate call: a named argument, removed from the text before SELECT is parsed.

SUM(dwell_min, contribution_bounds_per_group => (0, 600))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from dialect.catalog.model import Bounds
from dialect.diagnostics.kinds import Kind
from dialect.errors import Span
from dialect.parser.privacy_clause import blank_out, parse_decimal, parse_rule
from dialect.parser.tokens import closing_bracket

ARGUMENT_NAME = "contribution_bounds_per_group"
MAX_BOUND = 10**15
MAX_COUNT_BOUND = 1_000_000
_BOUNDABLE_NODES = (
    exp.Sum,
    exp.Avg,
    exp.Count,
    exp.Variance,
    exp.VariancePop,
    exp.Stddev,
    exp.StddevSamp,
    exp.StddevPop,
)


@dataclass(frozen=True)
class NamedBounds:
    """Bounds of what one person may add to one group of one aggregate, and where they are written."""

    bounds: Bounds
    span: Span


BoundsByCall = Mapping[int, NamedBounds]  # start offset of the call's name -> its bounds


def extract_named_bounds(sql: str, tokens: list[Token]) -> tuple[str, list[Token], BoundsByCall]:
    """Remove the named bounds from a query: (text, tokens, start offset of a call's name -> its bounds).

    The text is blank in their place, so that all other offsets stay. Raises Refusal with E_PARAM or E_PARSE.
    """
    found: dict[int, NamedBounds] = {}
    remaining: list[Token] = []
    position = 0
    while position < len(tokens):  # named bounds are skipped, all other tokens are copied
        if not _is_named_bounds(tokens, position):
            remaining.append(tokens[position])
            position += 1
            continue
        # tokens of the argument: comma, name, =>, opening bracket, ...
        end = closing_bracket(tokens, position + 3) if len(tokens) > position + 3 else None
        end = len(tokens) - 1 if end is None else end
        start, end_offset = tokens[position].start, tokens[end].end + 1
        bounds = NamedBounds(_parse_bounds(sql[start:end_offset], start), Span(tokens[position + 1].start, end_offset))
        call_start = _open_call_start(remaining)
        if call_start is None or call_start in found:
            raise (Kind.BOUNDS_TWICE if call_start is not None else Kind.BOUNDS_IN_NO_CALL).at(bounds.span)
        found[call_start] = bounds
        sql = blank_out(sql, start, end_offset)
        position = end + 1
    return sql, remaining, found


def _is_named_bounds(tokens: list[Token], position: int) -> bool:
    """Return whether a named bounds argument begins at this token: a comma, its name, and =>."""
    if tokens[position].token_type is not TokenType.COMMA or len(tokens) < position + 3:
        return False
    return tokens[position + 1].text.lower() == ARGUMENT_NAME and tokens[position + 2].token_type is TokenType.FARROW


def _open_call_start(before: list[Token]) -> int | None:
    """Start offset of the name of the innermost call whose parenthesis is still open; None outside of any call.

    `before` are the tokens before the position. Going backwards, the first parenthesis without a closing one belongs to
    the call, and the token before it is its name.
    """
    depth = 0
    for position in range(len(before) - 1, 0, -1):
        kind = before[position].token_type
        depth += (kind is TokenType.R_PAREN) - (kind is TokenType.L_PAREN)
        if depth < 0:
            return before[position - 1].start
    return None


def _parse_bounds(text: str, start: int) -> Bounds:
    """Parse `, contribution_bounds_per_group => (lower, upper)`, whose first character is at `start`."""
    tree = parse_rule(text, "bounds", start, Kind.UNREADABLE_BOUNDS)
    lower, upper = (parse_decimal(str(token)) for token in tree.scan_values(lambda _: True))
    if lower is None or upper is None or not -MAX_BOUND <= lower < upper <= MAX_BOUND:
        span = Span(start, start + len(text))
        raise Kind.BOUNDS_FORM.at(span, limit=MAX_BOUND)
    return Bounds(float(lower), float(upper))


def check_bounded_calls(tree: exp.Expr, named_bounds: BoundsByCall) -> None:
    """Refuse bounds on calls that accept none; raises Refusal with E_PARAM."""
    accepting_calls: Iterable[int] = (
        (call.meta.get("start", -1) for call in tree.find_all(*_BOUNDABLE_NODES)) if named_bounds else ()
    )
    for start in sorted(set(named_bounds) - set(accepting_calls)):
        raise Kind.BOUNDS_NOT_TAKEN.at(named_bounds[start].span)


def check_bounds_apply(bounds: NamedBounds, is_count: bool, counts_persons: bool, releasing: bool) -> None:
    """Refuse bounds where no person's contribution is clipped by them; raises Refusal with E_PARAM.

    `counts_persons`: the aggregate is COUNT(DISTINCT person). `releasing`: it is over many persons, so that its value
    is released with noise.
    """
    if not releasing:
        raise Kind.BOUNDS_WITHIN_PERSON.at(bounds.span)
    if counts_persons:
        raise Kind.BOUNDS_OF_PERSONS.at(bounds.span)
    if is_count and not (bounds.bounds.lower >= -MAX_COUNT_BOUND and 1 <= bounds.bounds.upper <= MAX_COUNT_BOUND):
        raise Kind.COUNT_BOUNDS.at(bounds.span, limit=MAX_COUNT_BOUND)
