"""Shared noise: releases derived from one stored release are marked as possibly correlated.

A raw number is one noisy number of a query vector. Its origin identifies the noise: numbers with one origin may share
it. A noise term is the triple (sum of weighted raw numbers, sum of squared weights, raw number).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialect.algebra.expressions import Field, Origin
from dialect.algebra.formulas import NoisyTerm, NoisyUnionColumn, ReleasedSum
from dialect.postprocess.question import Question, result_columns

STORED_ORIGIN = "held"
SharedNoiseIds = Mapping[tuple[int, int], int]  # (plan, vector) -> id of the noise it may share


def mark_shared_noise(question: Question, shared_noise_ids: SharedNoiseIds) -> Question:
    """Mark raw numbers that may share noise by a common origin, so that variances bound their correlation.

    Claim: computed variances are at least those of numbers that share noise with non-negative weights. Symbols:
    `shared_noise_ids` = one number for all vectors that share noise. Raises: nothing. Proof: proofs.md#shared-noise
    """
    if not shared_noise_ids:
        return question
    raw: dict[str, Field] = {}
    for columns in question.releases:
        for i, field in enumerate(columns.raw_fields):
            noise_id = shared_noise_ids.get((columns.plan_index, i))
            raw[field.id] = field if noise_id is None else replace(field, origin=Origin(STORED_ORIGIN, f"n{noise_id}"))
    releases = tuple(replace(each, raw_fields=tuple(raw[f.id] for f in each.raw_fields)) for each in question.releases)
    sums = tuple(_mark_released_sum(each, raw) for each in question.released_sums)
    gathered = tuple(_mark_union_column(each, raw) for each in question.union_columns)
    marked = replace(question, releases=releases, released_sums=sums, union_columns=gathered)
    return replace(marked, columns=result_columns(marked, [(shown.name, shown.field) for shown in question.columns]))


def _mark_released_sum(released_sum: ReleasedSum, raw: Mapping[str, Field]) -> ReleasedSum:
    """Replace the raw numbers of a sum's noise terms by marked ones, and give the totals their origin."""
    terms = (
        (replace(total, origin=raw[of.id].origin), squares, raw[of.id])
        for total, squares, of in released_sum.noise_terms
    )
    return replace(released_sum, noise_terms=tuple(terms))


def _mark_union_column(column: NoisyUnionColumn, raw: Mapping[str, Field]) -> NoisyUnionColumn:
    """Replace the raw numbers of a union column by marked ones, in numerator and denominator."""
    below = (
        None if column.denominator_terms is None else tuple(_mark_term(term, raw) for term in column.denominator_terms)
    )
    return replace(column, terms=tuple(_mark_term(term, raw) for term in column.terms), denominator_terms=below)


def _mark_term(term: NoisyTerm, raw: Mapping[str, Field]) -> NoisyTerm:
    """Replace the raw number of a term by the marked one, and give the weighted value its origin."""
    of = raw[term.raw.id]
    return replace(term, weighted_value=replace(term.weighted_value, origin=of.origin), raw=of)
