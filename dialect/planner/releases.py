"""Plan one release point as PrivatePlans: group keys, query vectors, and the formula of each output column.

A release point has one release for its vectors and one for each histogram, joined on the keys. Release points over the
same rows and groups share one release with the vectors of all (`proofs.md#shared-vectors`).

Terms: the boundary is the release point, the operator at which private rows become released numbers. The frame of a
release is the text of its rows and groups without its vectors: releases with one frame can be merged. Outputs are the
released numbers with their formulas over the vectors. A raw number is one noisy number of a vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Expr, Field, Origin, Ref, conjunction, fields_of, map_fields
from dialect.algebra.formulas import NoisyUnionColumn, ReleasedNumber, ReleasedSum
from dialect.algebra.relations import tables_of, truncate_to_limits
from dialect.algebra.release_plan import (
    ChargedWindows,
    GroupKey,
    KeySet,
    KeySource,
    OtherKeys,
    PrivatePlan,
    QueryOverReleases,
    ReleaseColumns,
    VectorKind,
)
from dialect.algebra.traversal import Node, map_parts, walk
from dialect.analysis.canonical_form import CanonicalForm
from dialect.analysis.uniqueness import declared_keys, has_one_row_per_group
from dialect.analysis.work_bounds import check_sql_size
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal
from dialect.functions.aggregates import MOMENTS
from dialect.functions.emitter import plain_text
from dialect.functions.registry import is_constant_per_person, is_not_distinct
from dialect.notes import Note
from dialect.parser.compile_context import CompileContext
from dialect.parser.privacy_clause import KeyHandling
from dialect.planner.keys.key_set import build_key_set
from dialect.planner.keys.private_keys import check_private_keys, other_keys
from dialect.planner.quantiles import HistogramPlan, plan_histograms, quantile_notes, quantile_output
from dialect.planner.query_vectors import QueryVectors, is_histogram_aggregate, renumber_formula
from dialect.planner.window_charging import determine_charged_windows
from dialect.postprocess.interval_functions import refuse_interval_functions
from dialect.stability.outer_joins import check_preserved_below, preserved_keys
from dialect.stability.row_operators import project, strip_fields


def plan_release(boundary: rel.ReleasePoint, context: CompileContext) -> tuple[PrivatePlan, tuple[ReleasedNumber, ...]]:
    """Plan one release: returns the plan, with keys and vectors in canonical order, and the formula of each output.

    A count of persons is added where keys are private, as it decides which of them are shown, and where there is no
    aggregate. Raises Refusal for keys that cannot be released, and SQL that would be too long.
    """
    exprs = [argument for measure in boundary.aggregates for argument in measure.arguments]
    exprs += [measure.condition for measure in boundary.aggregates if measure.condition is not None]
    source, fields = project(boundary.source, exprs, context)
    refuse_interval_functions(source)
    limits = rel.ContributionLimits(context.options.max_groups, context.options.max_rows)
    source, charged = determine_charged_windows(truncate_to_limits(source, limits), boundary.keys, fields, context)
    canonical = CanonicalForm()
    structure = canonical.relation_text(source)
    keys = sorted(boundary.keys, key=lambda f: canonical.names[f.id])
    check_preserved_below(source)
    public_keys = _public_key_set(keys, source, context)
    others = None
    if public_keys is None:
        check_private_keys(keys, context)
        others = other_keys(keys, boundary.keys, source, context) if context.options.others else None
    if others is not None:  # rows of several windows may be gathered in one group
        charged = replace(charged, has_window_key=False)
    is_single_row = public_keys is not None and not (source.has_one_row_per_person or limits.is_stated)
    listed = _implied_list_text(keys, public_keys, others, source, charged, context)
    query_vectors = QueryVectors(
        context.catalog,
        dict(zip(exprs, fields, strict=True)),
        canonical,
        source.predicates,
        is_single_row and has_one_row_per_group(source, keys, context.properties),
        frozenset(
            field for key in context.properties.of(declared_keys, boundary.source) if len(key) == 1 for field in key
        ),
    )
    outputs = [
        ReleasedNumber(measure.result, query_vectors.formula(measure), _interval_fields(measure, context))
        for measure in boundary.aggregates
    ]
    if public_keys is None or not outputs:
        query_vectors.add(VectorKind.PERSONS, None, None)
    check_sql_size(source, *((public_keys.relation,) if public_keys is not None else ()))
    vectors, outputs_in_order = query_vectors.in_canonical_order(outputs)
    is_by_person = [is_constant_per_person(key) for key in keys]
    plan = PrivatePlan(
        dataset=source.dataset,
        source=source,
        keys=tuple(_key(f, public_keys, context) for f in keys),
        others=others,
        key_set=public_keys,
        has_one_group_per_person=all(is_by_person),
        has_person_key=any(is_by_person),
        has_one_row_per_person=source.has_one_row_per_person,
        vectors=vectors,
        tables=tuple(sorted(tables_of(source, False) & {each.name for each in context.catalog.tables if each.private})),
        canonical_groups=f"{source.dataset}: {structure} group by {', '.join(canonical.names[f.id] for f in keys)}"
        f" {_key_text(public_keys)}{_other_keys_text(keys, others, canonical)}{listed}{charged.canonical_text}",
        vector_texts=tuple(sorted(query_vectors.texts)),
        limits=limits,
        charged_windows=charged,
    )
    return plan, outputs_in_order


def _interval_fields(measure: rel.AggregateCall, context: CompileContext) -> tuple[Field, Field] | None:
    """Create the (lower, upper) fields of interval ends that only the release itself can compute.

    These are of variances, covariances and the like, which are not linear in noisy numbers; None for other aggregates.
    """
    if measure.function not in MOMENTS:
        return None
    return Field(context.new_field_id(), None, SqlType.DOUBLE), Field(context.new_field_id(), None, SqlType.DOUBLE)


def _public_key_set(keys: Sequence[Field], source: rel.PerPerson, context: CompileContext) -> KeySet | None:
    """Find the public key set, or None for partition selection; raises Refusal if the stated option is impossible.

    Without keys there is one public group. Preserved rows of an outer join are always public.
    """
    options = context.options
    if source.preserved_side is not None:
        if options.keys is KeyHandling.PRIVATE:
            raise Kind.PUBLIC_KEYS_KEPT.at(options.span("keys"))
        return _preserved_keys(source.preserved_side, keys)
    if keys and options.keys is KeyHandling.PRIVATE:
        return None
    listed = build_key_set(keys, source, context)
    if listed is None and options.keys is KeyHandling.PUBLIC:
        raise Kind.NO_PUBLIC_KEYS.at(options.span("keys"))
    return listed


def _preserved_keys(preserved: rel.PreservedSide, keys: Sequence[Field]) -> KeySet:
    """Build the key set of a public table LEFT JOIN a private one: all keys of the preserved public rows."""
    relation, key_fields = preserved_keys(preserved, keys)
    what = ", ".join(sorted(tables_of(preserved.rows))) or "a public list"
    return KeySet(relation, key_fields, (KeySource(relation, what, True),), is_listed_by_query=True)


def _key_text(public_keys: KeySet | None) -> str:
    """Return how the keys are known, as part of the frame; the preserved rows of an outer join are part of it."""
    if public_keys is None:
        return "thresholded"
    if not public_keys.is_listed_by_query or not public_keys.keys:
        return "listed"
    canonical = CanonicalForm()
    rows = canonical.relation_text(public_keys.relation)
    return f"all of {rows} by {', '.join(canonical.names[f.id] for f in public_keys.keys)}"


def _other_keys_text(keys: Sequence[Field], others: OtherKeys | None, canonical: CanonicalForm) -> str:
    """Return which keys are parents of groups of other keys, as part of the frame; empty without such groups."""
    if others is None:
        return ""
    parents = [canonical.names[key.id] for key, value in zip(keys, others.values, strict=True) if value is None]
    return f", others by {', '.join(parents)}"


def _implied_list_text(
    keys: Sequence[Field],
    public_keys: KeySet | None,
    others: OtherKeys | None,
    source: rel.PerPerson,
    charged: ChargedWindows,
    context: CompileContext,
) -> str:
    """Return the text of the key list, or of the parents, as part of the frame; empty where the rows determine it.

    They do unless a condition shortens it that every row of the charged windows meets: the text of the rows lacks that
    condition, which other predicates may follow from (`dialect/analysis/proofs.md#canonical-text`).
    """
    listed = public_keys.relation if public_keys is not None else None if others is None else others.relation
    if listed is None or not charged.has_implied_conditions:
        return ""
    text = CanonicalForm().relation_text(listed)
    has_alternatives = any(field.alternatives for key in keys for field in fields_of(key.expression))
    with suppress(Refusal):  # without predicates a list may be too long
        plain = replace(source, predicates=())
        same = _public_key_set(keys, plain, context) if public_keys is not None else None
        if not has_alternatives and same is not None and CanonicalForm().relation_text(same.relation) == text:
            return ""
    return f" of {text}"


def _key(key: Field, public_keys: KeySet | None, context: CompileContext) -> GroupKey:
    """Describe a key, with the reason why it is public or private."""
    text = plain_text(key.expression)
    if public_keys is None and context.options.others:
        return GroupKey(key, text, "private: keys must reach a threshold; the rows of all others are in (others)")
    if context.options.keys is KeyHandling.PRIVATE:
        return GroupKey(key, text, "asked for as private, so keys must reach a threshold")
    if public_keys is None:
        return GroupKey(key, text, "no public list of its values is known, so keys must reach a threshold")
    return GroupKey(key, text, "public: " + ", ".join(source.description for source in public_keys.sources))


@dataclass(frozen=True)
class _PlannedPoint:
    """A release point with its plan."""

    boundary: rel.ReleasePoint
    plan: PrivatePlan


def shared_plans(relation: rel.Relation, context: CompileContext) -> Mapping[str, PrivatePlan]:
    """Plan one shared release per frame (rows and groups), with the vectors of every release point that has it.

        SELECT (SELECT COUNT(*) FROM visit), (SELECT AVG(dwell) FROM visit)   ->   one release for both

    Returns the shared plans by frame.
    """
    boundaries = tuple(each.operator for each in walk(relation) if isinstance(each.operator, rel.ReleasePoint))
    # a single release point has none to share with
    by_frame: dict[str, _PlannedPoint] = {}
    for boundary in boundaries if len(boundaries) > 1 else ():
        plain = tuple(measure for measure in boundary.aggregates if not is_histogram_aggregate(measure))
        with suppress(Refusal):  # raised again where this release point is planned alone
            planned = _plan_point(replace(boundary, aggregates=plain), context)
            if plain:
                merged = by_frame.get(planned.plan.canonical_groups, planned)
                by_frame[planned.plan.canonical_groups] = _merge_aggregates(merged, planned, context)
    return {frame: each.plan for frame, each in by_frame.items()}


def read_from_shared(
    shared: PrivatePlan | None, own_plan: PrivatePlan, outputs: tuple[ReleasedNumber, ...]
) -> tuple[PrivatePlan, tuple[ReleasedNumber, ...]]:
    """Read a plan's numbers from the shared release if that has all of its vectors, else from its own release.

    Returns the plan to release, and the outputs with formulas over its vectors. The shared release must also scale the
    same vectors by one factor, as a mean needs one for its sum and its count.
    """
    if (
        shared is None
        or shared.canonical_groups != own_plan.canonical_groups
        or not set(own_plan.vector_texts) <= set(shared.vector_texts)
    ):
        return own_plan, outputs
    shared_index = {own: shared.vector_texts.index(text) for own, text in enumerate(own_plan.vector_texts)}
    shared_factor = {own: shared.vectors[index].scale_group for own, index in shared_index.items()}
    if any(shared_factor[own] != shared_factor[vector.scale_group] for own, vector in enumerate(own_plan.vectors)):
        return own_plan, outputs  # the vectors of a mean need one scale factor
    return shared, tuple(replace(output, formula=renumber_formula(output.formula, shared_index)) for output in outputs)


def _plan_point(boundary: rel.ReleasePoint, context: CompileContext) -> _PlannedPoint:
    """Plan a release point, and keep it with its plan."""
    return _PlannedPoint(boundary, plan_release(boundary, context)[0])


def _merge_aggregates(planned: _PlannedPoint, other: _PlannedPoint, context: CompileContext) -> _PlannedPoint:
    """Add another release point's aggregates to a plan; leaves it unchanged where they become different vectors.

    They do if the other source computes a value that this one lacks, or if merging changes the vectors or their texts.
    """
    texts = {*planned.plan.vector_texts, *other.plan.vector_texts}
    measures = _rewrite_aggregates(planned.boundary.source, other.boundary)
    if texts == set(planned.plan.vector_texts) or measures is None:
        return planned
    with suppress(Refusal):
        both = replace(planned.boundary, aggregates=planned.boundary.aggregates + measures)
        merged = _plan_point(both, context)
        if merged.plan.canonical_groups == planned.plan.canonical_groups and set(merged.plan.vector_texts) == texts:
            return merged
    return planned


def _rewrite_aggregates(source: rel.PerPerson, boundary: rel.ReleasePoint) -> tuple[rel.AggregateCall, ...] | None:
    """Rewrite aggregates over another source of the same rows; None if a value is missing there.

    Fields correspond if they have the same canonical name in both sources.
    """
    own_form, other_form = CanonicalForm(), CanonicalForm()
    own_form.relation_text(source)
    other_form.relation_text(boundary.source)
    # reversed, so that the first of several fields with one name is used
    fields = {own_form.names[f.id]: f for f in reversed(source.fields) if f.id in own_form.names}

    def image(read: Field) -> Expr:
        """Return the field with the same canonical name, or else its definition over such fields."""
        same = fields.get(other_form.names.get(read.id, ""))
        if same is not None:
            return Ref(same)
        if read.definition is None or read.definition == Ref(read):
            raise _MissingValueError
        return map_fields(read.definition, image)

    def rewrite(part: Node[Any]) -> Node[Any]:
        """Rewrite an expression over the fields of the other source."""
        return map_fields(part, image) if isinstance(part, Expr) else part

    try:
        return map_parts(boundary.aggregates, rewrite)
    except _MissingValueError:
        return None


class _MissingValueError(Exception):
    """A value is missing in the other source."""


GroupingSet = frozenset[Field]  # keys of one grouping set


@dataclass
class Planning:
    """State of planning one query: the releases collected so far, and what is tracked of their noise.

    `plans` are distinct releases; `releases` has one entry per scan of a plan, so several entries may name one plan.
    """

    context: CompileContext
    shared_plans: Mapping[str, PrivatePlan] = field(default_factory=dict)  # by frame
    plans: list[PrivatePlan] = field(default_factory=list)
    releases: list[ReleaseColumns] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    released_sums: list[ReleasedSum] = field(default_factory=list)
    union_columns: list[NoisyUnionColumn] = field(default_factory=list)
    # set -> finer set it is summed from
    roll_ups: dict[rel.GroupingSets, Mapping[GroupingSet, GroupingSet]] = field(default_factory=dict)

    def partial_query(self, rows: rel.Released | rel.Public) -> QueryOverReleases:
        """Snapshot of rows over the releases, with the noise tracked so far."""
        return QueryOverReleases(
            tuple(self.plans), tuple(self.releases), rows, tuple(self.released_sums), tuple(self.union_columns)
        )

    def index_of(self, plan: PrivatePlan) -> int:
        """Return the index of a plan, added unless an equal release is already planned."""
        index = next((i for i, each in enumerate(self.plans) if each.canonical_text == plan.canonical_text), None)
        if index is None:
            self.plans.append(plan)
        return len(self.plans) - 1 if index is None else index


@dataclass(frozen=True)
class _JoinedRelease:
    """One or several releases of a release point, joined, and where their keys are."""

    relation: rel.Released
    keys: Mapping[Field, Field]  # key field of the release point -> of this release


def plan_release_point(boundary: rel.ReleasePoint, planning: Planning) -> rel.Released:
    """Plan all releases of a release point, joined on its keys; raises Refusal if one is impossible.

    One release has all vectors, and each histogram is a release of its own.
    """
    plain = tuple(measure for measure in boundary.aggregates if not is_histogram_aggregate(measure))
    has_quantiles = len(plain) < len(boundary.aggregates)
    binned = plan_histograms(boundary, planning.context) if has_quantiles else ()
    # a release point without aggregates is a release too: it lists the groups
    releases = [_plan_vectors(replace(boundary, aggregates=plain), planning)] if plain or not binned else []
    for each in binned:
        releases.append(_plan_histogram_release(each, not releases, planning))
    return reduce(_join_releases, releases).relation


def _plan_vectors(boundary: rel.ReleasePoint, planning: Planning) -> _JoinedRelease:
    """Plan the release of a release point's vectors, and scan it."""
    own, own_outputs = plan_release(boundary, planning.context)
    plan, outputs = read_from_shared(planning.shared_plans.get(own.canonical_groups), own, own_outputs)
    plan_index = planning.index_of(plan)
    raw = tuple(
        Field(raw_id, None, SqlType.DOUBLE, nullable=False, origin=Origin(f"release {plan_index}", f"w{i}"))
        for i, raw_id in enumerate(planning.context.new_field_ids(len(plan.vectors)))
    )
    keys = tuple(key.field for key in own.keys)
    return _scan_release(keys, ReleaseColumns(plan_index, strip_fields(keys), outputs, raw), planning)


def _plan_histogram_release(binned: HistogramPlan, is_first: bool, planning: Planning) -> _JoinedRelease:
    """Plan one histogram release; the first release of a release point provides the key fields seen by the query.

    Other releases get keys with new ids, to be joined on. Raises Refusal if the groups have no public key set.
    """
    plan, _ = plan_release(binned.boundary, planning.context)
    groups = binned.boundary.keys[:-1]
    if plan.key_set is None:
        raise _private_groups_refusal(binned, groups)
    # rows without a bin, or below FILTER, are not counted, but take no group from the answer
    frame = f"{plan.canonical_groups} of {CanonicalForm().relation_text(plan.key_set.relation)}"
    plan = replace(plan, canonical_groups=frame, bins_per_group=binned.bins.count)
    bin_index = next(i for i, key in enumerate(plan.keys) if key.field == binned.boundary.keys[-1])
    keys = tuple(key.field for i, key in enumerate(plan.keys) if i != bin_index)
    outputs = tuple(quantile_output(measure, planning.context) for measure in binned.measures)
    planning.notes += [note for note in quantile_notes(binned) if note not in planning.notes]
    shown = (
        strip_fields(keys)
        if is_first
        else tuple(replace(key, id=planning.context.new_field_id()) for key in strip_fields(keys))
    )
    columns = ReleaseColumns(planning.index_of(plan), shown, outputs, (), binned.bins.histogram(bin_index))
    return _scan_release(keys, columns, planning)


def _private_groups_refusal(binned: HistogramPlan, groups: tuple[Field, ...]) -> Refusal:
    """Build the refusal of quantiles in groups with private keys.

    A bin of a hidden group would have to be hidden too, so that its histogram would have gaps.
    """
    text = plain_text(binned.measures[0].arguments[0])
    keys = ", ".join(plain_text(key.expression) for key in groups)
    return Kind.QUANTILES_OF_PRIVATE_KEYS.at(value=text, keys=keys)


def _scan_release(keys: tuple[Field, ...], columns: ReleaseColumns, planning: Planning) -> _JoinedRelease:
    """Record the columns of a release, and return a scan of them: keys, outputs, raw numbers and interval ends."""
    planning.releases.append(columns)
    ends = tuple(end for output in columns.outputs for end in output.interval_fields or ())
    fields = columns.keys + tuple(output.field for output in columns.outputs) + columns.raw_fields + ends
    scan = rel.Released(rel.ReleaseScan(len(planning.releases) - 1, fields, columns.keys), fields)
    return _JoinedRelease(scan, dict(zip(keys, columns.keys, strict=True)))


def _join_releases(left: _JoinedRelease, right: _JoinedRelease) -> _JoinedRelease:
    """Join two releases of the same groups on their keys; the groups of the left one are preserved."""
    tests = tuple(is_not_distinct(Ref(left_field), Ref(right.keys[key])) for key, left_field in left.keys.items())
    joined = rel.Join(left.relation, right.relation, "left" if tests else "cross", conjunction(tests))
    return _JoinedRelease(rel.Released(joined, left.relation.fields + right.relation.fields), left.keys)
