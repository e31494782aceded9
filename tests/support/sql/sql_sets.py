"""Generated set operations of private rows, with the person selected or carried below UNION ALL."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.sql.sql_data import BOOL, DATE, INT, TEXT
from tests.support.sql.sql_sources import Source, Sources
from tests.support.sql.sql_terms import Name

OPERATIONS = ("UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")


class SetSources(Sources):
    """Generator of set operations of two or three queries."""

    def source(self) -> Source:
        """Draw a set operation, alone or joined with the person's row."""
        kinds = self.draw(st.lists(st.sampled_from((INT, INT, TEXT, DATE, BOOL)), min_size=1, max_size=3))
        names = tuple(Name(f"q.e{i}", kind, listed=kind == BOOL) for i, kind in enumerate(kinds))
        sql = self._query(kinds, True)
        if self.draw(st.integers(0, 3)) == 0:
            return Source(f"({self._query(kinds, False)} UNION ALL {self._query(kinds, False)}) AS q", names, None)
        for _ in range(self.draw(st.integers(1, 2))):
            sql = f"({sql}) {self.draw(st.sampled_from(OPERATIONS))} {self._query(kinds, True)}"
        placed = self._placed(sql, names)
        if self.draw(st.integers(0, 3)):
            return placed
        how = self.draw(st.sampled_from(("JOIN", "LEFT JOIN")))
        return Source(
            f"who AS w {how} {placed.sql} ON w.pid = q.pid", self._names("who", "w") + names, "w.pid", placed.ctes
        )

    def _query(self, kinds: list[str], with_person: bool) -> str:
        """Draw one operand; its values come from a few, so that operands overlap."""
        below = self._flat()
        terms = self._terms(*below.names)
        shown = [f"{below.person} AS pid"] if with_person else []
        shown += [f"{terms.term(kind)} AS e{i}" for i, kind in enumerate(kinds)]
        where = f" WHERE {terms.test(1)}" if self.draw(st.booleans()) else ""
        return f"SELECT {', '.join(shown)} FROM {below.sql}{where}"
