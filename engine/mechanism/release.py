"""Release: noisy integers with their grains and noise scales, stored as Arrow; exact numbers are never stored.

From the releases of a query it also computes the noise of their raw numbers, by field id.

Terms:
    vector      noisy numbers of one aggregate, one for each group
    grain       unit of the integers in which a vector is released, as a fraction of the vector's unit
    sigma       scale of the noise, in grains
    raw number  noisy number of a vector in its unit: integer times grain; a column is computed from some of them
    consistent  adjusted so that the groups of several levels add up
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dialect import Question
from dialect.algebra import CountOf, MeanOf, MomentsOf, PrivatePlan, ReleaseColumns, ReleasedNumber, SumOf
from dialect.postprocess import Residual
from engine.backends.exact import Int64Vector
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.intervals import ratio_interval
from engine.mechanism.moments import PerValue, compute_moments
from engine.mechanism.quantiles import quantile_table

_METADATA_KEY = b"passersby.release"
_WRITE_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)  # waking another thread takes longer
_READ_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)
_BIGINT_RANGE = (-(2.0**63), 2.0**63 - 1024)  # the floats that fit


@dataclass(frozen=True)
class ReleaseDescription:
    """SQL and bounds of a stored release, from which its plan is recovered and verified by the release key."""

    sql: str
    place: int  # index among the query's plans
    bounds: str  # text of the bounds in the release key
    cost: str
    norms: tuple[float, ...]  # clip bound of each vector, in its unit
    biases: tuple[float | None, ...]  # predicted clipping bias of each vector; None: unknown
    whys: tuple[str, ...]  # description of each vector's clipping
    withins: tuple[float | None, ...] = ()  # clipping-bias bound of each vector; empty: not recorded


@dataclass(frozen=True)
class VectorCorrection:
    """What is known of one vector whose clip bound was chosen from a profile."""

    share: float = 0.0  # standard deviation of the error that correction leaves, as a share of the number or distance
    amount: float = 0.0  # the same of an average, in its unit
    floor: float = 0.0  # added to the share of a number of any size, in its unit: small groups may differ more
    centre: float | None = None  # of a centred sum: what is added back to its average; None: as planned
    shift: float = 0.0  # the part of the centre by which the average is corrected: it was not subtracted
    above: float = 0.0  # further error of an average of squares, in its unit, by which it may be larger and not smaller
    retained_share: float = 1.0  # by which a number was divided that is at least its clipped part; 1: not known


@dataclass(frozen=True)
class Release:
    """Noisy query vectors over released keys."""

    keys: pa.Table  # k0, k1, ... in the plan's order
    noisy: tuple[NoisyVector, ...]
    grains: tuple[float, ...]  # size of one grain of each vector, in its unit
    sigmas: tuple[float, ...]  # scale of each vector's noise, in grains
    description: ReleaseDescription | None = None  # None: stored by an older version
    consistent_counts: tuple[Int64Vector | None, ...] = ()  # consistent counts that are shown instead of the noisy ones
    consistent_sigmas: tuple[
        float, ...
    ] = ()  # noise scale, in grains, of a single number after consistency with other levels
    unit_counts: tuple[NoisyVector | None, ...] = ()  # with correlated noise: the noisy number of units, one number
    shared_sigmas: tuple[float, ...] = ()  # scale of the noise that all groups share, in grains; empty: there is none
    corrections: tuple[VectorCorrection, ...] = ()  # of each vector whose clip bound was chosen from a profile
    selected_keys: pa.Table | None = None  # of a profile: the private keys over which it was measured

    def deviations(self) -> tuple[float, ...]:
        """Compute the standard deviation of each vector's noise, in its unit: at most the scale of the Gaussian."""
        return tuple(sigma * grain for sigma, grain in zip(self.sigmas, self.grains, strict=True))

    def variances(self) -> tuple[float, ...]:
        """Noise variance of each vector, in squared units."""
        return tuple(deviation**2 for deviation in self.deviations())

    @property
    def is_correlated(self) -> bool:
        """Whether numbers of different groups share noise."""
        return any(self.shared_sigmas)


def centred_sum(centred: Int64Vector, units: Int64Vector | None, grain: float) -> NoisyVector:
    """Add half the noisy number of units to a noisy centred vector: people per group, in its grains.

    Both are released numbers (`dialect.sensitivity.bounding`). Without a number of units, the vector itself.
    """
    return NoisyVector(centred if units is None else centred + units * round(0.5 / grain))


def release_to_bytes(release: Release) -> bytes:
    """Serialize a release as one Arrow IPC stream; only post-processing comes after (proofs.md#release).

    With correlated noise, the two vectors that got noise are stored, each with independent noise, and not their sum.
    """
    unit_counts = release.unit_counts or (None,) * len(release.noisy)
    rows = zip(release.noisy, unit_counts, release.grains, strict=True)
    vectors = [noisy if units is None else centred_sum(noisy, -units, grain) for noisy, units, grain in rows]
    columns = [release.keys.column(i) for i in range(release.keys.num_columns)] + [pa.array(v) for v in vectors]
    names = [*release.keys.column_names, *(f"w{i}" for i in range(len(release.noisy)))]
    metadata: dict[str, Any] = {"grains": release.grains, "sigmas": release.sigmas}
    metadata |= {} if release.description is None else {"meaning": vars(release.description)}
    if release.is_correlated:
        metadata |= {"shared_sigmas": release.shared_sigmas}
        metadata |= {"unit_counts": [None if units is None else int(units[0]) for units in unit_counts]}
    metadata |= {"corrections": [asdict(each) for each in release.corrections]} if release.corrections else {}
    metadata |= {} if release.selected_keys is None else {"selected_keys": release.selected_keys.num_rows}
    table = pa.table(dict(zip(names, columns, strict=True))).replace_schema_metadata(
        {_METADATA_KEY: json.dumps(metadata).encode()}
    )
    sink = pa.BufferOutputStream()
    for each in (table, release.selected_keys):  # the stream of private keys follows that of the numbers
        if each is not None:
            with pa.ipc.new_stream(sink, each.schema, options=_WRITE_OPTIONS) as writer:
                writer.write_table(each)
    return bytes(sink.getvalue())


def release_from_bytes(payload: bytes) -> Release:
    """Deserialize a stored release."""
    source = pa.BufferReader(payload)
    table = pa.ipc.open_stream(source, options=_READ_OPTIONS).read_all()
    metadata = json.loads(table.schema.metadata[_METADATA_KEY])
    keys = [c for c in table.column_names if c.startswith("k")]
    grains = tuple(metadata["grains"])
    unit_counts = tuple(
        None if units is None else NoisyVector(np.array([units], dtype=np.int64))
        for units in metadata.get("unit_counts", ())
    )
    rows = zip(range(len(grains)), unit_counts or (None,) * len(grains), grains, strict=True)
    noisy = tuple(centred_sum(table.column(f"w{i}").to_numpy(), units, grain) for i, units, grain in rows)
    return Release(
        table.select(keys), noisy, grains, tuple(metadata["sigmas"]), _read_description(metadata),
        unit_counts=unit_counts, shared_sigmas=tuple(metadata.get("shared_sigmas", ())),
        corrections=tuple(VectorCorrection(**each) for each in metadata.get("corrections", ())),
        selected_keys=pa.ipc.open_stream(source).read_all() if "selected_keys" in metadata else None,
    )  # fmt: skip


def _read_description(metadata: dict[str, Any]) -> ReleaseDescription | None:
    """Read the description of a stored release; None if an older version stored it without one."""
    content = metadata.get("meaning")
    if content is None:
        return None
    texts = (content["sql"], content["place"], content["bounds"], content["cost"])
    return ReleaseDescription(
        *texts,
        tuple(content["norms"]),
        tuple(content["biases"]),
        tuple(content["whys"]),
        tuple(content.get("withins", ())),
    )


def outer_sql_table(release: Release, plan: PrivatePlan, columns: ReleaseColumns, confidence: float) -> pa.Table:
    """Convert a release to the table that the outer SQL reads: keys, shown numbers, raw noisy numbers."""
    if columns.histogram is not None:
        # a histogram is the only vector of its release
        facts = (release.noisy[0], release.grains[0], release.sigmas[0])
        clipping = release.corrections[0].share if release.corrections else 0.0
        return quantile_table(release.keys, *facts, columns, confidence, clipping)
    pairs = zip(release.noisy, release.grains, strict=True)
    raw = [np.asarray(noisy * grain, dtype=np.float64) for noisy, grain in pairs]
    columns_by_id: dict[str, Any] = {f.id: release.keys.column(i) for i, f in enumerate(columns.keys)}
    for output in columns.outputs:
        if isinstance(output.formula, MomentsOf):
            columns_by_id |= _moment_columns(output, output.formula, release, raw, confidence)
            continue
        columns_by_id[output.field.id] = _shown_number(output, release, plan, raw, confidence)
    columns_by_id |= {f.id: pa.array(values) for f, values in zip(columns.raw_fields, raw, strict=True)}
    return pa.table(columns_by_id)


def _shown_number(
    output: ReleasedNumber,
    release: Release,
    plan: PrivatePlan,
    raw: Sequence[npt.NDArray[np.float64]],
    confidence: float,
) -> pa.Array:
    """Column of one count, sum or mean, from the raw numbers of its vectors.

    Consistent counts go first; counts, and sums of integers, are rounded to integers.
    """
    formula = output.formula
    if isinstance(formula, MeanOf):
        return _mean_column(formula, release, raw, confidence)
    assert isinstance(formula, CountOf | SumOf)  # noqa: S101  other formulas are computed elsewhere
    values = raw[formula.vector]
    if release.consistent_counts and (whole := release.consistent_counts[formula.vector]) is not None:
        return pa.array(whole)
    if isinstance(formula, CountOf) or plan.vectors[formula.vector].is_integer:
        if release.grains[formula.vector] == 1:  # an integer already; a double would lose digits beyond 2^53
            return pa.array(release.noisy[formula.vector])
        return pa.array(np.rint(values).clip(*_BIGINT_RANGE).astype(np.int64))
    return pa.array(values)


def _moment_columns(
    output: ReleasedNumber,
    formula: MomentsOf,
    release: Release,
    raw: Sequence[npt.NDArray[np.float64]],
    confidence: float,
) -> dict[str, pa.Array]:
    """Columns of a variance, correlation or the like, by field id: its value (NULL for NaN) and both interval ends."""
    assert output.interval_fields is not None  # noqa: S101  planned with them
    corrections = {i: release.corrections[i] for i in formula.vectors} if release.corrections else {}
    formula, per_value = about_measured_centres(formula, corrections)
    estimate = compute_moments(formula, raw, release.deviations(), confidence, per_value)
    lower, upper = output.interval_fields
    return {
        output.field.id: pa.array(estimate.value, mask=np.isnan(estimate.value)),
        lower.id: pa.array(estimate.lower),
        upper.id: pa.array(estimate.upper),
    }


def about_measured_centres(
    formula: MomentsOf, corrections: Mapping[int, VectorCorrection]
) -> tuple[MomentsOf, Mapping[int, PerValue]]:
    """Take a formula about the centres that were measured, with what is added to its sums for each value.

    Products are sums of distances from the centres of their factors, to which their own centre is added back; to sums
    of values only the correction is added, as products were taken about the same centres.
    """
    centres = tuple(
        centre if i not in corrections or (found := corrections[i].centre) is None else found - corrections[i].shift
        for i, centre in zip(formula.sums, formula.centres, strict=True)
    )
    per_value = {
        i: PerValue(each.shift if i in formula.sums else each.centre or 0.0, each.amount, each.above)
        for i, each in corrections.items()
        if each.centre is not None
    }
    return replace(formula, centres=centres), per_value


def _mean_column(
    formula: MeanOf, release: Release, raw: Sequence[npt.NDArray[np.float64]], confidence: float
) -> pa.Array:
    """Compute means; NULL where the count is not clearly above 0 (proofs.md#ratio_interval)."""
    total, count = raw[formula.centred_sum], raw[formula.count]
    variances = release.variances()
    _, _, unstable = ratio_interval(
        total, count, variances[formula.centred_sum], variances[formula.count], 0.0, confidence
    )
    unstable = unstable | (count == 0)
    safe = np.where(unstable, 1.0, count)
    return pa.array(formula.centre + total / safe, mask=unstable)


@dataclass
class RawNoise:
    """Noise of the raw numbers of a query, from which intervals are computed."""

    variances: dict[str, float] = field(default_factory=dict)  # in squared units
    sigmas: dict[str, float] = field(default_factory=dict)  # in grains
    fractional: set[str] = field(default_factory=set)  # numbers whose grain is not 1
    consistency_factors: dict[str, float] = field(default_factory=dict)  # noise reduction factor by consistency
    has_consistent_counts: bool = False  # some counts are shown as made consistent, not as noised
    residuals: dict[str, Residual] = field(default_factory=dict)  # error that the correction of clipped numbers leaves

    @property
    def key(self) -> Hashable:
        """The noise as a cache key of what is computed from it."""
        tables = (self.variances, self.sigmas, self.consistency_factors, self.residuals)
        return *(tuple(each.items()) for each in tables), frozenset(self.fractional), self.has_consistent_counts


def raw_noise(question: Question, releases: Sequence[Release]) -> RawNoise:
    """Collect the noise of every raw number; histograms are left out, as their quantiles have interval ends already."""
    noise = RawNoise()
    for columns in (each for each in question.releases if each.histogram is None):
        release, raw = releases[columns.plan_index], [f.id for f in columns.raw_fields]
        noise.variances |= dict(zip(raw, release.variances(), strict=True))
        noise.sigmas |= dict(zip(raw, release.sigmas, strict=True))
        noise.fractional |= {number for number, grain in zip(raw, release.grains, strict=True) if grain != 1}
        factors = (narrow / sigma for narrow, sigma in zip(release.consistent_sigmas, release.sigmas, strict=False))
        noise.consistency_factors |= dict(zip(raw, factors, strict=False))
        corrected = zip(raw, release.corrections, strict=False)
        noise.residuals |= {
            number: Residual(each.share, each.amount, each.floor, each.retained_share) for number, each in corrected
        }
        noise.has_consistent_counts = noise.has_consistent_counts or any(
            each is not None for each in release.consistent_counts
        )
    return noise


def measured_centres(releases: Sequence[Release]) -> dict[tuple[int, int], float]:
    """Centres that were subtracted from values when releases were measured, by (plan, centred sum)."""
    return {
        (plan, vector): each.centre
        for plan, release in enumerate(releases)
        for vector, each in enumerate(release.corrections)
        if each.centre is not None
    }
