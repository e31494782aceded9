"""Keys without a public list: which of them could reach a threshold."""

from __future__ import annotations

from collections.abc import Sequence

from dialect.canonical import plain_text
from dialect.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.expressions import Call, Expr, Field, Ref, expand
from dialect.tries import coarser
from dialect.whole_numbers import is_whole

_FINE_TIMES = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.TIME, SqlType.INTERVAL)
_COARSER = ("date_trunc", "time_bucket")
_LISTS = (SqlType.VARCHAR_LIST, SqlType.BIGINT_LIST)


def check_private_keys(keys: Sequence[Field], sql: str) -> None:
    """Refuse private keys that are different for almost every row: none would reach a threshold."""
    for key in keys:
        expr = expand(Ref(key))
        text = plain_text(expr)
        why = f"{text} has a value of its own in almost every row."
        if key.type in _FINE_TIMES:
            time = _time_of(expr)
            coarse = f"date_trunc('hour', {text})" if time is expr else text
            moment = plain_text(time)
            ends = f"{moment} >= TIMESTAMP '2026-10-14 00:00:00' AND {moment} < TIMESTAMP '2026-10-15 00:00:00'"
            rewrites = coarser(sql, text, coarse, ends)
            raise Refusal(Code.KEY, why, f"{coarse} with WHERE {ends}", None, rewrites)
        if key.type is SqlType.DOUBLE and is_whole(expr):
            why = f"{text} may be any number: neither bounds nor the question say where it ends."
            ends = f"{text} BETWEEN 0 AND 100"
            raise Refusal(Code.KEY, why, f"WHERE {ends}, with your own ends", None, coarser(sql, text, text, ends))
        if key.type is SqlType.DOUBLE:
            coarse, ends = f"floor({text} / 10)", f"{text} BETWEEN 0 AND 100"
            raise Refusal(Code.KEY, why, f"{coarse} with WHERE {ends}", None, coarser(sql, text, coarse, ends))
        if key.type in _LISTS:
            raise Refusal(Code.KEY, f"{text} is a list, and no key.", f"GROUP BY LENGTH({text})")


def _time_of(expr: Expr) -> Expr:
    """Give the time that a coarser one is made of; itself where it is none."""
    return expr.arguments[-1] if isinstance(expr, Call) and expr.name in _COARSER else expr
