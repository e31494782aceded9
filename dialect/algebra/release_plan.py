"""Release plans: group keys, query vectors and charged privacy windows of one release, and the query over all releases.

The planner makes them; contribution bounding, code generation and the engine read them. A Question carries, for each
number of its outer query, the noisy vectors that it is computed from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

from dialect.algebra.expressions import Expr, Field, Ref, expand
from dialect.algebra.formulas import Gathered, Histogram, Output, ReleasedSum
from dialect.algebra.relations import Limits, PerPerson, Public, Released
from dialect.catalog.model import Bounds
from dialect.catalog.privacy_windows import STATIC, Window
from dialect.notes import Note
from dialect.parser.options import NO_OPTIONS, Options


@dataclass(frozen=True)
class Touched:
    """Charged privacy windows of one release, and whether people are bounded within each of them or across all."""

    windows: tuple[str, ...]  # each is charged in full; in time order
    crossing: bool = False  # rows of one window may affect another's result: people are bounded across all
    window: Field | None = None  # the source's window column, where each window is bounded on its own
    keyed: bool = False  # a group key determines the window
    every: bool = False  # all declared windows, because no predicate limits them
    derived: tuple[str, ...] = ()  # those charged as the source of derived columns or tables

    @property
    def text(self) -> str:
        """Canonical text of the charged windows and of whether people are bounded across them; "" for `forever`."""
        if self.windows == (str(Window.FOREVER),):
            return ""
        digest = sha256("|".join(self.windows).encode()).hexdigest()[:16]
        shown = self.windows[0] if len(self.windows) == 1 else f"{self.windows[0]} to {self.windows[-1]} ({digest})"
        return f" in {shown}{', crossing' if self.crossing else ''}"

    @property
    def together(self) -> int:
        """Number of privacy windows that form one privacy unit; 1 where each window is bounded on its own."""
        return len([name for name in self.windows if name != STATIC]) or 1 if self.crossing else 1


MostValues = tuple[str, int]  # (key text as in declared clip bounds, max distinct values within one group)

LARGEST_PART = 2**31 - 1  # cap of a per-unit partial aggregate, in grains: its square fits 64 bits


class VectorKind(StrEnum):
    """What the query vector of one person holds in each group."""

    ROWS = "rows"  # number of rows
    PERSONS = "persons"  # 1 where the person has a row
    DISTINCT = "distinct"  # distinct values, counted across people: groups and values per person are truncated
    VALID = "valid"  # number of rows whose value is finite and not NULL
    SUM = "sum"  # the sum of the values
    CENTRED = "centred"  # the sum of the values minus a public centre
    PRODUCT = "product"  # the sum of products of two centred values, of one column or of two


# sums over the rows of a unit: subsets of the rows may be summed separately
SUMS_OVER_ROWS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM, VectorKind.CENTRED, VectorKind.PRODUCT)
# sums that also add up across stored groups; without products, for which both values would have to be compared
SUMS_OVER_GROUPS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM, VectorKind.CENTRED)
# additive as shown in results: a centred sum is only part of a mean, and means do not add up
SHOWN_SUMS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM)


@dataclass(frozen=True)
class Factor:
    """Second factor of a product: a value, clamped and centred, that multiplies the vector's own."""

    value: Field
    lower: float
    upper: float
    centre: float


@dataclass(frozen=True)
class Vector:
    """Query vector: one number per group, summed over people. It is what is clipped and what noise is added to."""

    kind: VectorKind
    value: Field | None  # field of the source that is summed or tested; None for plain counts of rows and persons
    condition: Field | None  # boolean field of the source (FILTER)
    lower: float  # values are clamped to [lower, upper], in the value's unit
    upper: float
    centre: float  # subtracted from each clamped value; 0 unless the kind is CENTRED or PRODUCT
    whole: bool  # every value is an integer
    scale_group: int  # vectors of the same scale group share one clipping factor per person
    text: str  # canonical, for prices, clip bounds and explain: sum(visit.dwell_min)
    part: Bounds | None = None  # stated bounds of a per-unit partial aggregate, in the value's unit
    factor: Factor | None = None  # second factor of a PRODUCT
    others: tuple[Field, ...] = ()  # further parts of a tuple in COUNT(DISTINCT (a, b))

    @property
    def summed(self) -> bool:
        """Whether it is a sum of values, and not a count of rows or persons."""
        return self.kind in (VectorKind.SUM, VectorKind.CENTRED, VectorKind.PRODUCT)

    @property
    def fields(self) -> frozenset[Field]:
        """Fields of the source that the vector reads."""
        return frozenset(f for f in (self.value, self.condition, self.factor and self.factor.value, *self.others) if f)

    @property
    def of_person(self) -> bool:
        """Whether the value is the same in all rows of a person, by an enforced primary key."""
        return all(f and (f.of_person or (f.is_person and not f.nullable)) for f in (self.value, *self.others))

    @property
    def decides_keys(self) -> bool:
        """Whether it is the plain person count that partition selection rests on: 1 in each group of a person."""
        return self.kind is VectorKind.PERSONS and self.condition is None and self.value is None

    def part_in_grains(self, bits: int) -> tuple[int, int]:
        """Stated bounds of a per-unit partial aggregate, in grains of 2^-bits, rounded outward."""
        assert self.part is not None  # noqa: S101  the caller asks
        return math.floor(self.part.lower * 2.0**bits), math.ceil(self.part.upper * 2.0**bits)

    @property
    def magnitude(self) -> float:
        """Largest absolute contribution of one row, in the value's unit; never 0, so that noise always has a scale."""
        return (_farthest(self) * (_farthest(self.factor) if self.factor else 1.0) or 1.0) if self.summed else 1.0


def _farthest(ends: Vector | Factor) -> float:
    return max(abs(ends.lower - ends.centre), abs(ends.upper - ends.centre))


@dataclass(frozen=True)
class KeySource:
    """One public relation that group keys are listed from."""

    relation: Public
    what: str  # shown to analysts: "cell", "hour(start_ts)"
    closed: bool  # no row can hold another value


@dataclass(frozen=True)
class KeySet:
    """Public key set: every group that the answer shows, known without reading private data."""

    relation: Public
    keys: tuple[Field, ...]  # fields of the relation, in the order of the plan's keys
    sources: tuple[KeySource, ...]
    asked: bool = False  # the query itself lists the keys: public LEFT JOIN people

    @property
    def closed(self) -> bool:
        """Whether no row can have a key outside the set, so that no row needs to be dropped."""
        return all(source.closed for source in self.sources)


@dataclass(frozen=True)
class Key:
    """One group key."""

    field: Field  # field of the source
    text: str  # canonical: visit.place_id, hour(visit.start_ts)
    why: str  # why its values are public, or that they are private


@dataclass(frozen=True)
class PrivatePlan:
    """Plan of one release: whose rows, which groups, which query vectors, which privacy windows are charged."""

    dataset: str
    source: PerPerson  # relation whose fields include the keys, values and conditions
    keys: tuple[Key, ...]
    key_set: KeySet | None  # None: private keys, by partition selection
    one_group_per_person: bool  # the keys are functions of the person by an enforced primary key
    one_row_per_person: bool
    vectors: tuple[Vector, ...]  # in canonical order
    tables: tuple[str, ...]  # private tables whose rows contribute
    frame: str  # canonical text of rows and groups: everything but the vectors
    texts: tuple[str, ...]  # canonical text of each vector
    limits: Limits
    touched: Touched
    most_values: tuple[MostValues, ...] = ()  # counted in public tables
    # cache of `few_values`, shared by all vectors; a function of the plan's other fields
    day_counts: dict[object, tuple[object, int | None]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def unit(self) -> dict[str, Field]:
        """Columns of the privacy unit, a person or a person and window: SQL column -> field of the source."""
        return {"person": self.source.person} | ({"win": self.touched.window} if self.touched.window else {})

    @property
    def key_exprs(self) -> tuple[Expr, ...]:
        """The group keys as expressions over fields without a definition."""
        return tuple(expand(Ref(key.field)) for key in self.keys)

    @property
    def canonical(self) -> str:
        """Canonical text: equal for all spellings of the same release."""
        return f"{self.frame} vectors {'; '.join(self.texts)}"


@dataclass(frozen=True)
class ReleaseColumns:
    """Fields under which the outer query reads one release: keys, released numbers, raw noisy values."""

    plan: int  # index into the query's plans
    keys: tuple[Field, ...]  # in the order of the plan's keys, without a histogram's bin number
    outputs: tuple[Output, ...]
    raw: tuple[Field, ...]  # one DOUBLE per vector: the noisy value before rounding, in the vector's unit
    histogram: Histogram | None = None  # if set, the outputs are its quantiles and there are no raw values

    def groups(self, key_count: int | None) -> int | None:
        """Return the number of groups for `key_count` keys, histogram bins not counted; None for private keys."""
        return key_count if key_count is None or self.histogram is None else key_count // self.histogram.bins


@dataclass(frozen=True)
class Shown:
    """One column of the result."""

    name: str
    field: Field


@dataclass(frozen=True)
class Question:
    """A planned query: the releases to make, and the outer query over them."""

    sql: str
    plans: tuple[PrivatePlan, ...]
    releases: tuple[ReleaseColumns, ...]
    outer: Released | Public
    columns: tuple[Shown, ...]
    options: Options = NO_OPTIONS
    notes: tuple[Note, ...] = ()  # shown with the result: how its numbers are made
    sums: tuple[ReleasedSum, ...] = ()  # over released rows, with noise terms
    gathered: tuple[Gathered, ...] = ()


class Rule(StrEnum):
    """Clip rule: how one person's vector is kept within its clip bound."""

    WITHIN = "within"  # nothing is clipped: range inference proves the bound
    CLAMP = "clamp"  # one group per person: the partial aggregate itself is clamped
    SCALE = "scale"  # the vector over all groups is scaled to the clip bound (L2)
    CHOOSE = "choose"  # at most L0 groups, chosen by hash, with weight 1 or at most m distinct values in each


@dataclass(frozen=True)
class VectorBound:
    """Contribution bound of one query vector, in exact integers: clip rule, clip bound C, and sensitivity."""

    rule: Rule
    norm: float  # clip bound C in the vector's unit: rows, persons, or the value's unit
    value_bits: int  # values are integers of 2^-value_bits (value grains)
    norm_grains: int  # clip bound in released grains, rounded down
    fraction_bits: int  # a released grain is 2^-fraction_bits of a value grain
    sensitivity: int  # L2, in released grains of 2^-(value_bits + fraction_bits)
    why: str
    predicted_bias: float | None = 0.0  # expected clipping bias of a total, relative, at most 0; None: unknown
    max_groups: int | None = None  # of distinct values: limit on groups per person; None: no limit of its own
    max_values: int | None = None  # of distinct values: limit per person and group; None: no limit
    kept: float = field(default=1.0, repr=False)  # expected share left by clipping; the grain size corrects for it
    bias_within: float | None = field(
        default=None, repr=False
    )  # bound on the bias after correction, relative; of a mean, in its unit
    plain_why: str = field(default="", repr=False, compare=False)  # `why` as people read it; `why` enters release keys

    @property
    def reason(self) -> str:
        """Why this rule and clip bound were chosen, in words for people; release keys have `why` instead."""
        return self.plain_why or self.why

    @property
    def whole_norm(self) -> int:
        """Clip bound in value grains, rounded down."""
        return self.norm_grains >> self.fraction_bits

    @property
    def squared_norm(self) -> int:
        """C^2 in squared value grains, rounded down. An integer sum of squares exceeds it exactly if it exceeds C^2."""
        return self.norm_grains**2 >> 2 * self.fraction_bits

    @property
    def grain(self) -> float:
        """Size of one released grain in the vector's unit, bias-corrected by the retained share."""
        return 2.0 ** -(self.value_bits + self.fraction_bits) / self.kept


@dataclass(frozen=True)
class Bounding:
    """Contribution bounds of a plan: one per query vector, and a limit on groups per person (L0) where needed."""

    vectors: tuple[VectorBound, ...]
    max_groups: int | None = None  # L0 per person; None: not limited


class OverReleases(Protocol):
    """A query over releases, for noise propagation: a Question, or one that is still being planned."""

    @property
    def plans(self) -> tuple[PrivatePlan, ...]:
        """The plan of each release."""

    @property
    def releases(self) -> tuple[ReleaseColumns, ...]:
        """The fields of each release."""

    @property
    def outer(self) -> Released | Public:
        """The outer query's relation."""

    @property
    def sums(self) -> tuple[ReleasedSum, ...]:
        """Sums over released rows, with their noise terms."""

    @property
    def gathered(self) -> tuple[Gathered, ...]:
        """UNION ALL columns, with the noise terms of each row."""


@dataclass(frozen=True)
class SoFar:
    """A query over releases that is still being planned."""

    plans: tuple[PrivatePlan, ...]
    releases: tuple[ReleaseColumns, ...]
    outer: Released | Public
    sums: tuple[ReleasedSum, ...] = ()
    gathered: tuple[Gathered, ...] = ()
