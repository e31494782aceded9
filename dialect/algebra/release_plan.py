"""The plan of one release: keys, query vectors, charged privacy windows; and the query over all releases.

The nouns flow from the planner to contribution bounding, code generation and the engine. `Touched` states which
windows a release is charged to, and whether it keeps them apart. The Question over releases carries, with each row,
what its noise is made from: of a whole question, or of what is planned so far.
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
from dialect.parser.options import NO_OPTIONS, Options


@dataclass(frozen=True)
class Touched:
    """The windows of one release."""

    windows: tuple[str, ...]  # each is charged in full, the earliest first
    crossing: bool = False  # rows of one window may decide what counts of another: people are bounded over all of them
    window: Field | None = None  # holds the window of each row of the source, where several are kept apart
    keyed: bool = False  # a group key tells the window
    every: bool = False  # all declared windows, as nothing says fewer
    derived: tuple[str, ...] = ()  # those of them that columns or tables were computed from

    @property
    def text(self) -> str:
        """Say in canonical text what the rows themselves do not: which windows are charged, and whether they cross."""
        if self.windows == (str(Window.FOREVER),):
            return ""
        digest = sha256("|".join(self.windows).encode()).hexdigest()[:16]
        shown = self.windows[0] if len(self.windows) == 1 else f"{self.windows[0]} to {self.windows[-1]} ({digest})"
        return f" in {shown}{', crossing' if self.crossing else ''}"

    @property
    def together(self) -> int:
        """How many windows of a person count as one: 1 where each is bounded for itself."""
        return len([name for name in self.windows if name != STATIC]) or 1 if self.crossing else 1


MostValues = tuple[str, int]  # a column of people's rows, as norms are declared by it; its values in one group at most

LARGEST_PART = 2**31 - 1  # one person's number in one group, in grains: its square fits 64 bits


class VectorKind(StrEnum):
    """What one person's vector holds in each group."""

    ROWS = "rows"  # how many rows
    PERSONS = "persons"  # 1 where the person has a row
    DISTINCT = "distinct"  # which different values: they are counted over people, so of few groups and few values alone
    VALID = "valid"  # how many rows whose value is neither NULL nor infinite
    SUM = "sum"  # the sum of the values
    CENTRED = "centred"  # the sum of the values less a public centre
    PRODUCT = "product"  # the sum of the products of two such differences: of a value with itself, or with another


# one person's number of a group is a sum over their rows: some of the rows may be added up apart
SUMS_OVER_ROWS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM, VectorKind.CENTRED, VectorKind.PRODUCT)
# held or stored groups are added up too: no products, of which whoever compares them would have to compare both values
SUMS_OVER_GROUPS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM, VectorKind.CENTRED)
# an answer shows these as they are: a centred sum is a part of a mean, and shown means do not add up
SHOWN_SUMS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM)


@dataclass(frozen=True)
class Factor:
    """What each value of a vector is multiplied by: a second value, clamped and less its own centre."""

    value: Field
    lower: float
    upper: float
    centre: float


@dataclass(frozen=True)
class Vector:
    """One number per group, summed over people: what is bounded, and what noise is added to."""

    kind: VectorKind
    value: Field | None  # field of the source that is summed or tested; None for rows and persons
    condition: Field | None  # boolean field of the source: FILTER
    lower: float  # each value is clamped to [lower, upper], in the value's unit
    upper: float
    centre: float  # taken off each clamped value; 0 but for CENTRED
    whole: bool  # every value is an integer
    scale_group: int  # vectors of one group share one factor per person
    text: str  # canonical, for prices, norms and explain: sum(visit.dwell_min)
    part: Bounds | None = None  # one person's number in one group is clamped to these, in the value's unit
    factor: Factor | None = None  # of a product
    others: tuple[Field, ...] = ()  # of a tuple whose different values are counted: its other parts

    @property
    def summed(self) -> bool:
        """Whether values are added, and not rows or persons counted."""
        return self.kind in (VectorKind.SUM, VectorKind.CENTRED, VectorKind.PRODUCT)

    @property
    def fields(self) -> frozenset[Field]:
        """The fields of the source that are read."""
        return frozenset(f for f in (self.value, self.condition, self.factor and self.factor.value, *self.others) if f)

    @property
    def of_person(self) -> bool:
        """Whether each person has one value alone, by an enforced primary key."""
        return all(f and (f.of_person or (f.is_person and not f.nullable)) for f in (self.value, *self.others))

    @property
    def decides_keys(self) -> bool:
        """Whether this is the plain count of persons, 1 in each of a person's groups, which private keys rest on."""
        return self.kind is VectorKind.PERSONS and self.condition is None and self.value is None

    def part_in_grains(self, bits: int) -> tuple[int, int]:
        """Give the named ends of one person's number in one group in grains of 2^-bits, rounded outward."""
        assert self.part is not None  # noqa: S101  the caller asks
        return math.floor(self.part.lower * 2.0**bits), math.ceil(self.part.upper * 2.0**bits)

    @property
    def magnitude(self) -> float:
        """The largest magnitude that one row adds; never 0, so that there is something to noise."""
        return (_farthest(self) * (_farthest(self.factor) if self.factor else 1.0) or 1.0) if self.summed else 1.0


def _farthest(ends: Vector | Factor) -> float:
    return max(abs(ends.lower - ends.centre), abs(ends.upper - ends.centre))


@dataclass(frozen=True)
class KeySource:
    """One public list that keys are taken from."""

    relation: Public
    what: str  # for people: "cell", "hour(start_ts)"
    closed: bool  # no row can hold anything else


@dataclass(frozen=True)
class KeySet:
    """Every key that the answer shows, known without the data."""

    relation: Public
    keys: tuple[Field, ...]  # fields of the relation, in the order of the plan's keys
    sources: tuple[KeySource, ...]
    asked: bool = False  # the question itself asks for every key: a public table LEFT JOIN a private one

    @property
    def closed(self) -> bool:
        """Whether rows can hold no other keys, so that none need be dropped."""
        return all(source.closed for source in self.sources)


@dataclass(frozen=True)
class Key:
    """One group key."""

    field: Field  # of the source
    text: str  # canonical: visit.place_id, hour(visit.start_ts)
    why: str  # why its values are public, or that they are not


@dataclass(frozen=True)
class PrivatePlan:
    """One release boundary: whose rows, which groups, which vectors."""

    dataset: str
    source: PerPerson  # rows with the keys, values and conditions as fields
    keys: tuple[Key, ...]
    key_set: KeySet | None  # None: the keys are private, and must reach a threshold
    one_group_per_person: bool  # the keys are functions of the person by an enforced primary key
    one_row_per_person: bool
    vectors: tuple[Vector, ...]  # in canonical order
    tables: tuple[str, ...]  # private tables whose rows are aggregated
    frame: str  # canonical, of everything but the vectors: which rows, which groups
    texts: tuple[str, ...]  # canonical, one per vector
    limits: Limits
    touched: Touched
    most_values: tuple[MostValues, ...] = ()  # counted in public tables
    # what `few_values` counted already, once for all numbers: nothing of a plan that is not told by the rest of it
    day_counts: dict[object, tuple[object, int | None]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def unit(self) -> dict[str, Field]:
        """What is bounded as one, a person or a person in a window: column -> field of the source."""
        return {"person": self.source.person} | ({"win": self.touched.window} if self.touched.window else {})

    @property
    def key_exprs(self) -> tuple[Expr, ...]:
        """What the keys stand for, over fields without a definition of their own."""
        return tuple(expand(Ref(key.field)) for key in self.keys)

    @property
    def canonical(self) -> str:
        """The same for every way of writing the same release."""
        return f"{self.frame} vectors {'; '.join(self.texts)}"


@dataclass(frozen=True)
class ReleaseColumns:
    """The fields under which the outer part of a question sees one release."""

    plan: int  # which of the question's plans
    keys: tuple[Field, ...]  # in the order of the plan's keys, less a histogram's
    outputs: tuple[Output, ...]
    raw: tuple[Field, ...]  # one DOUBLE per vector: the noisy number before rounding, in its own unit
    histogram: Histogram | None = None  # then the outputs are its quantiles, and there is no raw number

    def groups(self, key_count: int | None) -> int | None:
        """Count the groups of a release with so many keys: the bins of a histogram are none. None: private keys."""
        return key_count if key_count is None or self.histogram is None else key_count // self.histogram.bins


@dataclass(frozen=True)
class Shown:
    """One column of the answer."""

    name: str
    field: Field


@dataclass(frozen=True)
class Question:
    """A question read whole: the releases to make, and what is done over them."""

    sql: str
    plans: tuple[PrivatePlan, ...]
    releases: tuple[ReleaseColumns, ...]
    outer: Released | Public
    columns: tuple[Shown, ...]
    options: Options = NO_OPTIONS
    notes: tuple[str, ...] = ()  # what a reader should know of how numbers are made
    sums: tuple[ReleasedSum, ...] = ()  # over released rows, where their noise is followed
    gathered: tuple[Gathered, ...] = ()


class Rule(StrEnum):
    """How one person's vector is kept within its norm."""

    WITHIN = "within"  # range inference proves it; nothing is cut
    CLAMP = "clamp"  # one group per person: the number itself is clamped
    SCALE = "scale"  # the whole vector over groups is scaled
    CHOOSE = "choose"  # at most L0 groups, chosen by hash; one unit in each, or at most m different values


@dataclass(frozen=True)
class VectorBound:
    """How one vector is bounded, in exact integers."""

    rule: Rule
    norm: float  # C in the vector's unit: rows, persons, or the value's unit
    value_bits: int  # one person's sums are counted in grains of 2^-value_bits
    norm_grains: int  # C in released grains, rounded down: what vectors are clamped or scaled to
    fraction_bits: int  # further binary places of a released grain
    sensitivity: int  # L2 distance of neighbouring vectors, in released grains of 2^-(value_bits + fraction_bits)
    why: str
    predicted_bias: float | None = 0.0  # expected relative error of a total by what is cut, at most 0; None: unknown
    max_groups: int | None = None  # of different values: in how many groups a person's count; None: in all left
    max_values: int | None = None  # of different values: how many a person has in each; None: all
    kept: float = field(default=1.0, repr=False)  # the share expected to be left: the rest is given back by the grain
    bias_within: float | None = field(default=None, repr=False)  # how far then off, as a share; of a mean, in its unit

    @property
    def whole_norm(self) -> int:
        """The largest whole number of value grains within C."""
        return self.norm_grains >> self.fraction_bits

    @property
    def squared_norm(self) -> int:
        """The largest whole number within C squared, in squares of value grains: whole squares above it exceed C."""
        return self.norm_grains**2 >> 2 * self.fraction_bits

    @property
    def grain(self) -> float:
        """Size of one released grain in the vector's unit."""
        return 2.0 ** -(self.value_bits + self.fraction_bits) / self.kept


@dataclass(frozen=True)
class Bounding:
    """The bounds of every vector of a plan, and of the number of groups where that is needed."""

    vectors: tuple[VectorBound, ...]
    max_groups: int | None = None  # L0 per person; None where no count of groups is needed


class OverReleases(Protocol):
    """What noise is followed through; a Question is one."""

    @property
    def plans(self) -> tuple[PrivatePlan, ...]:
        """Say how each release is made."""

    @property
    def releases(self) -> tuple[ReleaseColumns, ...]:
        """Name the fields of each release's numbers."""

    @property
    def outer(self) -> Released | Public:
        """Give the rows."""

    @property
    def sums(self) -> tuple[ReleasedSum, ...]:
        """List the sums over released rows whose noise is summed beside them."""

    @property
    def gathered(self) -> tuple[Gathered, ...]:
        """List the columns of unions whose rows bring their noise along."""


@dataclass(frozen=True)
class SoFar:
    """Rows of a question that is being planned."""

    plans: tuple[PrivatePlan, ...]
    releases: tuple[ReleaseColumns, ...]
    outer: Released | Public
    sums: tuple[ReleasedSum, ...] = ()
    gathered: tuple[Gathered, ...] = ()
