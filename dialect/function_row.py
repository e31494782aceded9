"""One row of the allow-list: argument kinds, result, total form, range rule, domain rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dialect.catalog import Bounds, SqlType

KINDS: dict[str, tuple[SqlType, ...]] = {
    "bool": (SqlType.BOOLEAN,),
    "int": (SqlType.BIGINT,),
    "num": (SqlType.BIGINT, SqlType.DOUBLE),
    "text": (SqlType.VARCHAR,),
    "date": (SqlType.DATE,),
    "time": (SqlType.TIMESTAMP, SqlType.DATE),
    "instant": (SqlType.TIMESTAMPTZ,),
    "span": (SqlType.INTERVAL,),
    "texts": (SqlType.VARCHAR_LIST,),
    "any": tuple(SqlType),
}


@dataclass(frozen=True)
class Function:
    """One allowed form of one function."""

    name: str  # as analysts write it, or the operator
    arguments: tuple[str, ...]  # kinds; "int!" must be a constant; a last "num*" repeats, at least once
    result: SqlType
    duckdb: str  # total form: {0} {1} ... arguments, {*,} or {1*,} many with what stands between them
    range: Callable[..., Bounds] | None = None
    values: tuple[int, ...] = ()  # every value it can give, where they are few and public
    row: str = ""  # unique, used in Call.function


def accepts(form: Function, types: tuple[SqlType, ...], constant: tuple[bool, ...]) -> bool:
    """Tell whether arguments of these types fit a form; a NULL fits every kind."""
    kinds = form.arguments
    if kinds and kinds[-1].endswith("*"):
        kinds = kinds[:-1] + (kinds[-1][:-1],) * max(1, len(types) - len(kinds) + 1)
    if len(kinds) != len(types):
        return False
    return all(_fits(kind, given, is_constant) for kind, given, is_constant in zip(kinds, types, constant, strict=True))


def _fits(kind: str, given: SqlType, is_constant: bool) -> bool:
    if kind.endswith("!"):
        return is_constant and given in KINDS[kind[:-1]]
    return given is SqlType.NULL or given in KINDS[kind]
