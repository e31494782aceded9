"""Function signatures: argument kinds, result type, total form, range rule and listed values of one allow-list row.

A kind is a name for the types that an argument may have (KINDS), and for constants also for their allowed values
(CONSTANT_RANGES): "lon" and "lat" are both numbers. Suffixes: "!" a constant is required, "*" a variadic last argument.
Listed values are all possible results of a function, so that a group key computed by it has a public key set.

Also quotes text constants for Spark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlglot import exp

from dialect.algebra.expressions import Expr, Literal
from dialect.catalog.model import Bounds, SqlType
from dialect.errors import Refusal

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
KIND_NAMES = {
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
CONSTANT = "!"  # suffix of a kind: the argument must be a constant other than NULL
VARIADIC = "*"  # suffix of the last kind: variadic, at least one argument
# allowed ranges of constant integers, outside of which the engine may raise
CONSTANT_RANGES = {
    "int": (-(2**31) + 1, 2**31 - 1),
    "days": (-365_000, 365_000),
    "metres": (1, 1_000_000),
    "buckets": (1, 10_000),
    "precision": (1, 12),
    "resolution": (0, 15),
    "bits": (0, 62),
    "group": (0, 9),
    "digits": (1, 38),  # precision of DECIMAL
    "behind": (0, 38),
    "width": (0, 1_000),
}
MAX_SHORT_LENGTH = 100  # max characters of a constant that is copied or compared character by character


class Partial(Enum):
    """When a form may be NULL although none of its arguments is."""

    NEVER = "never"
    BEYOND_CALENDAR = "far"  # NULL for non-finite numbers, and for dates and times over 280,000 years away
    BEYOND_RANGE = "range"  # NULL where the result leaves its type, such as a sum beyond 64 bits
    BY_ZERO = "zero"  # NULL where the second argument is 0
    FOR_SOME_VALUES = "value"  # NULL for some other ordinary values

    @property
    def is_ordinary(self) -> bool:
        """Whether a form may be NULL for ordinary values, not only beyond the calendar."""
        return self not in (Partial.NEVER, Partial.BEYOND_CALENDAR)


class Nulls(Enum):
    """When a function is NULL because of its arguments."""

    ANY = "any"  # if any argument is
    ALL = "all"  # if all arguments are, and only then
    ALL_OR_SOME = "all or some"  # if all arguments are, and maybe if some are
    NEVER = "never"
    OWN = "own"  # by another rule: maybe if some are


class KeySetRule(Enum):
    """From what the public key set of a group key is listed that a function computes."""

    VALUES = "values"  # all that it can return
    DAYS = "days"  # its values on the days in range, if these are few, or else all
    UNITS = "units"  # its values on the units in range within which it is constant
    STEPS = "steps"  # the steps between the ends of the range


class Truncation(Enum):
    """To what a function truncates its last argument, a time."""

    DAY = "day"
    UNIT = "unit"  # that its first argument names
    WIDTH = "width"  # steps as wide as its first argument


class Difference(Enum):
    """How a function counts from one time to another."""

    CROSSED = "crossed"  # ends of the unit, its first argument, from its second to its third; weeks of 7 ends of days
    WHOLE = "whole"  # whole units, its first argument, from its second to its third
    ELAPSED = "elapsed"  # the days of dates, else an interval, from its second argument to its first


class Effect(Enum):
    """What a function does to the number that is its first argument; further arguments are constants."""

    KEEPS = "keeps"
    KEEPS_OR_NULL = "keeps or null"
    KEEPS_OR_FILLS = "keeps or fills"  # a constant in place of NULL
    ROUNDS = "rounds"  # to the digits that its second argument states, or to an integer; or to single precision
    NEGATES = "negates"


class TextLength(Enum):
    """Upper bound on the characters of a text that a function returns."""

    LONGEST = "longest"  # those of its longest argument
    COUNT = "count"  # those of its first argument, and as many as its last, a constant
    WIDTH = "width"  # its second argument, a constant, to which it is padded
    TOTAL = "total"  # those of all its arguments, up to the most of a computed text
    FORMATTED = "formatted"  # those of a formatted number or time
    COMPUTED = "computed"  # the most of a computed text
    ELEMENT = "element"  # those of all elements of its first argument, up to the most of a computed text


# SQL template, or a function of the call's constant arguments that returns one
SparkForm = str | Callable[..., str]
SAME = "{same}"  # Spark's form is DuckDB's


@dataclass(frozen=True)
class NoForm:
    """An engine has no total form of a function, and why."""

    reason: str


@dataclass(frozen=True)
class Cost:
    """Upper bounds on the nanoseconds of a call on one row in DuckDB (`dialect.analysis.person_rows`)."""

    per_call: float = 10.0
    per_character: float | None = None  # of the first text; None: 1 for a text, 0 for other types
    per_pair: float = 0.0  # per character of the first text and byte of the longest segment of the second
    per_plain_pair: float | None = None  # the same of a whole pattern without `_`; None: no such patterns
    any_text: str | None = None  # sign that separates the segments of a pattern; None: the second text is one segment
    per_new_character: float = 0.0  # per character of the first text and of the third
    per_other_character: float = 0.0  # per character of the arguments behind the first
    per_argument: float = 0.0
    per_element: float = 30.0  # per element of a list
    per_list_character: float = 2.0  # per character of all elements of a list together
    reads_all_texts: bool = False  # per_character counts for every argument that is a text


@dataclass(frozen=True)
class Function:
    """One allowed overload of a function."""

    name: str  # as analysts write it, or an operator
    argument_kinds: tuple[str, ...]  # argument kinds; "int!" must be a constant; a last "num*" is variadic
    result: SqlType  # NULL: the common type of the arguments
    duckdb: str  # total form in DuckDB: {0} {1} ... are arguments, {*, } or {1*, } a list with its separator
    spark: SparkForm | NoForm  # total form in Spark; SAME: DuckDB's
    range_rule: Callable[..., Bounds] | None = None
    listed_values: tuple[int | str, ...] = ()  # all possible results, where they are few
    partial: Partial = Partial.NEVER
    nulls: Nulls = Nulls.ANY
    is_callable: bool = True  # callable by name; operators and casts are not
    check_constants: Callable[..., Refusal | None] | None = None  # of invalid constants, without the call; None: valid
    constant_within: str | Callable[..., str | None] = ""  # constant within this time unit, or a function of constants
    key_set: KeySetRule = KeySetRule.VALUES
    truncation: Truncation | None = None  # None: it truncates no time
    part_of: Callable[[datetime], int] | None = None  # the part of a time, in Python; of a name, its number
    keeps_moment: bool = False  # a conversion of a date or timestamp to the same moment
    is_local_time: bool = False  # the local time of an instant in a time zone
    epochs_per_second: int | None = None  # units a second of the time since 1970-01-01; None: another function
    difference: Difference | None = None  # None: it is no difference of two times
    reads_instants: bool = False  # takes an instant as such; others take its local time
    effect: Effect | None = None  # None: another function of its arguments
    limits: tuple[float, float] | None = None  # ends of the results, where they are narrower than the type's
    is_integral: bool = False  # the result is an integer in a DOUBLE
    is_injective: bool = False  # in the one argument that is not a constant, an integer or date
    is_by_hour: bool = False  # its listed values are the parts of a day, of equally many hours
    determines: tuple[str, ...] = ()  # names of functions of the same argument that its result determines
    text_length: TextLength = TextLength.LONGEST
    row_name: str = ""  # unique id "name#n", used in Call.function
    meaning: str = ""  # definition for analysts, where the name is not standard
    cost: Cost = Cost()
    nodes: tuple[type[exp.Expr], ...] | None = None  # sqlglot's nodes of a call; None: its node for the name, if any
    other_names: tuple[str, ...] = ()  # that analysts may write too
    date_parts: tuple[str, ...] = ()  # names of the part in EXTRACT
    cast_types: tuple[str, ...] = ()  # names of the type in CAST

    @property
    def is_strict(self) -> bool:
        """Whether the function is NULL if any argument is."""
        return self.nulls is Nulls.ANY

    @property
    def has_step(self) -> bool:
        """Whether the first argument is the step to which the function truncates its last, a time."""
        return self.truncation in (Truncation.UNIT, Truncation.WIDTH)

    def takes(self, kind: str) -> bool:
        """Return whether an argument is of a kind, as named in the table."""
        return kind in self.argument_kinds


def kind_name(kind: str) -> str:
    """Describe an argument kind for analysts: "constant integer of 1 to 12"."""
    kind_word = kind.rstrip(CONSTANT + VARIADIC)
    return (
        ("constant " if CONSTANT in kind else "")
        + KIND_NAMES.get(kind_word, kind_word)
        + (", ..." if kind.endswith(VARIADIC) else "")
    )


def accepts(form: Function, arguments: Sequence[Expr]) -> bool:
    """Return whether arguments fit an overload; an untyped NULL fits every kind that is not a constant's."""
    kinds = _kinds_for(form, len(arguments))
    return len(kinds) == len(arguments) and all(map(_fits_kind, kinds, arguments))


def with_typed_nulls(form: Function, arguments: Sequence[Expr]) -> list[Expr]:
    """Cast each untyped NULL to the type of its parameter, because an engine cannot resolve overloads otherwise.

    A parameter of kind "any" has no one type, and constants are never NULL.
    """
    kinds = _kinds_for(form, len(arguments))
    return [
        Literal(None, KINDS[kind][0]) if each.type is SqlType.NULL and kind in KINDS and kind != "any" else each
        for kind, each in zip(kinds, arguments, strict=True)
    ]


def _kinds_for(form: Function, count: int) -> tuple[str, ...]:
    """Expand an overload's parameter kinds to `count` arguments; a variadic last kind is repeated.

    It is repeated at least once. For other overloads the number of kinds is fixed, so that callers compare it with
    `count`.
    """
    kinds = form.argument_kinds
    if kinds and kinds[-1].endswith(VARIADIC):
        return kinds[:-1] + (kinds[-1][:-1],) * max(1, count - len(kinds) + 1)
    return kinds


def constant_mistake(form: Function, arguments: Sequence[Expr]) -> Refusal | None:
    """Return why the engine would raise for a call's constant arguments; None if they are valid.

    The refusal lacks what only the call knows: its name, the accepted forms (`forms`) and the span.

    Only what `check_constants` of the row finds; ranges of single constants are part of their kinds (`accepts`).
    """
    return form.check_constants(*constant_values(form, arguments)) if form.check_constants is not None else None


def constant_values(form: Function, arguments: Sequence[Expr]) -> list[bool | int | float | str | None]:
    """Return the values of the arguments that must be constants."""
    pairs = zip(form.argument_kinds, arguments, strict=False)
    return [each.value for kind, each in pairs if CONSTANT in kind and isinstance(each, Literal)]


def _fits_kind(kind: str, argument: Expr) -> bool:
    """Return whether one argument fits a kind; a constant's kind needs a literal in the safe range."""
    if kind.endswith(CONSTANT):
        if not isinstance(argument, Literal) or argument.type not in KINDS[kind[:-1]]:
            return False
        return _is_safe_constant(kind[:-1], argument)
    if kind == "days" and isinstance(argument, Literal) and argument.value is not None:
        return False  # constant days are a kind of their own, with ends
    # polygons are read field by field, which an untyped NULL does not allow
    is_untyped_null = argument.type is SqlType.NULL and kind != "polygon"
    return is_untyped_null or argument.type in KINDS[kind]


def _is_safe_constant(kind: str, constant: Literal) -> bool:
    """Return whether a constant is within the range for which the engine never raises.

    A period is an interval above 0. Kinds without a rule of their own accept every constant other than NULL.
    """
    if kind == "period":
        return not str(constant.value).startswith(("-", "0"))
    if kind == "every":
        return constant.value == "g"
    if kind == "short":
        return len(str(constant.value)) <= MAX_SHORT_LENGTH
    if kind in CONSTANT_RANGES and isinstance(constant.value, int):
        lowest, largest = CONSTANT_RANGES[kind]
        return lowest <= constant.value <= largest
    return constant.value is not None


# Spark substitutes "${...}" variables anywhere in a statement, and braces are placeholders of our templates
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", **{sign: f"\\u{ord(sign):04X}" for sign in "${}\x00"}})


def quote_spark_text(text: str) -> str:
    """Quote text as a Spark string; https://spark.apache.org/docs/latest/sql-ref-literals.html."""
    return f"'{text.translate(_ESCAPES)}'"


def quote_spark_identifier(identifier: str) -> str:
    """Quote an identifier for Spark; https://spark.apache.org/docs/latest/sql-ref-identifier.html."""
    return "`" + identifier.replace("`", "``") + "`"
