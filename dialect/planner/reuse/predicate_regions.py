"""Predicate regions: which predicates of several queries a row can satisfy together.

Proof: `dialect/planner/proofs.md#row-sets`. Each predicate is decomposed into simple conditions, which compare one
expression (the subject) with constants. The constants divide the values of a subject into atoms: equal to a constant,
between two neighbouring ones, NULL. A region is one atom per subject. Rows of one region satisfy the same predicates,
so finitely many regions represent all rows.

Terms: a row set is the set of rows that satisfy all conditions of one query. A pattern is, for one region, whether it
lies in each row set. Memberships are the same as bits of an integer, the first set highest. A mask is a set of regions,
one bit each. The sign of a comparison is its operator; its sides are the positions relative to the constant (-1, 0, 1)
where it is true.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import cached_property, reduce
from itertools import pairwise
from math import prod
from operator import or_
from typing import TypeGuard

from dialect.algebra.expressions import FLIPPED, Call, Expr, Field, Literal, Ref, fields_of
from dialect.analysis.predicates import LARGEST_EXACT, between
from dialect.catalog.model import SqlType, ValueList, ValueRange
from dialect.functions.inference import may_be_null
from dialect.functions.literals import parse_timestamp
from dialect.functions.registry import OVERLOADS, is_local_time

Constant = int | float | str | datetime
SimpleCondition = tuple[
    Expr, bool, tuple[Constant, ...]
]  # subject, whether it is compared with constants, and the constants

_ORDER_SIDES = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1), "=": (0,), "<>": (-1, 1)}
NULL_SAFE_SIDES = {"is not distinct from": (0,), "is distinct from": (-1, 1)}
TRUE_SIDES = _ORDER_SIDES | NULL_SAFE_SIDES  # operator -> sides of the constant (-1, 0, 1) on which it is true
_TEXT_OPERATORS = ("=", "<>", *NULL_SAFE_SIDES)
_BOOLEAN_OPERATORS = ("and", "or", "not", "is true", "is false")


def is_boolean_combination(expr: Expr) -> TypeGuard[Call]:
    """Return whether an expression is a Boolean combination of conditions: AND, OR, NOT, IS TRUE, ..."""
    if not isinstance(expr, Call):
        return False
    return expr.name in _BOOLEAN_OPERATORS or (expr.name == "is null" and expr.arguments[0].type is SqlType.BOOLEAN)


def simple_conditions(condition: Expr) -> Iterator[SimpleCondition]:
    """Yield the decomposition of each simple condition in a Boolean combination."""
    if is_boolean_combination(condition):
        for part in condition.arguments:
            yield from simple_conditions(part)
    elif not isinstance(condition, Literal):
        yield decompose(condition)


def decompose(condition: Expr) -> SimpleCondition:
    """Decompose a simple condition into its subject and the constants it is compared with.

    Returns (subject, whether it is compared, constants); see `SimpleCondition`. A condition of another form is its own
    subject, and only true, false or NULL.
    """
    if isinstance(condition, Call) and condition.name == "is null":
        return condition.arguments[0], True, ()
    if isinstance(condition, Call) and (condition.name in TRUE_SIDES or condition.name == "in"):
        for subject in condition.arguments[:2]:
            found = [] if isinstance(subject, Literal) else [each for _, each in comparisons(condition, subject)]
            if found:
                return subject, True, tuple(found)
    return condition, False, ()


def comparisons(condition: Call, subject: Expr) -> Iterator[tuple[str, Constant]]:
    """Yield (operator, constant) for a subject on the left; nothing if a condition compares it with anything else.

    Text is compared for equality only, as its order depends on the collation.
    """
    if condition.name == "in":
        others = condition.arguments[1:] if condition.arguments[0] == subject else ()
        yield from (("=", each) for each in _constants(subject, others))
        return
    one, other = condition.arguments
    constant, sign = (other, condition.name) if one == subject else (one, FLIPPED.get(condition.name, condition.name))
    if subject.type is not SqlType.VARCHAR or sign in _TEXT_OPERATORS:
        yield from ((sign, each) for each in _constants(subject, (constant,)))


def _constants(subject: Expr, others: Sequence[Expr]) -> list[Constant]:
    """Convert constants to the type of the subject; empty if one of them cannot be converted exactly."""
    found = [_constant(each, subject.type) if isinstance(each, Literal) else None for each in others]
    read = [each for each in found if each is not None]
    return read if len(read) == len(found) else []


def _constant(literal: Literal, kind: SqlType) -> Constant | None:
    """Convert a constant to a type; None if it is NULL, Boolean, inexact, or compared in another type than its own."""
    value = literal.value
    if isinstance(value, bool) or value is None:
        return None
    if kind is SqlType.BIGINT or kind is SqlType.DOUBLE:
        exact = isinstance(value, int | float) and abs(value) <= LARGEST_EXACT
        return value if exact and literal.type in (SqlType.BIGINT, kind) else None
    if kind is SqlType.VARCHAR:
        return str(value) if literal.type is kind else None
    if kind is SqlType.DATE or kind is SqlType.TIMESTAMP:
        return _moment(str(value)) if literal.type in (SqlType.DATE, kind) else None
    return None


def _moment(text: str) -> datetime | None:
    """Parse a time; None if it is outside the years of datetime."""
    try:
        return parse_timestamp(text)
    except ValueError:  # outside the years of datetime
        return None


def possible_values(expr: Expr) -> list[Constant] | None:
    """Return all values that an expression can have, except NULL; None if they are not known."""
    if isinstance(expr, Ref) and expr.field.domain_is_complete and isinstance(expr.field.domain, ValueList):
        values = tuple(value for value in expr.field.domain.values if value is not None)
    elif isinstance(expr, Call):
        values = OVERLOADS[expr.function].listed_values
    else:
        return None
    found = [_constant(Literal(value, expr.type), expr.type) for value in values]
    constants = [each for each in found if each is not None]
    return constants if constants and len(constants) == len(values) else None


def possible_range(expr: Expr) -> tuple[Constant, Constant] | None:
    """Return the inclusive range of an integer or date column that every row respects, except NULL; None if unknown."""
    declared = expr.field.domain if isinstance(expr, Ref) and expr.field.domain_is_complete else None
    if not isinstance(declared, ValueRange) or expr.type not in (SqlType.BIGINT, SqlType.DATE):
        return None
    lower, upper = (_constant(Literal(end, expr.type), expr.type) for end in (declared.lower, declared.upper))
    return None if lower is None or upper is None else (lower, upper)


def are_adjacent(expr: Expr, one: Constant, other: Constant) -> bool:
    """Return whether no value lies strictly between two constants."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return expr.type is SqlType.DATE and (other - one).days <= 1
    return expr.type is SqlType.BIGINT and isinstance(one, int) and isinstance(other, int) and other - one <= 1


MAX_REGIONS = 512
MAX_PATTERNS = 128
Conditions = Mapping[str, Expr]  # canonical text -> condition; a conjunction
Pattern = tuple[bool, ...]  # of one region: its membership in each set
Decompositions = dict[str, tuple[SimpleCondition, ...]]  # canonical text -> simple conditions, in order of appearance


class RowSets:
    """Row sets of several queries, each the conjunction of its conditions, over at most MAX_REGIONS regions.

    Claim: on every data set each row's true pattern of memberships is among `patterns`, or the row is in none of the
    sets. Proof: dialect/planner/proofs.md#row-sets
    """

    def __init__(self, decompositions: Decompositions | None = None) -> None:
        """Start without row sets; `decompositions` is a cache that several callers may share."""
        self._sets: list[Conditions] = []
        self._decompositions: Decompositions = (
            {} if decompositions is None else decompositions
        )  # cache shared by callers with several sets of the same rows
        self._regions = _Regions({})

    def add(self, conditions: Conditions) -> bool:
        """Add a row set unless it needs too many regions; returns whether it was added.

        Regions are numbered again only if the conditions divide them differently.
        """
        self._decompositions |= {
            text: tuple(simple_conditions(each))
            for text, each in conditions.items()
            if text not in self._decompositions
        }
        regions = _Regions.build([*self._sets, conditions], self._decompositions)
        if regions is None:
            return False
        self._sets.append(conditions)
        self._regions = self._regions if regions.signature == self._regions.signature else regions
        return True

    def patterns(self) -> tuple[Pattern, ...]:
        """Return the possible patterns of membership, one Boolean per set; empty if there are too many."""
        return tuple(self._regions.patterns(self._sets, self._decompositions))


class _Subject:
    """One expression that conditions compare, and the constants they compare it with."""

    def __init__(self, expr: Expr, is_compared: bool, bounded_times: AbstractSet[Field]) -> None:
        """Start without constants; they are added to `constants` before atoms are counted.

        A subject may be NULL, for times beyond the calendar too unless all its fields are bounded by common conditions
        or by a declared date range.
        """
        self.expr, self.is_compared, self.constants = expr, is_compared, set[Constant]()
        self.nullable = may_be_null(
            expr, include_far=not all(field in bounded_times or _has_date_range(field) for field in fields_of(expr))
        )

    def atoms(self) -> list[int | None]:
        """Return the atoms of a subject: 2 i + 1 is the constant i, 2 i lies before it, None is NULL.

        A subject that is a condition itself has the atoms 0 (false) and 1 (true).
        """
        nulls: list[int | None] = [None] if self.nullable else []
        if not self.is_compared:
            return [0, 1, *nulls]
        listed = possible_values(self.expr)
        if listed is not None:
            return sorted({self.atom_of(each) for each in listed}) + nulls
        gaps = [2 * i for i, pair in enumerate(pairwise(self.ordered), 1) if not are_adjacent(self.expr, *pair)]
        last_atom = 2 * len(self.constants)
        ends = possible_range(self.expr)
        first, last = (0, last_atom) if ends is None else map(self.atom_of, ends)
        return [
            atom for atom in sorted({0, last_atom, *gaps, *range(1, last_atom, 2)}) if first <= atom <= last
        ] + nulls

    @cached_property
    def ordered(self) -> list[Constant]:
        """Constants in ascending order, once all are collected."""
        return sorted(self.constants)  # of one type

    def atom_of(self, value: Constant) -> int:
        """Return the atom that contains a value."""
        return 2 * bisect_left(self.ordered, value) + (value in self.constants)


class _Regions:
    """All regions, one per bit of an integer; a set of regions is a bit mask.

    Two regions objects with the same `signature` number their regions equally, so that masks remain valid.
    """

    def __init__(self, subjects: Mapping[Expr, _Subject]) -> None:
        """Assign a bit to each region, and compute the mask of each atom of each subject."""
        self.subjects = subjects
        self.signature = [(expr, each.is_compared, each.nullable, each.ordered) for expr, each in subjects.items()]
        self._truth_masks: dict[str, int] = {}
        atoms = {expr: subject.atoms() for expr, subject in subjects.items()}
        self.all_regions = (1 << prod(len(each) for each in atoms.values())) - 1
        self.atom_masks: dict[Expr, dict[int | None, int]] = {}
        below = 1
        for expr, some in atoms.items():
            # a region is a number in mixed radix, with the position of the atom of each subject as its digits
            block, period = (1 << below) - 1, (1 << below * len(some)) - 1
            self.atom_masks[expr] = {
                # runs of `below` regions, repeated every `period` bits
                atom: (block << i * below) * (self.all_regions // period)
                for i, atom in enumerate(some)
            }
            below *= len(some)

    @classmethod
    def build(
        cls, sets: Sequence[Conditions], decompositions: Mapping[str, Sequence[SimpleCondition]]
    ) -> _Regions | None:
        """Build the regions of all conditions that are not common to all sets; None if there are too many.

        A common condition is true of every row that matters, so it divides nothing, unless its subject is also compared
        elsewhere: then its constants bound the atoms.
        """
        texts = dict.fromkeys(text for some in sets for text in some)
        common = [text for text in texts if all(text in some for some in sets)]
        bounded_times = _bounded_times([sets[0][text] for text in common])
        subjects: dict[Expr, _Subject] = {}
        for expr, compared, _ in (part for text in texts if text not in common for part in decompositions[text]):
            subjects.setdefault(expr, _Subject(expr, compared, bounded_times))
        for expr, _, constants in (part for text in texts for part in decompositions[text]):
            if expr in subjects:
                subjects[expr].constants.update(constants)
        count = 1
        for subject in subjects.values():
            count *= len(subject.atoms())
            if not 0 < count <= MAX_REGIONS:
                return None
        return cls(subjects)

    def patterns(
        self, sets: Sequence[Conditions], decompositions: Mapping[str, Sequence[SimpleCondition]]
    ) -> Iterator[Pattern]:
        """Yield the membership patterns of the regions that lie in any set.

        Conditions on subjects that do not divide regions are common to all sets, and are skipped.
        """
        texts = dict.fromkeys(text for some in sets for text in some)
        testable = {text for text in texts if all(expr in self.subjects for expr, *_ in decompositions[text])}
        classes = [(0, self.all_regions)]  # (memberships so far, one bit per set, first set highest; mask of regions)
        for some in sets:
            inside = self.all_regions
            for text in testable & some.keys():
                if text not in self._truth_masks:
                    self._truth_masks[text] = self._truth(some[text], iter(decompositions[text]))[0]
                inside &= self._truth_masks[text]
            parts = ((membership, mask & inside, mask & ~inside) for membership, mask in classes)
            classes = [
                each
                for membership, inside_part, outside_part in parts
                for each in ((2 * membership + 1, inside_part), (2 * membership, outside_part))
                if each[1]
            ]
            if len(classes) > MAX_PATTERNS:
                return
        membership = (membership for membership, _ in classes if membership)
        yield from (tuple(bit == "1" for bit in f"{each:0{len(sets)}b}") for each in membership)

    def _truth(self, expr: Expr, decomposition: Iterator[SimpleCondition]) -> tuple[int, int]:
        """Return two masks: the regions where a condition is true, and those where it is false.

        `decomposition` yields the decompositions of its simple conditions in the order in which they appear, so that
        each call takes the next one.
        """
        if isinstance(expr, Literal):
            return (self.all_regions if expr.value is True else 0), (self.all_regions if expr.value is False else 0)
        if is_boolean_combination(expr):
            return self._combine(expr.name, [self._truth(part, decomposition) for part in expr.arguments])
        subject, compared, constants = next(decomposition)
        if not compared:
            return self.atom_masks[expr].get(1, 0), self.atom_masks[expr].get(0, 0)
        return self._comparison_masks(expr, subject, constants)

    def _combine(self, name: str, parts: list[tuple[int, int]]) -> tuple[int, int]:
        """Combine the (true, false) masks of operands; a region in neither is where the condition is NULL."""
        true, false = parts[0]
        if name == "not":
            return false, true
        if name in ("is true", "is false", "is null"):
            holds = {"is true": true, "is false": false}.get(name, self.all_regions & ~true & ~false)
            return holds, self.all_regions & ~holds
        for other_true, other_false in parts[1:]:
            true, false = (
                (true & other_true, false | other_false) if name == "and" else (true | other_true, false & other_false)
            )
        return true, false

    def _comparison_masks(self, expr: Expr, subject: Expr, constants: Sequence[Constant]) -> tuple[int, int]:
        """Return the (true, false) masks of a comparison, IN or IS NULL, from the atoms of its subject."""
        assert isinstance(expr, Call)  # noqa: S101  a comparison, IN or IS NULL
        bits, true, atom_of = self.atom_masks[subject], 0, self.subjects[subject].atom_of
        nulls = bits.get(None, 0)
        if expr.name == "is null":
            return nulls, self.all_regions & ~nulls
        if expr.name == "in":
            true = reduce(or_, (bits.get(atom_of(each), 0) for each in constants), 0)
        for sign, constant in comparisons(expr, subject) if expr.name != "in" else ():
            at, sides = atom_of(constant), TRUE_SIDES[sign]
            true |= sum(mask for atom, mask in bits.items() if atom is not None and (atom > at) - (atom < at) in sides)
        if expr.name in NULL_SAFE_SIDES:
            true |= nulls if expr.name == "is distinct from" else 0
            return true, self.all_regions & ~true
        return true, self.all_regions & ~true & ~nulls


def _bounded_times(conditions: Sequence[Expr]) -> frozenset[Field]:
    """Return the times that the conditions bound on both sides, so that no value is out of the calendar's range."""
    times = (part for each in conditions for part in each.children if not isinstance(part, Literal))
    columns = (part for part in times if isinstance(part, Ref) or is_local_time(part))
    return frozenset(field for part in columns if between(part, conditions) for field in fields_of(part))


def _has_date_range(field: Field) -> bool:
    """Return whether every row's value lies in a declared range of dates."""
    return field.domain_is_complete and isinstance(field.domain, ValueRange)
