"""Releases of a question -> what is known of the noise of its raw numbers, by the ids of their fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dialect import Question
from engine.mechanism.release import Release


@dataclass
class RawNoise:
    """What intervals are made of."""

    variances: dict[str, float] = field(default_factory=dict)  # in squared units
    sigmas: dict[str, float] = field(default_factory=dict)  # in grains
    parted: set[str] = field(default_factory=set)  # those whose grain is not 1
    narrower: dict[str, float] = field(default_factory=dict)  # of a single number, where others tell of it: a factor
    settled: bool = False  # some are shown as they agree with others, not as their noise has them


def raw_noise(question: Question, releases: Sequence[Release]) -> RawNoise:
    """Tell the noise of every raw number; of histograms nothing, whose numbers bring their own ends."""
    made = RawNoise()
    for columns in (each for each in question.releases if each.histogram is None):
        release, raw = releases[columns.plan], [f.id for f in columns.raw]
        made.variances |= dict(zip(raw, release.variances(), strict=True))
        made.sigmas |= dict(zip(raw, release.sigmas, strict=True))
        made.parted |= {number for number, grain in zip(raw, release.grains, strict=True) if grain != 1}
        factors = (narrow / sigma for narrow, sigma in zip(release.narrow, release.sigmas, strict=False))
        made.narrower |= dict(zip(raw, factors, strict=False))
        made.settled = made.settled or any(each is not None for each in release.settled)
    return made
