"""Shared noise: releases derived from one stored release are marked as possibly correlated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialect.algebra.expressions import Field, Origin
from dialect.algebra.formulas import Gathered, NoisyTerm, ReleasedSum
from dialect.algebra.release_plan import Question

HELD = "held"
Parts = Mapping[tuple[int, int], int]  # (plan, vector) -> id of the noise it may share


def sharing_noise(question: Question, parts: Parts) -> Question:
    """Mark raw numbers that may share noise by a common origin, so that variances bound their correlation.

    Claim: computed variances are at least those of numbers that share noise with non-negative weights. Symbols:
    `shared_noise_ids` = one number for all vectors that share noise. Raises: nothing. Proof: proofs.md#shared-noise
    """
    if not parts:
        return question
    raw: dict[str, Field] = {}
    for columns in question.releases:
        for i, field in enumerate(columns.raw):
            part = parts.get((columns.plan, i))
            raw[field.id] = field if part is None else replace(field, origin=Origin(HELD, f"n{part}"))
    releases = tuple(replace(each, raw=tuple(raw[f.id] for f in each.raw)) for each in question.releases)
    sums = tuple(_sum(each, raw) for each in question.sums)
    gathered = tuple(_gathered(each, raw) for each in question.gathered)
    return replace(question, releases=releases, sums=sums, gathered=gathered)


def _sum(made: ReleasedSum, raw: Mapping[str, Field]) -> ReleasedSum:
    terms = ((replace(total, origin=raw[of.id].origin), squares, raw[of.id]) for total, squares, of in made.terms)
    return replace(made, terms=tuple(terms))


def _gathered(made: Gathered, raw: Mapping[str, Field]) -> Gathered:
    below = None if made.below_terms is None else tuple(_term(term, raw) for term in made.below_terms)
    return replace(made, terms=tuple(_term(term, raw) for term in made.terms), below_terms=below)


def _term(term: NoisyTerm, raw: Mapping[str, Field]) -> NoisyTerm:
    of = raw[term.raw.id]
    return replace(term, total=replace(term.total, origin=of.origin), raw=of)
