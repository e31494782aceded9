"""What ends an order of one person's rows -> SQL: equal places are told apart by a hash of the person and a value.

The smallest value would win every tie otherwise. The hash is the same number in DuckDB and in Spark: it is made of
31-bit words by multiplying, shifting and masking, which no engine rounds (`proofs.md#ties`). The value itself follows
the hash, so that two values of one hash are told apart too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dialect.algebra.expressions import Field
from dialect.catalog.model import EngineName, SqlType

MASK = 2**31 - 1
_START = 1_367_130_551
_LAST_WORDS = ("2038074743", "1299709")  # two more rounds, after which every bit of a word has moved the upper ones
_NULL_WORD = "1431655765"
_FACTORS_OF_PERSON = (1_640_531_527, 3_329_051)  # odd, below 2^31, one for each word
_FACTORS = (1_013_904_223, 1_597_334_677, 1_103_515_245, 1_566_083_941)
_SHIFT = 16  # the middle of a product of two words, on which all their bits bear
_FRACTION = 2**52

# type -> the words of a value {0}, each from 0 to 2^31 - 1, or NULL; of types that are not named a hash tells nothing
_DUCKDB: Mapping[SqlType, Sequence[str]] = {
    SqlType.BOOLEAN: ("CAST({0} AS BIGINT)",),
    SqlType.BIGINT: (  # whatever is stored: HUGEINT holds signed and unsigned integers of 64 bits
        f"CAST(CAST({{0}} AS HUGEINT) & {MASK} AS BIGINT)",
        f"CAST((CAST({{0}} AS HUGEINT) >> 31) & {MASK} AS BIGINT)",
    ),
    SqlType.DOUBLE: (
        f"(TRY_CAST(CASE WHEN abs({{0}}) < 9e18 THEN trunc({{0}}) END AS BIGINT) % {MASK}) & {MASK}",
        f"(TRY_CAST(trunc(({{0}} - trunc({{0}})) * {_FRACTION}) AS BIGINT) % {MASK}) & {MASK}",
    ),
    SqlType.VARCHAR: (f"CAST(md5_number({{0}}) & {MASK} AS BIGINT)",),
    SqlType.DATE: (f"(CAST({{0}} - DATE '1970-01-01' AS BIGINT) & {MASK})",),
    **dict.fromkeys(
        (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ),
        (f"(epoch_us({{0}}) & {MASK})", f"((epoch_us({{0}}) >> 31) & {MASK})"),
    ),
}
_MICROS = "unix_micros(CAST({0} AS TIMESTAMP))"
# md5_number reads the sixteen bytes backwards
_FIRST_BYTES = ", ".join(f"substr(m, {place}, 2)" for place in (7, 5, 3, 1))
_WORD_OF_MD5 = f"CAST(conv(concat({_FIRST_BYTES}), 16, 10) AS BIGINT) & {MASK}L"
# beyond it no double has a fraction
_PART_IN_SPARK = (
    "CASE WHEN abs({0}) < 9e18D THEN {0} - CAST(CAST({0} AS BIGINT) AS DOUBLE)"
    " WHEN abs({0}) < double('inf') THEN 0D END"
)
_SPARK: Mapping[SqlType, Sequence[str]] = {
    SqlType.BOOLEAN: ("CAST({0} AS BIGINT)",),
    SqlType.BIGINT: (  # a key's own unsigned integers are decimals, which have no bits
        f"CAST(pmod({{0}}, {MASK + 1}) AS BIGINT)",
        f"CAST(pmod(({{0}} - pmod({{0}}, {MASK + 1})) div {MASK + 1}, {MASK + 1}) AS BIGINT)",
    ),
    SqlType.DOUBLE: (
        f"(TRY_CAST(CASE WHEN abs({{0}}) < 9e18D THEN {{0}} END AS BIGINT) % {MASK}L) & {MASK}L",
        f"(TRY_CAST({_PART_IN_SPARK} * {_FRACTION}D AS BIGINT) % {MASK}L) & {MASK}L",
    ),
    SqlType.VARCHAR: (f"get(transform(array(md5(CAST({{0}} AS BINARY))), m -> {_WORD_OF_MD5}), 0)",),
    SqlType.DATE: (f"(CAST(unix_date({{0}}) AS BIGINT) & {MASK}L)",),
    **dict.fromkeys(
        (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ),
        (f"({_MICROS} & {MASK}L)", f"(shiftright({_MICROS}, 31) & {MASK}L)"),
    ),
}
_WORDS = {EngineName.DUCKDB: _DUCKDB, EngineName.SPARK: _SPARK}
_ROUND = {  # of the number so far {0}, a word {1} and a factor {2}
    EngineName.DUCKDB: f"(((xor({{0}}, {{1}}) * {{2}}) >> {_SHIFT}) & {MASK})",
    EngineName.SPARK: f"(shiftright(({{0}} ^ {{1}}) * {{2}}L, {_SHIFT}) & {MASK}L)",
}
_FIRST = {EngineName.DUCKDB: f"CAST({_START} AS BIGINT)", EngineName.SPARK: f"{_START}L"}


@dataclass(frozen=True)
class TieOrder:
    """The order of equal places among the rows of one person."""

    person: Field
    engine: EngineName = EngineName.DUCKDB
    begun: str | None = None  # a column that holds `of_person` already

    def terms(self, value: str, kind: SqlType) -> tuple[str, ...]:
        """Write what orders values of a type: their hash, then themselves."""
        hashed = self.hashed(value, kind)
        return (value,) if hashed is None else (hashed, value)

    def hashed(self, value: str, kind: SqlType) -> str | None:
        """Write a whole number from 0 to 2^31 - 1 of the person and a value; None where the type has none.

        Claim: it never raises, is equal for values that compare equal, and the same in every engine. Source and
        proof: proofs.md#ties.
        """
        words = _WORDS[self.engine].get(kind)
        if words is None:
            return None
        begun = self.of_person() if self.begun is None else self.begun
        return self._rounds(begun, [*(word.format(value) for word in words), *_LAST_WORDS], _FACTORS)

    def of_person(self) -> str:
        """Write the number that the hashes of one person's values begin with."""
        words = _WORDS[self.engine].get(self.person.type, ())
        return self._rounds(_FIRST[self.engine], [word.format(self.person.id) for word in words], _FACTORS_OF_PERSON)

    def _rounds(self, made: str, words: Sequence[str], factors: Sequence[int]) -> str:
        for word, factor in zip(words, factors, strict=False):
            made = _ROUND[self.engine].format(made, f"coalesce({word}, {_NULL_WORD})", factor)
        return made


def longest(kind: SqlType, engine: EngineName) -> int:
    """Give the length of the hash of a value of a type, less the texts of the value and the person."""
    text = max((TieOrder(Field("", None, each), engine).of_person() for each in _WORDS[engine]), key=len)
    return len(text) + len(TieOrder(Field("", None, kind), engine, "").hashed("", kind) or "")


def repeats(kind: SqlType, engine: EngineName) -> int:
    """Count how often the hash of a value of a type writes the value."""
    return sum(word.count("{0}") for word in _WORDS[engine].get(kind, ()))
