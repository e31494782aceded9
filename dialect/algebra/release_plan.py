"""Release plans: group keys, query vectors and charged privacy windows of one release, and the query over all releases.

The planner makes them; contribution bounding, code generation and the engine read them. Terms:

    query vector     one number per group and person; its sum over people is released with noise
    privacy window   period of time that has a budget of its own (an SQL window is a window function or frame)
    partial          exact number of one privacy unit in one group, before clipping
    clip bound C     limit of the L2 norm of one person's vector over all groups
    value grain      fixed-point unit of a vector: 2^-value_bits of the value's unit
    released grain   unit of released integers: 2^-fraction_bits of a value grain
    private keys     group keys without a public key set, released by partition selection
    release key      text that identifies a release for pricing and reuse; canonical texts are its parts
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import sha256

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Expr, Field, Literal
from dialect.algebra.formulas import Histogram, NoisyUnionColumn, ReleasedNumber, ReleasedSum
from dialect.algebra.relations import union_branch_tables
from dialect.algebra.traversal import walk
from dialect.catalog.model import Bounds
from dialect.catalog.privacy_windows import STATIC, PrivacyWindow


@dataclass(frozen=True)
class ChargedWindows:
    """Charged privacy windows of one release, and whether people are bounded within each of them or across all."""

    windows: tuple[str, ...]  # each is charged in full; in time order
    is_crossing: bool = False  # rows of one window may affect another's result: people are bounded across all
    window_field: Field | None = None  # the source's window column, where each window is bounded on its own
    has_window_key: bool = False  # a group key determines the window
    is_every_window: bool = False  # all declared windows, because no predicate limits them
    derived_windows: tuple[str, ...] = ()  # those charged as the source of derived columns or tables
    # the query has conditions that every row of them meets: the text of the rows lacks these
    has_implied_conditions: bool = field(default=False, compare=False, repr=False)

    @cached_property
    def canonical_text(self) -> str:
        """Canonical text of the charged windows and of whether people are bounded across them; "" for `forever`.

        Several windows are abbreviated to the first, the last and a digest of all names.
        """
        if self.windows == (str(PrivacyWindow.FOREVER),):
            return ""
        digest = sha256("|".join(self.windows).encode()).hexdigest()[:16]
        window_range = (
            self.windows[0] if len(self.windows) == 1 else f"{self.windows[0]} to {self.windows[-1]} ({digest})"
        )
        return f" in {window_range}{', crossing' if self.is_crossing else ''}"

    @cached_property
    def windows_per_unit(self) -> int:
        """Number of privacy windows that form one privacy unit; 1 where each window is bounded on its own.

        STATIC, the account of private tables without time, is no period and is not counted.
        """
        return len([name for name in self.windows if name != STATIC]) or 1 if self.is_crossing else 1


DistinctBound = tuple[str, int]  # (key text as in declared clip bounds, max distinct values within one group)

MAX_PARTIAL_GRAINS = 2**31 - 1  # cap of a per-unit partial aggregate, in grains: its square fits 64 bits


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
ROW_ADDITIVE_KINDS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM, VectorKind.CENTRED, VectorKind.PRODUCT)
# sums that also add up across stored groups; without products, for which both values would have to be compared
GROUP_ADDITIVE_KINDS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM, VectorKind.CENTRED)
# additive as shown in results: a centred sum is only part of a mean, and means do not add up
SHOWN_ADDITIVE_KINDS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM)


@dataclass(frozen=True)
class Factor:
    """Second factor of a product: a value, clamped and centred, that multiplies the vector's own."""

    value: Field
    lower: float
    upper: float
    centre: float


@dataclass(frozen=True)
class QueryVector:
    """Query vector: one number per group, summed over people. It is what is clipped and what noise is added to."""

    kind: VectorKind
    value: Field | None  # field of the source that is summed or tested; None for plain counts of rows and persons
    condition: Field | None  # boolean field of the source (FILTER)
    lower: float  # values are clamped to [lower, upper], in the value's unit
    upper: float
    centre: float  # subtracted from each clamped value; 0 unless the kind is CENTRED or PRODUCT
    is_integer: bool  # every value is an integer
    scale_group: int  # vectors of the same scale group share one clipping factor per person
    canonical_text: str  # canonical, for prices, clip bounds and explain: sum(visit.dwell_min)
    partial_bounds: Bounds | None = None  # stated bounds of a per-unit partial aggregate, in the value's unit
    factor: Factor | None = None  # second factor of a PRODUCT
    offset: float = 0.0  # of a PRODUCT: subtracted from each product; then no square is without sign
    other_values: tuple[Field, ...] = ()  # further parts of a tuple in COUNT(DISTINCT (a, b))

    @cached_property
    def is_sum(self) -> bool:
        """Whether it is a sum of values, and not a count of rows or persons."""
        return self.kind in (VectorKind.SUM, VectorKind.CENTRED, VectorKind.PRODUCT)

    @property
    def display_name(self) -> str:
        """The SQL aggregate that it is computed for, as messages name it: count(x), avg(x)."""
        sql_name = {VectorKind.VALID: "count", VectorKind.CENTRED: "avg"}.get(self.kind, self.kind)
        return self.canonical_text.replace(f"{self.kind}(", f"{sql_name}(", 1)

    @cached_property
    def fields(self) -> frozenset[Field]:
        """Fields of the source that the vector reads."""
        return frozenset(
            f for f in (self.value, self.condition, self.factor and self.factor.value, *self.other_values) if f
        )

    @property
    def is_constant_per_person(self) -> bool:
        """Whether the value is the same in all rows of a person, by an enforced primary key."""
        return all(
            f and (f.is_constant_per_person or (f.is_person_key and not f.nullable))
            for f in (self.value, *self.other_values)
        )

    @cached_property
    def is_selection_vector(self) -> bool:
        """Whether it is the plain person count that partition selection rests on: 1 in each group of a person."""
        return self.kind is VectorKind.PERSONS and self.condition is None and self.value is None

    def partial_bounds_in_grains(self, bits: int) -> tuple[int, int]:
        """Stated bounds of a per-unit partial aggregate, in grains of 2^-bits, rounded outward.

        Only for a vector with `partial_bounds`.
        """
        assert self.partial_bounds is not None  # noqa: S101  the caller asks
        return math.floor(self.partial_bounds.lower * 2.0**bits), math.ceil(self.partial_bounds.upper * 2.0**bits)

    @cached_property
    def magnitude(self) -> float:
        """Largest absolute contribution of one row, in the value's unit; never 0, so that noise always has a scale."""
        if not self.is_sum:
            return 1.0
        return _max_deviation(self) * (_max_deviation(self.factor) if self.factor else 1.0) + abs(self.offset) or 1.0


def _max_deviation(clamped: QueryVector | Factor) -> float:
    """Return the largest distance of a clamped value from its centre."""
    return max(abs(clamped.lower - clamped.centre), abs(clamped.upper - clamped.centre))


@dataclass(frozen=True)
class KeySource:
    """One public relation that group keys are listed from."""

    relation: rel.Public
    description: str  # shown to analysts: "cell", "hour(start_ts)"
    is_exhaustive: bool  # no row can hold another value


@dataclass(frozen=True)
class KeySet:
    """Public key set: every group that the answer shows, known without reading private data."""

    relation: rel.Public
    keys: tuple[Field, ...]  # fields of the relation, in the order of the plan's keys
    sources: tuple[KeySource, ...]
    is_listed_by_query: bool = False  # the query itself lists the keys: public LEFT JOIN people

    @property
    def is_exhaustive(self) -> bool:
        """Whether no row can have a key outside the set, so that no row needs to be dropped."""
        return all(source.is_exhaustive for source in self.sources)


@dataclass(frozen=True)
class GroupKey:
    """One group key."""

    field: Field  # field of the source
    canonical_text: str  # canonical: visit.place_id, hour(visit.start_ts)
    reason: str  # why its values are public, or that they are private


@dataclass(frozen=True)
class OtherKeys:
    """Groups that gather the rows of unreleased private keys: one for each public parent."""

    values: tuple[Literal | None, ...]  # of each of the plan's keys there; None: a parent, which keeps its own value
    relation: rel.Public  # one row for each public parent
    fields: tuple[Field, ...]  # of the relation, in the order of the plan's keys


@dataclass(frozen=True)
class KeyMapping:
    """How rows of unreleased keys are mapped to the groups of other keys, over the keys that were released."""

    keys: tuple[Field, ...]  # fields of the source with the rows' own keys
    released: rel.Public  # the released keys, in the order of the plan's keys
    values: tuple[Literal | None, ...]  # of each key in groups of other keys; None: its own


@dataclass(frozen=True)
class PrivatePlan:
    """Plan of one release: whose rows, which groups, which query vectors, which privacy windows are charged."""

    dataset: str
    source: rel.PerPerson  # relation whose fields include the keys, values and conditions
    keys: tuple[GroupKey, ...]
    key_set: KeySet | None  # None: private keys, by partition selection
    has_one_group_per_person: bool  # the keys are functions of the person by an enforced primary key
    has_person_key: bool  # one of them is
    has_one_row_per_person: bool
    vectors: tuple[QueryVector, ...]  # in canonical order
    tables: tuple[str, ...]  # private tables whose rows contribute
    canonical_groups: str  # canonical text of rows and groups: everything but the vectors
    vector_texts: tuple[str, ...]  # canonical text of each vector
    limits: rel.ContributionLimits
    charged_windows: ChargedWindows
    distinct_bounds: tuple[DistinctBound, ...] = ()  # counted in public tables
    others: OtherKeys | None = None  # private keys: groups for the rows of those that are not released
    mapping: KeyMapping | None = None  # over released keys: how rows get to these groups
    bins_per_group: int = 1  # of a histogram: bins of each group that is shown, which are read as cumulative counts

    @cached_property
    def union_branches(self) -> tuple[frozenset[str], ...]:
        """Private tables whose rows each branch of a union holds (`union_branch_tables`)."""
        return union_branch_tables(self.source)

    @cached_property
    def row_truncations(self) -> tuple[rel.RowTruncation, ...]:
        """Row truncations of the source and of what it reads."""
        return tuple(each.operator for each in walk(self.source) if isinstance(each.operator, rel.RowTruncation))

    @cached_property
    def unit_columns(self) -> Mapping[str, Field]:
        """Columns of the privacy unit, a person or a person and window: SQL column -> field of the source."""
        return {"person": self.source.person} | (
            {"win": self.charged_windows.window_field} if self.charged_windows.window_field else {}
        )

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        """Names of the columns of the keys in bounded SQL."""
        return tuple(f"k{i}" for i in range(len(self.keys)))

    @cached_property
    def is_single(self) -> bool:
        """Whether every privacy unit is in at most one group, by enforced keys: then nothing is clipped over groups."""
        return self.has_one_group_per_person or self.has_one_row_per_person

    @cached_property
    def key_exprs(self) -> tuple[Expr, ...]:
        """The group keys as expressions over fields without a definition."""
        return tuple(key.field.expression for key in self.keys)

    @property
    def display_name(self) -> str:
        """The release in messages, by its group keys."""
        return f"by {', '.join(key.canonical_text for key in self.keys)}" if self.keys else "of all rows"

    @cached_property
    def canonical_text(self) -> str:
        """Canonical text: equal for all spellings of the same release."""
        return f"{self.canonical_groups} vectors {'; '.join(self.vector_texts)}"


@dataclass(frozen=True)
class ReleaseColumns:
    """Fields under which the outer query reads one release: keys, released numbers, raw noisy values."""

    plan_index: int  # index into the query's plans
    keys: tuple[Field, ...]  # in the order of the plan's keys, without a histogram's bin number
    outputs: tuple[ReleasedNumber, ...]
    raw_fields: tuple[Field, ...]  # one DOUBLE per vector: the noisy value before rounding, in the vector's unit
    histogram: Histogram | None = None  # if set, the outputs are its quantiles and there are no raw values

    def group_count(self, key_count: int | None) -> int | None:
        """Return the number of groups for `key_count` keys, histogram bins not counted; None for private keys."""
        return key_count if key_count is None or self.histogram is None else key_count // self.histogram.bin_count


class ClipRule(StrEnum):
    """Clip rule: how one person's vector is kept within its clip bound."""

    UNCLIPPED = "within"  # nothing is clipped: range inference proves the bound
    CLAMP = "clamp"  # one group per person: the partial aggregate itself is clamped
    SCALE = "scale"  # the vector over all groups is scaled to the clip bound (L2)
    TRUNCATE = "choose"  # at most L0 groups, chosen by hash, with weight 1 or at most m distinct values in each

    @property
    def clips(self) -> bool:
        """Whether it clips numbers to a clip bound."""
        return self in (ClipRule.CLAMP, ClipRule.SCALE)


@dataclass(frozen=True)
class VectorBound:
    """Contribution bound of one query vector, in exact integers: clip rule, clip bound C, and sensitivity."""

    rule: ClipRule
    clip_bound: float  # clip bound C in the vector's unit: rows, persons, or the value's unit
    value_bits: int  # values are integers of 2^-value_bits (value grains)
    clip_bound_grains: int  # clip bound in released grains, rounded down
    fraction_bits: int  # a released grain is 2^-fraction_bits of a value grain
    sensitivity: int  # L2, in released grains of 2^-(value_bits + fraction_bits)
    key_reason: str
    predicted_bias: float | None = 0.0  # expected clipping bias of a total, relative, at most 0; None: unknown
    max_groups: int | None = None  # of distinct values: limit on groups per person; None: no limit of its own
    max_values: int | None = None  # of distinct values: limit per person and group; None: no limit
    # expected share left by clipping; the grain size corrects for it
    retained_share: float = field(default=1.0, repr=False)
    # bound on the bias after correction, relative; of a mean, in its unit
    residual_bias_bound: float | None = field(default=None, repr=False)
    # `key_reason` as people read it; only `key_reason` enters release keys
    plain_reason: str = field(default="", repr=False, compare=False)
    # released as a centred vector and the number of units (`dialect.sensitivity.bounding`)
    is_correlated: bool = field(default=False, repr=False)

    @property
    def reason(self) -> str:
        """Why this rule and clip bound were chosen, in words for people; release keys have `key_reason` instead."""
        return self.plain_reason or self.key_reason

    @property
    def half_person(self) -> int:
        """Half a person in released grains: the centre that each unit subtracts from a centred vector."""
        return 1 << self.fraction_bits - 1

    @cached_property
    def clip_bound_value_grains(self) -> int:
        """Clip bound in value grains, rounded down."""
        return self.clip_bound_grains >> self.fraction_bits

    @cached_property
    def squared_clip_bound(self) -> int:
        """C^2 in squared value grains, rounded down. An integer sum of squares exceeds it exactly if it exceeds C^2."""
        return self.clip_bound_grains**2 >> 2 * self.fraction_bits

    @cached_property
    def grain_size(self) -> float:
        """Size of one released grain in the vector's unit, bias-corrected by the retained share."""
        return 2.0 ** -(self.value_bits + self.fraction_bits) / self.retained_share


@dataclass(frozen=True)
class ContributionBounds:
    """Contribution bounds of a plan: one per query vector, and a limit on groups per person (L0) where needed."""

    vectors: tuple[VectorBound, ...]
    max_groups: int | None = None  # L0 per person; None: not limited

    @cached_property
    def centred_vectors(self) -> dict[int, int]:
        """Index of each vector with correlated noise -> half a person in its grains: what is subtracted per unit."""
        return {i: bound.half_person for i, bound in enumerate(self.vectors) if bound.is_correlated}


@dataclass(frozen=True)
class QueryOverReleases:
    """A query over releases, whose noise is propagated: a Question, or one that is still being planned."""

    plans: tuple[PrivatePlan, ...]
    releases: tuple[ReleaseColumns, ...]
    outer: rel.Released | rel.Public
    released_sums: tuple[ReleasedSum, ...] = ()  # over released rows, with noise terms
    union_columns: tuple[NoisyUnionColumn, ...] = ()  # of UNION ALL, with the noise terms of each row
