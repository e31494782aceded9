"""Tie-breaking within a person, computed in Python: an oracle of `dialect.functions.tie_order` without SQL."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from typing import Any

import duckdb

MASK = 2**31 - 1
NULL_WORD = 1_431_655_765
EPOCH = dt.datetime(1970, 1, 1)


def tie_hash(person: Any, value: Any) -> int:
    """Hash of a person and a value; a date is a date, an integral number a BIGINT."""
    number = 1_367_130_551
    rounds = [*zip(_words(person), (1_640_531_527, 3_329_051), strict=False)]
    words = [*_words(value), 2_038_074_743, 1_299_709]
    rounds += zip(words, (1_013_904_223, 1_597_334_677, 1_103_515_245, 1_566_083_941), strict=False)
    for word, factor in rounds:
        number = ((number ^ word) * factor >> 16) & MASK
    return number


def tied_first(person: Any, values: Any) -> Any:
    """First of several tied values."""
    return min(values, key=lambda value: (tie_hash(person, value), value))


def tied_last(person: Any, values: Any) -> Any:
    """Last of several tied values."""
    return max(values, key=lambda value: (tie_hash(person, value), value))


def add_ties(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the function tie(person, value), of texts and integers, in a connection."""
    parameters: list[Any] = ["VARCHAR"] * 4
    connection.create_function("tie_of", _tie_of, parameters, "BIGINT")  # type: ignore[arg-type]
    connection.execute(
        "CREATE MACRO tie(person, value) AS"
        " tie_of(typeof(person), CAST(person AS VARCHAR), typeof(value), CAST(value AS VARCHAR))"
    )


def _tie_of(person_type: str, person: str, value_type: str, value: str) -> int:
    typed = (text if kind == "VARCHAR" else int(text) for kind, text in ((person_type, person), (value_type, value)))
    return tie_hash(*typed)


def _words(value: Any) -> list[int]:
    if value is None:
        raise ValueError("the number of words of a NULL follows from its type: hash_of_null")
    if isinstance(value, bool):
        return [int(value)]
    if isinstance(value, int):
        return [value & MASK, value >> 31 & MASK]
    if isinstance(value, str):
        return [int.from_bytes(hashlib.md5(value.encode()).digest(), "little") & MASK]
    if isinstance(value, float):
        return _words_of_double(value)
    if isinstance(value, dt.datetime):
        micros = (value.replace(tzinfo=None) - EPOCH) // dt.timedelta(microseconds=1)
        return [micros & MASK, micros >> 31 & MASK]
    assert isinstance(value, dt.date)
    return [(value - EPOCH.date()).days & MASK]


def _words_of_double(value: float) -> list[int]:
    if not math.isfinite(value):
        return [NULL_WORD, NULL_WORD]
    fraction = math.trunc((value - math.trunc(value)) * 2**52)
    whole = math.trunc(value) if abs(value) < 9e18 else None
    return [NULL_WORD if part is None else int(math.fmod(part, MASK)) & MASK for part in (whole, fraction)]
