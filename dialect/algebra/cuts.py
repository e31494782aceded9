"""At most so many rows of each person: as many as are declared, or as the question itself says (`proofs.md#bound`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dialect.algebra.relations import MOST_ROWS, Cut, PerPerson


@dataclass(frozen=True)
class Limits:
    """What a question itself says of how much one person counts; None is the catalog's."""

    max_groups: int | None = None
    max_rows: int | None = None  # the source is cut to so many rows of a person already

    @property
    def said(self) -> bool:
        """Whether the question says anything of it."""
        return self != Limits()


def cut(relation: PerPerson) -> PerPerson:
    """Keep at most R rows of each person; of each window of time, of tables that have it."""
    return replace(relation, operator=Cut(relation, relation.person, relation.max_rows, timed=relation.timed))


def cut_to(source: PerPerson, limits: Limits) -> PerPerson:
    """Keep so many rows of each person as the question says: the last thing done below a boundary."""
    rows = limits.max_rows
    if rows is None or source.one_row_per_person:
        return source
    return replace(
        source, operator=Cut(source, source.person, rows), one_row_per_person=rows == 1,
        max_rows=min(rows, source.max_rows), timed=0,
    )  # fmt: skip


def rows_in(made: PerPerson | Cut, windows: int) -> int:
    """Say how many rows of a person are reckoned with, or kept, where those of some windows of time count together."""
    return min(made.max_rows * int(windows**made.timed), max(made.max_rows, MOST_ROWS))
