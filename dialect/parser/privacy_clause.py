"""The privacy clause: removed from the text before SELECT is parsed, and read as options.

    SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = 0.5, keys = 'private') COUNT(*) FROM visit

The clause is BigQuery's. It is replaced by blanks, so that all other offsets stay. Its grammar, which sqlglot does not
have, is loaded on first use. Options are privacy parameters that one query sets over the catalog's defaults; decimal
text is read as an exact fraction of limited size.

Contribution bounds of one aggregate call, a named argument, are removed from the text in the same way:

    SUM(dwell_min, contribution_bounds_per_group => (0, 600))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from dialect.catalog.model import Bounds
from dialect.diagnostics.field_values import OptionValues
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, Span
from dialect.parser.tokens import closing_bracket, token_span

if TYPE_CHECKING:
    import lark


_MAX_DIGITS = 40


def parse_decimal(text: str) -> Fraction | None:
    """Parse a decimal number exactly; None where it is not one, or too large.

    The size is checked before the fraction is built: 1e999999999 would fill memory.
    """
    try:
        exact = Decimal(text)
    except ArithmeticError:
        return None
    if not exact.is_finite() or abs(exact.adjusted()) > _MAX_DIGITS or len(exact.as_tuple().digits) > _MAX_DIGITS:
        return None
    return Fraction(exact)


_AMOUNT = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?(?P<share>%)?", re.ASCII)
_MIN_TARGET, _MAX_TARGET = Fraction(1, 10**12), Fraction(10**15)


class KeyHandling(StrEnum):
    """How group keys are treated."""

    PUBLIC = "public"  # refuse the query where no public key set is known
    PRIVATE = "private"  # partition selection by threshold, even where a public key set is known


class IntervalCoverage(StrEnum):
    """What the confidence level of a query refers to."""

    EACH = "each"  # each interval on its own
    SIMULTANEOUS = "simultaneous"  # all intervals of the answer jointly


@dataclass(frozen=True)
class TargetError:
    """Target error of a query: the largest half-width of its confidence intervals."""

    amount: Fraction  # in each column's unit; if relative, a share of the client's stored value
    relative: bool = False

    def __str__(self) -> str:
        """Return the target as it is written in the clause: '50' or '5%'."""
        return f"{float(self.amount * 100):g}%" if self.relative else f"{float(self.amount):g}"


def parse_target_error(text: str) -> TargetError | None:
    """Parse a target error: an amount such as `50`, or a share such as `5%`; None for anything else."""
    match = _AMOUNT.fullmatch(text)
    exact = parse_decimal(text.rstrip("%")) if match is not None else None
    if match is None or exact is None:
        return None
    relative = match["share"] is not None
    amount = exact / 100 if relative else exact
    return TargetError(amount, relative) if _MIN_TARGET <= amount <= (1 if relative else _MAX_TARGET) else None


@dataclass(frozen=True)
class Options:
    """Options of a query; None means the catalog's default."""

    epsilon: Fraction | None = None  # of the complete query, at the dataset's delta
    delta: Fraction | None = None  # of all partition selection thresholds of the query
    rho: Fraction | None = None  # of the complete query
    max_groups: int | None = None  # group truncation: groups that one person contributes to
    max_rows: int | None = None  # row truncation: rows that one person contributes
    keys: KeyHandling | None = None
    confidence: float | None = None
    intervals: IntervalCoverage | None = None
    target_error: TargetError | None = None  # replaces a price
    consistent: bool = False  # hierarchical consistency
    others: bool = False  # with private keys: groups for the rows of keys that are not released
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False)  # option name -> its span

    def span(self, *names: str) -> Span | None:
        """Return the span of the first of these options that the query sets."""
        return next((self.spans[name] for name in names if name in self.spans), None)


NO_OPTIONS = Options()


GRAMMAR_RULES = ("clause", "bounds")  # start rules of grammar.lark


@cache
def _grammar() -> lark.Lark:
    """Load the lark grammar of the clause and of named bounds."""
    import lark  # lazy: few queries need it

    text = files("dialect.parser").joinpath("grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(text, parser="lalr", start=list(GRAMMAR_RULES), propagate_positions=True)


def parse_rule(text: str, rule: str, start: int, unreadable: Kind) -> lark.Tree[lark.Token]:
    """Parse a part of a query that begins at offset `start` by a rule of the grammar, "clause" or "bounds".

    Raises Refusal of the kind `unreadable`, at the offset in the query.
    """
    import lark

    try:
        return _grammar().parse(text, start=rule)
    except lark.UnexpectedInput as unexpected:
        offset = cast("int | None", unexpected.pos_in_stream)
        error_offset = start + min(max(offset or 0, 0), len(text) - 1)
        raise unreadable.at(Span(error_offset, error_offset + 1)) from None


def grammar_token_span(token: lark.Token, start: int) -> Span:
    """Span in the query of a token of a part that begins at offset `start`."""
    return Span(start + (token.start_pos or 0), start + (token.end_pos or 0))


def blank_out(sql: str, start: int, end: int) -> str:
    """Replace a range of a text by blanks, so that all other offsets stay."""
    blank = "".join(character if character == "\n" else " " for character in sql[start:end])
    return sql[:start] + blank + sql[end:]


MIN_CONFIDENCE, MAX_CONFIDENCE = Fraction(1, 2), Fraction(999_999, 10**6)
MAX_CONTRIBUTED = 1_000_000
_MIN_VALUE = Fraction(1, 10**18)  # one atto-delta, the ledger's unit


@dataclass(frozen=True)
class ExtractedClause:
    """A query without its privacy clause."""

    text: str  # blank in place of the clause
    tokens: list[Token]
    options: Options


def extract_clause(sql: str, tokens: list[Token]) -> ExtractedClause:
    """Remove the privacy clause from a query and read it; raises Refusal with E_PARAM or E_PARSE.

    The clause begins behind the word SELECT. It holds for the complete query, so a second one is refused.
    """
    positions = [position for position in range(len(tokens) - 2) if _starts_clause(tokens, position)]
    if not positions:
        return ExtractedClause(sql, tokens, NO_OPTIONS)
    if len(positions) > 1:
        raise Kind.CLAUSE_TWICE.at(token_span(tokens[positions[1] + 2]))
    begin = positions[0] + 1
    end = _last_position(tokens, begin)
    start, end_offset = tokens[begin].start, tokens[end].end + 1
    options = _parse_options(sql[start:end_offset], start)
    return ExtractedClause(blank_out(sql, start, end_offset), tokens[:begin] + tokens[end + 1 :], options)


def _starts_clause(tokens: list[Token], position: int) -> bool:
    """Return whether SELECT WITH DIFFERENTIAL_PRIVACY begins at this token."""
    select_token, with_token, name = tokens[position : position + 3]
    token_types = (select_token.token_type, with_token.token_type)
    return token_types == (TokenType.SELECT, TokenType.WITH) and name.text.upper() == "DIFFERENTIAL_PRIVACY"


def _last_position(tokens: list[Token], begin: int) -> int:
    """Position of the clause's last token: its name where no OPTIONS follow, else the bracket that closes them.

    `begin` is the position of WITH. Raises Refusal with E_PARSE where nothing closes the bracket.
    """
    options_position, bracket = begin + 2, begin + 3
    if len(tokens) <= bracket or tokens[options_position].text.upper() != "OPTIONS":
        return begin + 1
    if tokens[bracket].token_type is not TokenType.L_PAREN:
        return begin + 1
    end = closing_bracket(tokens, bracket)
    if end is None:
        raise Kind.UNCLOSED_BRACKET.at(token_span(tokens[bracket]))
    return end


def _parse_options(text: str, start: int) -> Options:
    """Parse the clause, whose first character is at offset `start`."""
    tree = parse_rule(text, "clause", start, Kind.UNREADABLE_CLAUSE)
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for option in tree.find_data("option"):
        name, value = option.scan_values(lambda _: True)  # all of its tokens
        _parse_option(name, value, start, values, spans)
    _check_one_price(spans)
    return Options(**values, spans=spans)


def _check_one_price(spans: Mapping[str, Span]) -> None:
    """Refuse more than one of the options that set the query's price."""
    price_options = [name for name in ("epsilon", "rho", "target_error") if name in spans]
    if len(price_options) > 1:
        raise Kind.TWO_PRICES.at(spans[price_options[1]], first=price_options[0], second=price_options[1])


def _parse_option(
    name: lark.Token, value: lark.Token, start: int, values: dict[str, Any], spans: dict[str, Span]
) -> None:
    """Parse one option into `values` and `spans`; raises Refusal with E_PARAM if it is unknown, repeated or invalid.

    `values` has names of fields of Options as keys, `spans` names of options as written.
    """
    option, span = name.lower(), Span(start + (name.start_pos or 0), start + (value.end_pos or 0))
    rule = _OPTION_RULES.get(option)
    if rule is None:
        raise _unknown_option_refusal(option, str(name), grammar_token_span(name, start))
    if option in spans:
        raise Kind.OPTION_TWICE.at(grammar_token_span(name, start), option=option)
    parsed_value = rule.parse(str(value))
    if parsed_value is None:
        raise Kind.OPTION_VALUE.at(span, option=option, accepted=rule.accepted, example=_example(option, str(value)))
    values[rule.field], spans[option] = parsed_value, span


def _unknown_option_refusal(option: str, written: str, span: Span) -> Refusal:
    """Build the refusal of an option that the clause does not have, with the name that it has here."""
    if option == "privacy_unit_column":
        return Kind.PRIVACY_UNIT_OPTION.at(span, name=written[:40])
    if option in _RENAMED_OPTIONS:
        return Kind.RENAMED_OPTION.at(span, name=written[:40], example=_RENAMED_OPTIONS[option])
    return Kind.UNKNOWN_OPTION.at(span, name=written[:40], options=", ".join(_OPTION_RULES))


def _example(option: str, value: str) -> str:
    """Return an example of an option with a valid value; a confidence in percent becomes a share."""
    number = parse_decimal(value)
    if option == "confidence" and number is not None and MIN_CONFIDENCE <= number / 100 <= MAX_CONFIDENCE:
        return f"confidence = {float(number / 100):g}"
    return f"{option} = {_OPTION_RULES[option].example}"


def _amount_parser(minimum: Fraction | int, maximum: Fraction | int) -> Callable[[str], Fraction | None]:
    """Return a parser of exact numbers in a closed range; it returns None for anything else."""

    def read(text: str) -> Fraction | None:
        """Parse a number; None for anything else, or outside of the range."""
        exact = parse_decimal(text)
        return exact if exact is not None and minimum <= exact <= maximum else None

    return read


def _parse_count(text: str) -> int | None:
    """Parse a whole number from 1 to the largest contribution limit; None for anything else."""
    exact = parse_decimal(text)
    return int(exact) if exact is not None and exact.denominator == 1 and 1 <= exact <= MAX_CONTRIBUTED else None


def _parse_choice(choices: type[StrEnum]) -> Callable[[str], StrEnum | None]:
    """Return a parser of one of some words in quotes; it returns None for anything else."""
    return lambda text: next((word for word in choices if text.lower() == f"'{word}'"), None)


def _parse_flag(text: str) -> bool | None:
    """Parse true or false; None for anything else."""
    return {"true": True, "false": False}.get(text.lower())


def _parse_target(text: str) -> TargetError | None:
    """Parse `50` or `'5%'`: a share must be quoted, an amount must not."""
    unquoted = text.strip("'")
    return parse_target_error(unquoted) if (unquoted != text) == unquoted.endswith("%") else None


def _parse_confidence(text: str) -> float | None:
    """Parse a confidence level from 0.5 to 0.999999; None for anything else."""
    exact = _amount_parser(MIN_CONFIDENCE, MAX_CONFIDENCE)(text)
    return None if exact is None else float(exact)


@dataclass(frozen=True)
class _OptionRule:
    """How one option is parsed and described."""

    field: str  # field of Options
    parse: Callable[[str], object]  # None for an invalid value
    accepted: OptionValues
    example: str  # a valid value


_OPTION_RULES: Mapping[str, _OptionRule] = {
    "epsilon": _OptionRule("epsilon", _amount_parser(_MIN_VALUE, 100), OptionValues.AMOUNT, "0.5"),
    "delta": _OptionRule("delta", _amount_parser(_MIN_VALUE, Fraction(1, 10)), OptionValues.DELTA, "1e-12"),
    "rho": _OptionRule("rho", _amount_parser(_MIN_VALUE, 100), OptionValues.AMOUNT, "0.005"),
    "max_groups_contributed": _OptionRule("max_groups", _parse_count, OptionValues.COUNT, "10"),
    "max_rows_contributed": _OptionRule("max_rows", _parse_count, OptionValues.COUNT, "100"),
    "keys": _OptionRule("keys", _parse_choice(KeyHandling), OptionValues.KEY_HANDLING, "'private'"),
    "others": _OptionRule("others", _parse_flag, OptionValues.FLAG, "true"),
    "target_error": _OptionRule("target_error", _parse_target, OptionValues.TARGET_ERROR, "50"),
    "consistent": _OptionRule("consistent", _parse_flag, OptionValues.FLAG, "true"),
    "confidence": _OptionRule("confidence", _parse_confidence, OptionValues.CONFIDENCE, "0.95"),
    "intervals": _OptionRule("intervals", _parse_choice(IntervalCoverage), OptionValues.COVERAGE, "'simultaneous'"),
}
OPTION_NAMES = tuple(_OPTION_RULES)
_RENAMED_OPTIONS = {
    "group_selection_strategy": "keys = 'public'",
    "max_groups": "max_groups_contributed = 10",
    "max_rows": "max_rows_contributed = 100",
    "max_error": "target_error = 50",
}


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
