"""One row of the allow-list: argument kinds, result type, total form, range rule, key-set rule.

Text constants are quoted for Spark so that they can be read as nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from dialect.algebra.expressions import Expr, Literal
from dialect.catalog.model import Bounds, SqlType

KINDS: dict[str, tuple[SqlType, ...]] = {
    "bool": (SqlType.BOOLEAN,),
    "int": (SqlType.BIGINT,),
    "days": (SqlType.BIGINT,),
    "num": (SqlType.BIGINT, SqlType.DOUBLE),
    "lon": (SqlType.BIGINT, SqlType.DOUBLE),
    "lat": (SqlType.BIGINT, SqlType.DOUBLE),
    "metres": (SqlType.BIGINT,),
    "buckets": (SqlType.BIGINT,),
    "precision": (SqlType.BIGINT,),
    "resolution": (SqlType.BIGINT,),
    "bits": (SqlType.BIGINT,),
    "group": (SqlType.BIGINT,),
    "digits": (SqlType.BIGINT,),
    "behind": (SqlType.BIGINT,),
    "width": (SqlType.BIGINT,),
    "text": (SqlType.VARCHAR,),
    "short": (SqlType.VARCHAR,),
    "pattern": (SqlType.VARCHAR,),
    "format": (SqlType.VARCHAR,),
    "zone": (SqlType.VARCHAR,),
    "every": (SqlType.VARCHAR,),
    "date": (SqlType.DATE,),
    "stamp": (SqlType.TIMESTAMP,),
    "time": (SqlType.TIMESTAMP, SqlType.DATE),
    "clock": (SqlType.TIME,),
    "instant": (SqlType.TIMESTAMPTZ,),
    "span": (SqlType.INTERVAL,),
    "period": (SqlType.INTERVAL,),
    "texts": (SqlType.VARCHAR_LIST,),
    "ints": (SqlType.BIGINT_LIST,),
    "polygon": (SqlType.POLYGON,),
    "any": tuple(kind for kind in SqlType if kind is not SqlType.POLYGON),
}
WORDS = {
    "bool": "condition",
    "int": "integer",
    "days": "integer",
    "num": "number",
    "lon": "longitude",
    "lat": "latitude",
    "metres": "width of 1 to 1,000,000 metres",
    "buckets": "integer of 1 to 10,000",
    "precision": "integer of 1 to 12",
    "resolution": "integer of 0 to 15",
    "bits": "integer of 0 to 62",
    "group": "integer of 0 to 9",
    "digits": "integer of 1 to 38",
    "behind": "integer of 0 to 38",
    "width": "integer of 0 to 1,000",
    "short": "short text",
    "every": "'g'",
    "stamp": "timestamp",
    "time": "date or timestamp",
    "clock": "time of day",
    "instant": "timestamp with time zone",
    "span": "interval",
    "period": "interval",
    "texts": "list of text",
    "ints": "list of integers",
    "polygon": "polygon of a public table",
    "any": "anything",
}
CONSTANT = "!"  # behind a kind: the argument is a constant other than NULL
REPEATED = "*"  # behind the last kind: it stands there at least once
# ends of constant integers: beyond some the engine raises
CONSTANTS = {
    "int": (-(2**31) + 1, 2**31 - 1),
    "days": (-365_000, 365_000),
    "metres": (1, 1_000_000),
    "buckets": (1, 10_000),
    "precision": (1, 12),
    "resolution": (0, 15),
    "bits": (0, 62),
    "group": (0, 9),
    "digits": (1, 38),  # of the engine's decimals
    "behind": (0, 38),
    "width": (0, 1_000),
}
LONGEST_SHORT = 100  # characters of a constant that is copied, or is compared sign by sign


class Partial(Enum):
    """When a form can be NULL although no argument is."""

    NEVER = "never"
    FAR = "far"  # of a number that is not finite, of a date or time that is not or is over 280,000 years away
    VALUE = "value"  # of some ordinary value: 1 % 0, a sum that leaves 64 bits


# a form as it is, or written from the constants of its row, in their order
SparkForm = str | Callable[..., str]


@dataclass(frozen=True)
class Function:
    """One allowed form of one function."""

    name: str  # as analysts write it, or the operator
    arguments: tuple[str, ...]  # kinds; "int!" must be a constant; a last "num*" repeats
    result: SqlType  # NULL: the arguments' common type
    duckdb: str  # total form in DuckDB: {0} {1} ... arguments, {*,} or {1*,} many with what stands between them
    range: Callable[..., Bounds] | None = None
    values: tuple[int | str, ...] = ()  # every value it can give, where they are few and public
    partial: Partial = Partial.NEVER
    strict: bool = True  # NULL as soon as an argument is
    written: bool = True  # an analyst may write the name; casts, for one, are written otherwise
    suits: Callable[..., str | None] | None = None  # its constants -> what is wrong with them; None: nothing
    constant_on: str | Callable[..., str | None] = ""  # unit of time on which it has one value, or found from constants
    spark: SparkForm | None = None  # total form in Spark; None: there is none
    no_spark: str = ""  # why there is none
    row: str = ""  # unique, used in Call.function
    meaning: str = ""  # its definition, where the name alone has none; for people


def in_words(kind: str) -> str:
    """Say in words what a form takes in one place."""
    bare = kind.rstrip(CONSTANT + REPEATED)
    return (
        ("constant " if CONSTANT in kind else "") + WORDS.get(bare, bare) + (", ..." if kind.endswith(REPEATED) else "")
    )


def accepts(form: Function, arguments: Sequence[Expr]) -> bool:
    """Tell whether arguments fit a form; a NULL fits every kind but a constant's."""
    kinds = _kinds_for(form, len(arguments))
    return len(kinds) == len(arguments) and all(map(_fits, kinds, arguments))


def typed(form: Function, arguments: Sequence[Expr]) -> list[Expr]:
    """Give each NULL without a type the type of its place: an engine chooses no function for it otherwise."""
    kinds = _kinds_for(form, len(arguments))
    return [
        Literal(None, KINDS[kind][0]) if each.type is SqlType.NULL and kind in KINDS and kind != "any" else each
        for kind, each in zip(kinds, arguments, strict=True)
    ]


def _kinds_for(form: Function, count: int) -> tuple[str, ...]:
    """List the kinds of a form's places for so many arguments: a last one that repeats stands as often as needed."""
    kinds = form.arguments
    if kinds and kinds[-1].endswith(REPEATED):
        return kinds[:-1] + (kinds[-1][:-1],) * max(1, count - len(kinds) + 1)
    return kinds


def mistake(form: Function, arguments: Sequence[Expr]) -> str | None:
    """Say what is wrong with a form's constants, for which the engine would raise; None if nothing is."""
    return form.suits(*constants(form, arguments)) if form.suits is not None else None


def constants(form: Function, arguments: Sequence[Expr]) -> list[bool | int | float | str | None]:
    """List the values that stand where a form takes constants alone."""
    pairs = zip(form.arguments, arguments, strict=False)
    return [each.value for kind, each in pairs if CONSTANT in kind and isinstance(each, Literal)]


def _fits(kind: str, argument: Expr) -> bool:
    if kind.endswith(CONSTANT):
        return isinstance(argument, Literal) and argument.type in KINDS[kind[:-1]] and _usable(kind[:-1], argument)
    unknown = argument.type is SqlType.NULL and kind != "polygon"  # which has parts, and NULL has none
    return unknown or argument.type in KINDS[kind]


def _usable(kind: str, constant: Literal) -> bool:
    """Tell whether a constant is one for which the engine never raises."""
    if kind == "period":
        return not str(constant.value).startswith(("-", "0"))
    if kind == "every":
        return constant.value == "g"
    if kind == "short":
        return len(str(constant.value)) <= LONGEST_SHORT
    if kind in CONSTANTS and isinstance(constant.value, int):
        lowest, largest = CONSTANTS[kind]
        return lowest <= constant.value <= largest
    return constant.value is not None


# '$' and '{' together are a variable to Spark, in whose place it puts its own text wherever they stand; braces alone
# would be places of arguments in a form
_SPOKEN = str.maketrans({"\\": "\\\\", "'": "\\'", **{sign: f"\\u{ord(sign):04X}" for sign in "${}\x00"}})


def quoted(text: str) -> str:
    """Write text as a constant of Spark; https://spark.apache.org/docs/latest/sql-ref-literals.html."""
    return f"'{text.translate(_SPOKEN)}'"


def quoted_name(identifier: str) -> str:
    """Write a stored name; https://spark.apache.org/docs/latest/sql-ref-identifier.html."""
    return "`" + identifier.replace("`", "``") + "`"
