"""A release boundary -> its releases, side by side: one of its vectors, one of each histogram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

from dialect.algebra.expressions import Field, Origin, Ref, conjunction, expand
from dialect.algebra.formulas import Gathered, ReleasedSum
from dialect.algebra.over_releases import SoFar
from dialect.algebra.private_plan import PrivatePlan, ReleaseColumns
from dialect.algebra.relations import Boundary, GroupSets, Join, Public, Released, ReleaseScan
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.builders import same
from dialect.functions.plain_text import plain_text
from dialect.parser.context import Reading
from dialect.planner.histograms import Binned, histograms, is_quantile, notes_of, quantile_output
from dialect.planner.one_release import one_release
from dialect.planner.shared_vectors import read_from
from dialect.stability.rules import bare

Set = frozenset[Field]  # of keys


@dataclass
class Planning:
    """The releases of one question while they are collected."""

    reading: Reading
    unions: Mapping[str, PrivatePlan] = field(default_factory=dict)  # by frame
    plans: list[PrivatePlan] = field(default_factory=list)
    releases: list[ReleaseColumns] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sums: list[ReleasedSum] = field(default_factory=list)
    gathered: list[Gathered] = field(default_factory=list)
    added_up: dict[GroupSets, Mapping[Set, Set]] = field(default_factory=dict)  # coarse keys -> the finer ones

    def so_far(self, rows: Released | Public) -> SoFar:
        """Give rows over the releases, with what is known of their noise."""
        return SoFar(tuple(self.plans), tuple(self.releases), rows, tuple(self.sums), tuple(self.gathered))

    def place(self, made: PrivatePlan) -> int:
        """Find a plan among those made, or add it: the same release is made once."""
        known = next((i for i, each in enumerate(self.plans) if each.canonical == made.canonical), None)
        if known is None:
            self.plans.append(made)
        return len(self.plans) - 1 if known is None else known


@dataclass(frozen=True)
class _Part:
    """One release of a boundary."""

    relation: Released
    keys: Mapping[Field, Field]  # of the boundary -> of this release


def released(boundary: Boundary, planning: Planning) -> Released:
    """Plan the releases of a boundary; raises Refusal where one can't be made."""
    plain = tuple(measure for measure in boundary.measures if not is_quantile(measure))
    binned = histograms(boundary, planning.reading)
    parts = [_vectors(replace(boundary, measures=plain), planning)] if plain or not binned else []
    for each in binned:
        parts.append(_histogram(each, not parts, planning))
    return reduce(_beside, parts).relation


def _vectors(boundary: Boundary, planning: Planning) -> _Part:
    own, numbers = one_release(boundary, planning.reading)
    made, outputs = read_from(planning.unions.get(own.frame), own, numbers)
    place = planning.place(made)
    origins = (Origin(f"release {place}", f"w{i}") for i in range(len(made.vectors)))
    raw = tuple(Field(planning.reading.fresh(), None, SqlType.DOUBLE, nullable=False, origin=each) for each in origins)
    keys = tuple(key.field for key in own.keys)
    return _scanned(keys, ReleaseColumns(place, bare(keys), outputs, raw), planning)


def _histogram(binned: Binned, first: bool, planning: Planning) -> _Part:
    """Plan one histogram; the first release of a boundary has the keys by the names that the question knows."""
    made, _ = one_release(binned.boundary, planning.reading)
    groups = binned.boundary.keys[:-1]
    if made.key_set is None:
        raise _private_groups(binned, groups)
    place = next(i for i, key in enumerate(made.keys) if key.field == binned.boundary.keys[-1])
    keys = tuple(key.field for i, key in enumerate(made.keys) if i != place)
    outputs = tuple(quantile_output(measure, planning.reading) for measure in binned.measures)
    planning.notes += [note for note in notes_of(binned) if note not in planning.notes]
    shown = bare(keys) if first else tuple(replace(key, id=planning.reading.fresh()) for key in bare(keys))
    columns = ReleaseColumns(planning.place(made), shown, outputs, (), binned.bins.histogram(place))
    return _scanned(keys, columns, planning)


def _private_groups(binned: Binned, groups: tuple[Field, ...]) -> Refusal:
    text = plain_text(binned.measures[0].arguments[0])
    keys = ", ".join(plain_text(expand(Ref(key))) for key in groups)
    why = f"Quantiles of {text} need groups that are known without the data; {keys} must reach a threshold."
    return Refusal(Code.KEY, why, f"WHERE {keys} IN (...), with the groups that you want")


def _scanned(keys: tuple[Field, ...], columns: ReleaseColumns, planning: Planning) -> _Part:
    planning.releases.append(columns)
    ends = tuple(end for output in columns.outputs for end in output.ends or ())
    fields = columns.keys + tuple(output.field for output in columns.outputs) + columns.raw + ends
    scan = Released(ReleaseScan(len(planning.releases) - 1, fields), fields)
    return _Part(scan, dict(zip(keys, columns.keys, strict=True)))


def _beside(left: _Part, right: _Part) -> _Part:
    """Put a release beside another one of the same groups: each of the left ones stays."""
    tests = tuple(same(Ref(mine), Ref(right.keys[key])) for key, mine in left.keys.items())
    joined = Join(left.relation, right.relation, "left" if tests else "cross", conjunction(tests))
    return _Part(Released(joined, left.relation.fields + right.relation.fields), left.keys)
