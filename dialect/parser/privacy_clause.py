"""The privacy clause: removed from the text before SELECT is parsed, and read as options.

    SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = 0.5, keys = 'private') COUNT(*) FROM visit

The clause is BigQuery's. It is replaced by blanks, so that all other offsets stay. Its grammar, which sqlglot does not
have, is loaded on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Code, Refusal, Span
from dialect.parser.options import NO_OPTIONS, IntervalsAre, KeysAre, Options, TargetError, decimal, target_error
from dialect.parser.tokens import closing, place_of

if TYPE_CHECKING:
    import lark


RULES = ("clause", "bounds")


@cache
def _grammar() -> lark.Lark:
    """Load the lark grammar of the clause and of named bounds."""
    import lark  # lazy: few queries need it

    text = files("dialect.parser").joinpath("grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(text, parser="lalr", start=list(RULES), propagate_positions=True)


def parsed(text: str, rule: str, start: int, hint: str) -> lark.Tree[lark.Token]:
    """Parse a part of a query that begins at offset `start` by a grammar rule; raises Refusal with E_PARSE."""
    import lark

    try:
        return _grammar().parse(text, start=rule)
    except lark.UnexpectedInput as unexpected:
        found = cast("int | None", unexpected.pos_in_stream)
        place = start + min(max(found or 0, 0), len(text) - 1)
        raise Refusal(Code.PARSE, "This can't be read from here on.", hint, Span(place, place + 1)) from None


def place_in(token: lark.Token, start: int) -> Span:
    """Span in the query of a token of a part that begins at offset `start`."""
    return Span(start + (token.start_pos or 0), start + (token.end_pos or 0))


def blanked(sql: str, start: int, stop: int) -> str:
    """Replace a range of a text by blanks, so that all other offsets stay."""
    blank = "".join(sign if sign == "\n" else " " for sign in sql[start:stop])
    return sql[:start] + blank + sql[stop:]


LEAST_CONFIDENCE, MOST_CONFIDENCE = Fraction(1, 2), Fraction(999_999, 10**6)
MOST_CONTRIBUTED = 1_000_000
_FINEST = Fraction(1, 10**18)  # one atto-delta, the ledger's unit
_EXAMPLE = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(epsilon = 0.5) COUNT(*) FROM ..."


@dataclass(frozen=True)
class Lifted:
    """A query without its privacy clause."""

    text: str  # blank in place of the clause
    words: list[Token]
    options: Options


def lift(sql: str, words: list[Token]) -> Lifted:
    """Remove the privacy clause from a query and read it; raises Refusal with E_PARAM or E_PARSE."""
    found = [place for place in range(len(words) - 2) if _opens(words, place)]
    if not found:
        return Lifted(sql, words, NO_OPTIONS)
    if len(found) > 1:
        why = "The clause stands twice; it holds for the whole question."
        raise Refusal(Code.PARAM, why, "keep the first of them", place_of(words[found[1] + 2]))
    begin = found[0] + 1
    end = _last(words, begin)
    start, stop = words[begin].start, words[end].end + 1
    options = _read(sql[start:stop], start)
    return Lifted(blanked(sql, start, stop), words[:begin] + words[end + 1 :], options)


def _opens(words: list[Token], place: int) -> bool:
    """Return whether SELECT WITH DIFFERENTIAL_PRIVACY begins at this token."""
    here, after, name = words[place : place + 3]
    kinds = (here.token_type, after.token_type)
    return kinds == (TokenType.SELECT, TokenType.WITH) and name.text.upper() == "DIFFERENTIAL_PRIVACY"


def _last(words: list[Token], begin: int) -> int:
    """Position of the clause's last token."""
    named, bracket = begin + 2, begin + 3
    if len(words) <= bracket or words[named].text.upper() != "OPTIONS":
        return begin + 1
    if words[bracket].token_type is not TokenType.L_PAREN:
        return begin + 1
    end = closing(words, bracket)
    if end is None:
        raise Refusal(Code.PARSE, "Nothing closes this bracket.", _EXAMPLE, place_of(words[bracket]))
    return end


def _read(text: str, start: int) -> Options:
    """Parse the clause, whose first character is at offset `start`."""
    tree = parsed(text, "clause", start, _EXAMPLE)
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for option in tree.find_data("option"):
        name, value = option.scan_values(lambda _: True)
        _read_option(name, value, start, values, spans)
    _check_one_price(spans)
    return Options(**values, spans=spans)


def _check_one_price(spans: Mapping[str, Span]) -> None:
    """Refuse more than one of the options that set the query's price."""
    given = [name for name in ("epsilon", "rho", "target_error") if name in spans]
    if len(given) > 1:
        why = f"{given[0]} and {given[1]} both decide what the question costs."
        raise Refusal(Code.PARAM, why, f"keep {given[0]}", spans[given[1]])


def _read_option(
    name: lark.Token, value: lark.Token, start: int, values: dict[str, Any], spans: dict[str, Span]
) -> None:
    """Parse one option into `values`, with its span; raises Refusal with E_PARAM."""
    option, span = name.lower(), Span(start + (name.start_pos or 0), start + (value.end_pos or 0))
    rule = _RULES.get(option)
    if rule is None:
        why = f"There is no option {str(name)[:40]}."
        raise Refusal(Code.PARAM, why, _INSTEAD.get(option, f"one of {', '.join(_RULES)}"), place_in(name, start))
    if option in spans:
        raise Refusal(Code.PARAM, f"The option {option} stands twice.", "keep one of them", place_in(name, start))
    made = rule.read(str(value))
    if made is None:
        raise Refusal(Code.PARAM, f"The option {option} takes {rule.takes}.", _example(option, str(value)), span)
    values[rule.field], spans[option] = made, span


def _example(option: str, value: str) -> str:
    """Return an example of an option with a valid value; a confidence in percent becomes a share."""
    given = decimal(value)
    if option == "confidence" and given is not None and LEAST_CONFIDENCE <= given / 100 <= MOST_CONFIDENCE:
        return f"confidence = {float(given / 100):g}"
    return f"{option} = {_RULES[option].example}"


def _amount(least: Fraction | int, most: Fraction | int) -> Callable[[str], Fraction | None]:
    """Return a parser of exact numbers in a closed range."""

    def read(text: str) -> Fraction | None:
        exact = decimal(text)
        return exact if exact is not None and least <= exact <= most else None

    return read


def _count(text: str) -> int | None:
    exact = decimal(text)
    return int(exact) if exact is not None and exact.denominator == 1 and 1 <= exact <= MOST_CONTRIBUTED else None


def _keys(text: str) -> KeysAre | None:
    return next((kind for kind in KeysAre if text.lower() == f"'{kind}'"), None)


def _flag(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _intervals(text: str) -> IntervalsAre | None:
    return next((kind for kind in IntervalsAre if text.lower() == f"'{kind}'"), None)


def _target(text: str) -> TargetError | None:
    """Parse `50` or `'5%'`: a share must be quoted, an amount must not."""
    bare = text.strip("'")
    return target_error(bare) if (bare != text) == bare.endswith("%") else None


def _confidence(text: str) -> float | None:
    exact = _amount(LEAST_CONFIDENCE, MOST_CONFIDENCE)(text)
    return None if exact is None else float(exact)


@dataclass(frozen=True)
class _Rule:
    """How one option is parsed and described."""

    field: str  # field of Options
    read: Callable[[str], object]  # None for an invalid value
    takes: str
    example: str


_FEW = f"a whole number from 1 to {MOST_CONTRIBUTED:,}"
_RULES: Mapping[str, _Rule] = {
    "epsilon": _Rule("epsilon", _amount(_FINEST, 100), "a number above 0 and at most 100", "0.5"),
    "delta": _Rule("delta", _amount(_FINEST, Fraction(1, 10)), "a number from 1e-18 to 0.1", "1e-12"),
    "rho": _Rule("rho", _amount(_FINEST, 100), "a number above 0 and at most 100", "0.005"),
    "max_groups_contributed": _Rule("max_groups", _count, _FEW, "10"),
    "max_rows_contributed": _Rule("max_rows", _count, _FEW, "100"),
    "keys": _Rule("keys", _keys, "'public' or 'private'", "'private'"),
    "target_error": _Rule("target_error", _target, "an amount above 0, or a share of at most '100%'", "50"),
    "consistent": _Rule("consistent", _flag, "true or false", "true"),
    "confidence": _Rule("confidence", _confidence, "a share from 0.5 to 0.999999", "0.95"),
    "intervals": _Rule("intervals", _intervals, "'each' or 'simultaneous'", "'simultaneous'"),
}
OPTION_NAMES = tuple(_RULES)
_INSTEAD = {
    "privacy_unit_column": "leave it out: the catalog says who a person is",
    "group_selection_strategy": "keys = 'public'",
    "max_groups": "max_groups_contributed = 10",
    "max_rows": "max_rows_contributed = 100",
    "max_error": "target_error = 50",
}
