"""Tie-breaking among one person's rows: ties are ordered by a hash of the person and the value, then by the value.

Ordering by the value alone would let the smallest value win every tie. DuckDB and Spark compute the same hash: 31-bit
words are multiplied, shifted and masked in exact integers (`proofs.md#ties`).

A word is 31 bits of a value, as SQL; a value has one or two. The hash begins with a state that is a seed and the
person's words; each round combines the state with one word and one factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from dialect.algebra.expressions import Field
from dialect.catalog.model import SqlType

MASK = 2**31 - 1
_SEED = 1_367_130_551
_FINAL_WORDS = ("2038074743", "1299709")  # two final rounds, so that every input bit affects the upper bits
_NULL_WORD = "1431655765"
_PERSON_FACTORS = (1_640_531_527, 3_329_051)  # odd, below 2^31, one per word
_FACTORS = (1_013_904_223, 1_597_334_677, 1_103_515_245, 1_566_083_941)
_SHIFT = 16  # the middle bits of a product of two words depend on all their bits
_FRACTION_SCALE = 2**52

_DUCKDB_WORDS: Mapping[SqlType, Sequence[str]] = {
    SqlType.BOOLEAN: ("CAST({0} AS BIGINT)",),
    SqlType.BIGINT: (  # HUGEINT holds signed and unsigned stored integers of 64 bits
        f"CAST(CAST({{0}} AS HUGEINT) & {MASK} AS BIGINT)",
        f"CAST((CAST({{0}} AS HUGEINT) >> 31) & {MASK} AS BIGINT)",
    ),
    SqlType.DOUBLE: (
        f"(TRY_CAST(CASE WHEN abs({{0}}) < 9e18 THEN trunc({{0}}) END AS BIGINT) % {MASK}) & {MASK}",
        f"(TRY_CAST(trunc(({{0}} - trunc({{0}})) * {_FRACTION_SCALE}) AS BIGINT) % {MASK}) & {MASK}",
    ),
    SqlType.VARCHAR: (f"CAST(md5_number({{0}}) & {MASK} AS BIGINT)",),
    SqlType.DATE: (f"(CAST({{0}} - DATE '1970-01-01' AS BIGINT) & {MASK})",),
    **dict.fromkeys(
        (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ), (f"(epoch_us({{0}}) & {MASK})", f"((epoch_us({{0}}) >> 31) & {MASK})")
    ),
}
_MICROS = "unix_micros(CAST({0} AS TIMESTAMP))"
# DuckDB's md5_number reads the sixteen bytes in reverse order
_FIRST_BYTES = ", ".join(f"substr(m, {place}, 2)" for place in (7, 5, 3, 1))
_WORD_OF_MD5 = f"CAST(conv(concat({_FIRST_BYTES}), 16, 10) AS BIGINT) & {MASK}L"
# doubles beyond 9e18 have no fraction
_SPARK_FRACTION = (
    "CASE WHEN abs({0}) < 9e18D THEN {0} - CAST(CAST({0} AS BIGINT) AS DOUBLE)"
    " WHEN abs({0}) < double('inf') THEN 0D END"
)
_SPARK_WORDS: Mapping[SqlType, Sequence[str]] = {
    SqlType.BOOLEAN: ("CAST({0} AS BIGINT)",),
    SqlType.BIGINT: (  # unsigned keys are decimals in Spark, without bit operations
        f"CAST(pmod({{0}}, {MASK + 1}) AS BIGINT)",
        f"CAST(pmod(({{0}} - pmod({{0}}, {MASK + 1})) div {MASK + 1}, {MASK + 1}) AS BIGINT)",
    ),
    SqlType.DOUBLE: (
        f"(TRY_CAST(CASE WHEN abs({{0}}) < 9e18D THEN {{0}} END AS BIGINT) % {MASK}L) & {MASK}L",
        f"(TRY_CAST({_SPARK_FRACTION} * {_FRACTION_SCALE}D AS BIGINT) % {MASK}L) & {MASK}L",
    ),
    SqlType.VARCHAR: (f"get(transform(array(md5(CAST({{0}} AS BINARY))), m -> {_WORD_OF_MD5}), 0)",),
    SqlType.DATE: (f"(CAST(unix_date({{0}}) AS BIGINT) & {MASK}L)",),
    **dict.fromkeys(
        (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ), (f"({_MICROS} & {MASK}L)", f"(shiftright({_MICROS}, 31) & {MASK}L)")
    ),
}


@dataclass(frozen=True, eq=False)
class TieHash:
    """How an engine writes the tie-breaking hash."""

    words: Mapping[SqlType, Sequence[str]]  # 31-bit words of a value {0}, or NULL; other types have no hash
    round: str  # one hash round over the state {0}, a word {1} and a factor {2}
    seed: str


DUCKDB_TIE_HASH = TieHash(
    _DUCKDB_WORDS, f"(((xor({{0}}, {{1}}) * {{2}}) >> {_SHIFT}) & {MASK})", f"CAST({_SEED} AS BIGINT)"
)
SPARK_TIE_HASH = TieHash(_SPARK_WORDS, f"(shiftright(({{0}} ^ {{1}}) * {{2}}L, {_SHIFT}) & {MASK}L)", f"{_SEED}L")


@dataclass(frozen=True)
class TieOrder:
    """Tie-breaking order among the rows of one person, for one engine."""

    person: Field
    hash: TieHash = DUCKDB_TIE_HASH
    person_state: str | None = None  # column that holds the hash state after the person key

    def order_terms(self, value: str, kind: SqlType) -> tuple[str, ...]:
        """Write the ORDER BY terms of a value: its hash, then the value."""
        hashed = self.hash_of(value, kind)
        return (value,) if hashed is None else (hashed, value)

    def hash_of(self, value: str, kind: SqlType) -> str | None:
        """Write the tie-breaking hash of a person and a value, from 0 to 2^31 - 1; None where the type has none.

        Claim: it never raises, is equal for values that compare equal, and the same in every engine. Source and
        proof: proofs.md#ties.
        """
        words = self.hash.words.get(kind)
        if words is None:
            return None
        state = self.hash_of_person() if self.person_state is None else self.person_state
        return self._apply_rounds(state, [*(word.format(value) for word in words), *_FINAL_WORDS], _FACTORS)

    def hash_of_person(self) -> str:
        """Write the hash state after the person key, with which the hashes of that person's values begin."""
        words = self.hash.words.get(self.person.type, ())
        return self._apply_rounds(self.hash.seed, [word.format(self.person.id) for word in words], _PERSON_FACTORS)

    def _apply_rounds(self, state: str, words: Sequence[str], factors: Sequence[int]) -> str:
        """Combine a hash state with words, one round each.

        There may be more factors than words, of which the rest is unused: types have one or two words.
        """
        for word, factor in zip(words, factors, strict=False):
            state = self.hash.round.format(state, f"coalesce({word}, {_NULL_WORD})", factor)
        return state


@cache
def hash_text_length(kind: SqlType, hash_: TieHash) -> int:
    """Length of the SQL text of a value's hash, without the texts of the value and the person.

    An upper bound: the person key is assumed to be of the type with the longest text.
    """
    person_hash = max((TieOrder(Field("", None, each), hash_).hash_of_person() for each in hash_.words), key=len)
    return len(person_hash) + len(TieOrder(Field("", None, kind), hash_, "").hash_of("", kind) or "")


def value_occurrences(kind: SqlType, hash_: TieHash) -> int:
    """Count how often the SQL text of a value's hash repeats the value."""
    return sum(word.count("{0}") for word in hash_.words.get(kind, ()))
