"""A stored table with time -> the rows of charged windows, each with its window (`proofs.md#touched-windows`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from dialect.algebra.expressions import Expr, Field, conjuncts, fields_of
from dialect.algebra.relations import Filter, Project, Relation, Scan
from dialect.analysis.date_bounds import Clock, known_of
from dialect.catalog.privacy_windows import Stretch, days_of, window_name
from dialect.functions.inference import computed_field, definition
from dialect.parser.context import Reading
from dialect.stability.own_time import clock_of, during, window_of, without_gaps


@dataclass(frozen=True)
class Said:
    """What is true of every row that counts above, as far as it is known."""

    facts: tuple[Expr, ...] = ()
    beside: frozenset[Field] = frozenset()  # of which facts speak too: each lies in a row's window, on some day of it

    def with_facts(self, facts: Iterable[Expr]) -> Said:
        """Know more."""
        return replace(self, facts=(*self.facts, *facts))

    def possible(self, clock: Clock, stretch: Stretch, reading: Reading) -> tuple[date, ...]:
        """Find the windows that can hold a row: on some day of it, each on its own, everything said is possible.

        Raises Refusal with E_COMPLEX where that takes too many steps (`proofs.md#touched-windows`).
        """
        clocks = [known_of(each, self.facts) for each in (clock, *map(Clock, self.beside))]
        if not any(each.facts for each in clocks):
            return stretch.begins()
        days = {begin: tuple(days_of(stretch.window, begin)) for begin in stretch.begins()}
        reading.take_steps(sum(map(len, days.values())) * sum(each.parts for each in clocks))
        return tuple(begin for begin in days if all(any(map(each.possible, days[begin])) for each in clocks))


def told_by_windows(
    condition: Expr, clocks: Iterable[Field], begins: Iterable[date], stretch: Stretch, reading: Reading
) -> bool:
    """Tell whether every row of some windows meets a condition on one of the clocks, so that it leaves no row out.

    Claim: then the rows are the same without it. A condition that reads anything else is never told, nor one for which
    no steps are left. Proof: proofs.md#whole-windows
    """
    known = definition(condition)
    read = set() if known is None else set(fields_of(known))
    if known is None or len(read) != 1 or not read <= set(clocks):
        return False
    days = [day for begin in begins for day in days_of(stretch.window, begin)]
    held = known_of(Clock(read.pop()), (known,))
    if not days or held.facts != conjuncts(known) or not reading.spare_steps(len(days) * held.parts):
        return False
    return all(map(held.certain, days))


@dataclass(frozen=True)
class Rows:
    """A relation, rewritten, and how its rows hang on windows."""

    relation: Relation
    begins: frozenset[date] = frozenset()  # of the windows that its scans read; empty of static and public rows
    needed: bool = False  # a person without rows in these windows has no row here
    unit: Field | None = None  # holds the window of each row, of whose rows and static ones alone it is made
    clocks: frozenset[Field] = frozenset()  # fields whose values lie in the row's window


def timed(relation: Relation, stretch: Stretch, reading: Reading, said: Said, among: Iterable[date] = ()) -> Rows:
    """Read no other windows of a table than those that rows can lie in, or that are given."""
    assert isinstance(relation.operator, Scan)  # noqa: S101  the caller asks
    clock = clock_of(relation.operator.table, relation.operator.fields)
    if clock is None:
        return Rows(relation)
    begins = tuple(sorted(among)) or _possible(relation.operator.table.name, clock, stretch, said, reading)
    read = replace(relation, operator=replace(relation.operator, windows=len(begins), windowed=True))
    kept = replace(relation, operator=Filter(read, during(clock, stretch, begins)))
    clocks = frozenset(f for f in (clock.time, clock.day) if f is not None)
    return with_unit(Rows(kept, frozenset(begins), True), window_of(clock, stretch.window), reading, clocks)


def with_unit(made: Rows, window: Expr, reading: Reading, clocks: frozenset[Field] = frozenset()) -> Rows:
    """Let every row hold its window."""
    unit = replace(computed_field(reading.fresh(), None, window), nullable=False)
    relation = made.relation
    wider = replace(relation, operator=Project(relation, ((unit, window),)), fields=(*relation.fields, unit))
    return replace(made, relation=wider, unit=unit, clocks=clocks)


def _possible(table: str, clock: Clock, stretch: Stretch, said: Said, reading: Reading) -> tuple[date, ...]:
    """Find the windows in which a row can meet all that is said; of no window at all the first one is read."""
    found = said.possible(clock, stretch, reading)
    if found:
        return without_gaps(stretch, found)
    first, last = (window_name(stretch.window, stretch.begins()[place]) for place in (0, -1))
    declared = first if first == last else f"{first} to {last}"
    note = f"{table}: by its time no row of the declared windows, {declared}, can be there: {first} pays for nothing"
    reading.outside.extend([] if note in reading.outside else [note])
    return stretch.begins()[:1]
