"""Predicate regions: which predicates of several queries a row can satisfy together.

Proof: `dialect/planner/proofs.md#row-sets`. Each predicate is decomposed into simple conditions, which compare one
expression (the subject) with constants. The constants divide the values of a subject into atoms: equal to a constant,
between two neighbouring ones, NULL. A region is one atom per subject. Rows of one region satisfy the same predicates,
so finitely many regions represent all rows.
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

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, children, fields_of
from dialect.analysis.predicates import LARGEST_EXACT, between
from dialect.catalog.model import SqlType, ValueList, ValueRange
from dialect.functions.constant_folding import moment
from dialect.functions.inference import nullable
from dialect.functions.registry import function

Constant = int | float | str | datetime
Said = tuple[Expr, bool, tuple[Constant, ...]]  # subject, whether it is compared with constants, and the constants

_ORDER = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1), "=": (0,), "<>": (-1, 1)}
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
EQUAL = {"is not distinct from": (0,), "is distinct from": (-1, 1)}
SIGNS = _ORDER | EQUAL  # operator -> sides of the constant (-1, 0, 1) on which it is true
_TEXT_SIGNS = ("=", "<>", *EQUAL)
_OF_TRUTHS = ("and", "or", "not", "is true", "is false")


def is_of_truths(expr: Expr) -> TypeGuard[Call]:
    """Return whether an expression is a Boolean combination of conditions: AND, OR, NOT, IS TRUE, ..."""
    if not isinstance(expr, Call):
        return False
    return expr.name in _OF_TRUTHS or (expr.name == "is null" and expr.arguments[0].type is SqlType.BOOLEAN)


def all_said(condition: Expr) -> Iterator[Said]:
    """Yield the decomposition of each simple condition in a Boolean combination."""
    if is_of_truths(condition):
        for part in condition.arguments:
            yield from all_said(part)
    elif not isinstance(condition, Literal):
        yield said(condition)


def said(simple: Expr) -> Said:
    """Decompose a simple condition into its subject and the constants it is compared with.

    A condition of another form is its own subject, and only true, false or NULL.
    """
    if isinstance(simple, Call) and simple.name == "is null":
        return simple.arguments[0], True, ()
    if isinstance(simple, Call) and (simple.name in SIGNS or simple.name == "in"):
        for subject in simple.arguments[:2]:
            found = [] if isinstance(subject, Literal) else [each for _, each in signs(simple, subject)]
            if found:
                return subject, True, tuple(found)
    return simple, False, ()


def signs(simple: Call, subject: Expr) -> Iterator[tuple[str, Constant]]:
    """Yield the comparisons of a subject with constants; nothing if a condition compares it with anything else."""
    if simple.name == "in":
        others = simple.arguments[1:] if simple.arguments[0] == subject else ()
        yield from (("=", each) for each in _constants(subject, others))
        return
    one, other = simple.arguments
    constant, sign = (other, simple.name) if one == subject else (one, _MIRROR.get(simple.name, simple.name))
    if subject.type is not SqlType.VARCHAR or sign in _TEXT_SIGNS:
        yield from ((sign, each) for each in _constants(subject, (constant,)))


def _constants(subject: Expr, others: Sequence[Expr]) -> list[Constant]:
    """Convert constants to the type of the subject; empty if one of them cannot be converted."""
    found = [_constant(each, subject.type) if isinstance(each, Literal) else None for each in others]
    read = [each for each in found if each is not None]
    return read if len(read) == len(found) else []


def _constant(literal: Literal, kind: SqlType) -> Constant | None:
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
    try:
        return moment(text)
    except ValueError:  # outside the years of datetime
        return None


def allowed(expr: Expr) -> list[Constant] | None:
    """Return all values that an expression can have, except NULL; None if they are not known."""
    if isinstance(expr, Ref) and expr.field.complete and isinstance(expr.field.domain, ValueList):
        values = tuple(value for value in expr.field.domain.values if value is not None)
    elif isinstance(expr, Call):
        values = function(expr.function).values
    else:
        return None
    found = [_constant(Literal(value, expr.type), expr.type) for value in values]
    known = [each for each in found if each is not None]
    return known if known and len(known) == len(values) else None


def within(expr: Expr) -> tuple[Constant, Constant] | None:
    """Return the inclusive range of an integer or date column that every row respects, except NULL; None if unknown."""
    declared = expr.field.domain if isinstance(expr, Ref) and expr.field.complete else None
    if not isinstance(declared, ValueRange) or expr.type not in (SqlType.BIGINT, SqlType.DATE):
        return None
    lower, upper = (_constant(Literal(end, expr.type), expr.type) for end in (declared.lower, declared.upper))
    return None if lower is None or upper is None else (lower, upper)


def neighbours(expr: Expr, one: Constant, other: Constant) -> bool:
    """Return whether no value lies strictly between two constants."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return expr.type is SqlType.DATE and (other - one).days <= 1
    return expr.type is SqlType.BIGINT and isinstance(one, int) and isinstance(other, int) and other - one <= 1


MOST_KINDS = 512
MOST_PATTERNS = 128
Conditions = Mapping[str, Expr]  # canonical text -> condition; a conjunction
Pattern = tuple[bool, ...]  # of one region: its membership in each set
Read = dict[str, tuple[Said, ...]]  # canonical text -> simple conditions, in order of appearance


class RowSets:
    """Row sets of several queries, each the conjunction of its conditions, over at most MOST_KINDS regions.

    Claim: on every data set each row's true pattern of memberships is among `patterns`, or the row is in none of the
    sets. Proof: dialect/planner/proofs.md#row-sets
    """

    def __init__(self, read: Read | None = None) -> None:
        self._sets: list[Conditions] = []
        self._read: Read = {} if read is None else read  # cache shared by callers with several sets of the same rows
        self._kinds = _Kinds({})

    def add(self, conditions: Conditions) -> bool:
        """Add a row set unless it needs too many regions; returns whether it was added."""
        self._read |= {text: tuple(all_said(each)) for text, each in conditions.items() if text not in self._read}
        kinds = _Kinds.of([*self._sets, conditions], self._read)
        if kinds is None:
            return False
        self._sets.append(conditions)
        self._kinds = self._kinds if kinds.told_apart == self._kinds.told_apart else kinds
        return True

    def patterns(self) -> tuple[Pattern, ...]:
        """Return the possible patterns of membership, one Boolean per set; empty if there are too many."""
        return tuple(self._kinds.patterns(self._sets, self._read))


class _Subject:
    """One expression that conditions compare, and the constants they compare it with."""

    def __init__(self, expr: Expr, compared: bool, ended: AbstractSet[Field]) -> None:
        self.expr, self.compared, self.constants = expr, compared, set[Constant]()
        self.nullable = nullable(expr, far=not all(field in ended or _is_near(field) for field in fields_of(expr)))

    def atoms(self) -> list[int | None]:
        """Return the atoms of a subject: 2 i + 1 is the constant i, 2 i lies before it, None is NULL.

        A subject that is a condition itself has the atoms 0 (false) and 1 (true).
        """
        nulls: list[int | None] = [None] if self.nullable else []
        if not self.compared:
            return [0, 1, *nulls]
        told = allowed(self.expr)
        if told is not None:
            return sorted({self.place(each) for each in told}) + nulls
        behind = [2 * i for i, pair in enumerate(pairwise(self.ordered), 1) if not neighbours(self.expr, *pair)]
        most = 2 * len(self.constants)
        ends = within(self.expr)
        first, last = (0, most) if ends is None else map(self.place, ends)
        return [atom for atom in sorted({0, most, *behind, *range(1, most, 2)}) if first <= atom <= last] + nulls

    @cached_property
    def ordered(self) -> list[Constant]:
        """Constants in ascending order, once all are collected."""
        return sorted(self.constants)  # of one type

    def place(self, value: Constant) -> int:
        """Return the atom that contains a value."""
        return 2 * bisect_left(self.ordered, value) + (value in self.constants)


class _Kinds:
    """All regions, one per bit of an integer; a set of regions is a bit mask."""

    def __init__(self, subjects: Mapping[Expr, _Subject]) -> None:
        self.subjects = subjects
        self.told_apart = [(expr, each.compared, each.nullable, each.ordered) for expr, each in subjects.items()]
        self._found: dict[str, int] = {}
        atoms = {expr: subject.atoms() for expr, subject in subjects.items()}
        self.all = (1 << prod(len(each) for each in atoms.values())) - 1
        self.bits: dict[Expr, dict[int | None, int]] = {}
        below = 1
        for expr, some in atoms.items():
            block, period = (1 << below) - 1, (1 << below * len(some)) - 1
            self.bits[expr] = {atom: (block << i * below) * (self.all // period) for i, atom in enumerate(some)}
            below *= len(some)

    @classmethod
    def of(cls, sets: Sequence[Conditions], simple: Mapping[str, Sequence[Said]]) -> _Kinds | None:
        """Build the regions of all conditions that are not common to all sets; None if there are too many."""
        every = dict.fromkeys(text for some in sets for text in some)
        common = [text for text in every if all(text in some for some in sets)]
        ended = _ended([sets[0][text] for text in common])
        subjects: dict[Expr, _Subject] = {}
        for expr, compared, _ in (part for text in every if text not in common for part in simple[text]):
            subjects.setdefault(expr, _Subject(expr, compared, ended))
        for expr, _, constants in (part for text in every for part in simple[text]):
            if expr in subjects:
                subjects[expr].constants.update(constants)
        count = 1
        for subject in subjects.values():
            count *= len(subject.atoms())
            if not 0 < count <= MOST_KINDS:
                return None
        return cls(subjects)

    def patterns(self, sets: Sequence[Conditions], simple: Mapping[str, Sequence[Said]]) -> Iterator[Pattern]:
        """Yield the membership patterns of the regions that lie in any set.

        Conditions on subjects that do not divide regions are common to all sets, and are skipped.
        """
        every = dict.fromkeys(text for some in sets for text in some)
        known = {text for text in every if all(expr in self.subjects for expr, *_ in simple[text])}
        classes = [(0, self.all)]  # (memberships so far, one bit per set, first set highest; mask of regions)
        for some in sets:
            inside = self.all
            for text in known & some.keys():
                if text not in self._found:
                    self._found[text] = self._truth(some[text], iter(simple[text]))[0]
                inside &= self._found[text]
            parts = ((told, kind & inside, kind & ~inside) for told, kind in classes)
            classes = [
                each for told, met, not_met in parts for each in ((2 * told + 1, met), (2 * told, not_met)) if each[1]
            ]
            if len(classes) > MOST_PATTERNS:
                return
        told = (told for told, _ in classes if told)
        yield from (tuple(bit == "1" for bit in f"{each:0{len(sets)}b}") for each in told)

    def _truth(self, expr: Expr, simple: Iterator[Said]) -> tuple[int, int]:
        """Return two masks: the regions where a condition is true, and those where it is false.

        `decomposition` yields the decompositions of its simple conditions in order.
        """
        if isinstance(expr, Literal):
            return (self.all if expr.value is True else 0), (self.all if expr.value is False else 0)
        if is_of_truths(expr):
            return self._of_parts(expr.name, [self._truth(part, simple) for part in expr.arguments])
        subject, compared, constants = next(simple)
        if not compared:
            return self.bits[expr].get(1, 0), self.bits[expr].get(0, 0)
        return self._compared(expr, subject, constants)

    def _of_parts(self, name: str, parts: list[tuple[int, int]]) -> tuple[int, int]:
        true, false = parts[0]
        if name == "not":
            return false, true
        if name in ("is true", "is false", "is null"):
            met = {"is true": true, "is false": false}.get(name, self.all & ~true & ~false)
            return met, self.all & ~met
        for more, less in parts[1:]:
            true, false = (true & more, false | less) if name == "and" else (true | more, false & less)
        return true, false

    def _compared(self, expr: Expr, subject: Expr, constants: Sequence[Constant]) -> tuple[int, int]:
        assert isinstance(expr, Call)  # noqa: S101  a comparison, IN or IS NULL
        bits, true, place = self.bits[subject], 0, self.subjects[subject].place
        nulls = bits.get(None, 0)
        if expr.name == "is null":
            return nulls, self.all & ~nulls
        if expr.name == "in":
            true = reduce(or_, (bits.get(place(each), 0) for each in constants), 0)
        for sign, constant in signs(expr, subject) if expr.name != "in" else ():
            at, sides = place(constant), SIGNS[sign]
            true |= sum(mask for atom, mask in bits.items() if atom is not None and (atom > at) - (atom < at) in sides)
        if expr.name in EQUAL:
            true |= nulls if expr.name == "is distinct from" else 0
            return true, self.all & ~true
        return true, self.all & ~true & ~nulls


def _ended(conditions: Sequence[Expr]) -> frozenset[Field]:
    """Return the times that the conditions bound on both sides, so that no value is out of the calendar's range."""
    times = (part for each in conditions for part in children(each) if not isinstance(part, Literal))
    columns = (part for part in times if isinstance(part, Ref) or (isinstance(part, Call) and part.name == "wall"))
    return frozenset(field for part in columns if between(part, conditions) for field in fields_of(part))


def _is_near(field: Field) -> bool:
    """Return whether every row's value lies in a declared range of dates."""
    return field.complete and isinstance(field.domain, ValueRange)
