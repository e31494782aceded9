"""Generated FROM clauses over private tables: scans, joins, subqueries, groups per person."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.sql.sql_data import BOOL, DATE, DOUBLE, INT, TEXT, TIME, Col, Database
from tests.support.sql.sql_terms import Name, Terms


@dataclass(frozen=True)
class Source:
    """Private rows and the columns in scope."""

    sql: str
    names: tuple[Name, ...]
    person: str | None  # name of the person column, if it has one
    ctes: str = ""


@dataclass(frozen=True)
class Sources:
    """Generator of one source."""

    draw: st.DrawFn
    database: Database

    def source(self) -> Source:
        """Draw private rows."""
        makers = (self._scan, self._scan, self._with_pub, self._with_list, self._with_num, self._persons, self._persons,
                  self._self_join, self._item, self._per_person, self._per_person, self._projected, self._distinct,
                  self._starred)  # fmt: skip
        return self.draw(st.sampled_from(makers))()

    def _names(self, table: str, alias: str) -> tuple[Name, ...]:
        return tuple(_named(column, alias) for column in self.database.tables[table])

    def _terms(self, *names: Name) -> Terms:
        return Terms(self.draw, names, self.database.instants)

    def _scan(self) -> Source:
        if self.draw(st.integers(0, 3)) == 0:
            return Source("who", self._names("who", "who"), "pid")
        return Source("act", self._names("act", "act"), "pid")

    def _item(self) -> Source:
        names = self._names("item", "i")
        if self.draw(st.booleans()):
            return Source("item AS i", names, None)
        test = self._terms(*names).test(1)
        return Source(f"item AS i JOIN num AS u ON u.z = i.q AND {test}", names + self._names("num", "u"), None)

    def _with_pub(self) -> Source:
        names = self._names("act", "a")
        form = self.draw(st.integers(0, 3))
        if form == 0:
            return Source("act AS a JOIN pub AS p USING (k)", names + self._names("pub", "p")[1:], "a.pid")
        both = names + self._names("pub", "p")
        how = self.draw(st.sampled_from(("JOIN", "LEFT JOIN")))
        extra = f" AND {self._terms(*both).test(1)}" if form > 1 else ""
        return Source(f"act AS a {how} pub AS p ON a.k = p.k{extra}", both, "a.pid")

    def _with_list(self) -> Source:
        """Join constants, or a subquery over a public table."""
        listed, value = self.draw(
            st.sampled_from(
                (
                    ("(VALUES ('a', 1), ('b', 2), ('a', 3), (NULL, 4)) AS p(k, r)", INT),
                    ("(SELECT k, COUNT(*) AS r FROM pub GROUP BY k) AS p", INT),
                    ("(SELECT DISTINCT k, lab AS r FROM pub WHERE w > 0) AS p", TEXT),
                    ("(SELECT upper(k) AS k, w + 1 AS r FROM pub) AS p", INT),
                )
            )
        )
        names = (*self._names("act", "a"), Name("p.k", TEXT, listed=True), Name("p.r", value, listed=True))
        how = self.draw(st.sampled_from(("JOIN", "LEFT JOIN")))
        return Source(f"act AS a {how} {listed} ON a.k = p.k", names, "a.pid")

    def _starred(self) -> Source:
        names = self._names("act", "q")
        test = self._terms(*self._names("act", "act")).test(1)
        return self._placed(f"SELECT * FROM act WHERE {test}", names)

    def _with_num(self) -> Source:
        names, public = self._names("act", "a"), self._names("num", "u")
        on = self.draw(
            st.sampled_from(
                ("a.z = u.z", "u.z = a.n", "u.z BETWEEN a.z AND 3", "u.z >= a.n", "u.v > 0", "u.z = a.z + 1")
            )
        )
        form = self.draw(st.integers(0, 3))
        if form == 0:
            return Source(f"num AS u JOIN act AS a ON {on}", names + public, "a.pid")
        if form == 1:
            return Source("act AS a CROSS JOIN num AS u", names + public, "a.pid")
        how = self.draw(st.sampled_from(("JOIN", "LEFT JOIN")))
        return Source(f"act AS a {how} num AS u ON {on}", names + public, "a.pid")

    def _persons(self) -> Source:
        """Join act and who in either order."""
        act, who = self._names("act", "a"), self._names("who", "w")
        left, right = self.draw(st.permutations([("act AS a", "a"), ("who AS w", "w")]))
        how = self.draw(st.sampled_from(("JOIN", "LEFT JOIN")))
        if self.draw(st.integers(0, 2)) == 0:
            return Source(f"{left[0]} {how} {right[0]} USING (pid)", act + who, f"{left[1]}.pid")
        extra = f" AND {self._terms(*act, *who).test(1)}" if self.draw(st.booleans()) else ""
        return Source(
            f"{left[0]} {how} {right[0]} ON a.pid = w.pid{extra}",
            act + who,
            f"{self.draw(st.sampled_from((left[1], right[1])))}.pid",
        )

    def _self_join(self) -> Source:
        one, other = self._names("act", "a"), self._names("act", "b")
        how = self.draw(st.sampled_from(("JOIN", "LEFT JOIN")))
        extra = self.draw(st.sampled_from(("a.aid < b.aid", "a.d = b.d", "a.n <= b.n", "a.k <> b.k")))
        test = f" AND {self._terms(*one, *other).test(0)}" if self.draw(st.booleans()) else ""
        return Source(f"act AS a {how} act AS b ON a.pid = b.pid AND {extra}{test}", one + other, "a.pid")

    def _projected(self) -> Source:
        """Compute columns in a subquery or a CTE."""
        below = self._flat()
        terms = self._terms(*below.names)
        kinds = self.draw(st.lists(st.sampled_from((INT, DOUBLE, TEXT, DATE, BOOL)), min_size=1, max_size=3))
        shown = [f"{below.person} AS pid", *(f"{terms.term(kind)} AS e{i}" for i, kind in enumerate(kinds))]
        where = f" WHERE {terms.test()}" if self.draw(st.booleans()) else ""
        names = tuple(Name(f"q.e{i}", kind, listed=kind == BOOL) for i, kind in enumerate(kinds))
        return self._placed(f"SELECT {', '.join(shown)} FROM {below.sql}{where}", names)

    def _distinct(self) -> Source:
        below = self._flat()
        names = [n for n in below.names if n.kind != TIME]
        chosen = self.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
        shown = [f"{below.person} AS pid", *(f"{n.sql} AS e{i}" for i, n in enumerate(chosen))]
        shown_names = tuple(Name(f"q.e{i}", n.kind, n.bounded, n.listed) for i, n in enumerate(chosen))
        return self._placed(f"SELECT DISTINCT {', '.join(shown)} FROM {below.sql}", shown_names)

    def _per_person(self) -> Source:
        """Group by person, and perhaps by another column; optionally join the person's row."""
        below = self._flat()
        terms = self._terms(*below.names)
        key = self.draw(st.sampled_from([None, None, *(n for n in below.names if n.kind in (INT, TEXT, DATE, BOOL))]))
        made = [self._inside(terms) for _ in range(self.draw(st.integers(1, 3)))]
        shown = [f"{below.person} AS pid"] + ([f"{key.sql} AS g"] if key else [])
        shown += [f"{sql} AS e{i}" for i, (sql, _) in enumerate(made)]
        where = f" WHERE {terms.test()}" if self.draw(st.integers(0, 2)) == 0 else ""
        having = (
            f" HAVING COUNT(*) {self.draw(st.sampled_from(('> 1', '<= 2', '= 1')))}"
            if self.draw(st.integers(0, 3)) == 0
            else ""
        )
        by = ", ".join([str(below.person)] + ([key.sql] if key else []))
        sql = f"SELECT {', '.join(shown)} FROM {below.sql}{where} GROUP BY {by}{having}"
        names = tuple(Name(f"q.e{i}", kind, False, kind == BOOL) for i, (_, kind) in enumerate(made))
        if key:
            names += (Name("q.g", key.kind, key.bounded, key.listed),)
        grouped = self._placed(sql, names)
        if self.draw(st.integers(0, 3)) or not isinstance(grouped.person, str):
            return grouped
        return Source(
            f"who AS w JOIN {grouped.sql} ON w.pid = q.pid", self._names("who", "w") + names, "q.pid", grouped.ctes
        )

    def _inside(self, terms: Terms) -> tuple[str, str]:
        """Draw a per-person aggregate and the type of its value."""
        kind = terms.pick((INT, INT, TEXT, DATE))
        forms: list[tuple[str, str]] = [
            ("COUNT(*)", INT), (f"COUNT(<{kind}>)", INT), (f"COUNT(DISTINCT <{kind}>)", INT),
            (f"MIN(<{kind}>)", kind), (f"MAX(<{kind}>)", kind), ("bool_or(<bool>)", BOOL), ("bool_and(<bool>)", BOOL),
        ]  # fmt: skip
        if not self.database.extreme:  # a sum that overflows 64 bits is NULL on purpose
            forms += [("SUM(<int>)", INT), ("SUM(<int>)", INT)]
        if not self.database.wild:
            forms += [("SUM(<double>)", DOUBLE), ("AVG(<int>)", DOUBLE), ("MAX(<double>)", DOUBLE)]
        if any(name.sql == "act.aid" for name in terms.names):
            forms += [(f"{pick}(<{kind}>, act.aid)", kind) for pick in ("arg_min", "arg_max")]
        template, made = self.draw(st.sampled_from(forms))
        test = f" FILTER (WHERE {terms.test(1)})" if self.draw(st.integers(0, 3)) == 0 else ""
        return terms.filled(template, 1) + test, made

    def _flat(self) -> Source:
        """Draw rows without a subquery, whose person column is known; the action id breaks ties."""
        form = self.draw(st.integers(0, 4))
        if form > 2:
            return Source("act", (*self._names("act", "act"), Name("act.aid", INT)), "act.pid")
        return (self._with_pub, self._with_num, self._persons)[form]()

    def _placed(self, sql: str, names: tuple[Name, ...]) -> Source:
        """Place a subquery in FROM, or in front as a CTE."""
        if self.draw(st.booleans()):
            return Source(f"({sql}) AS q", names, "q.pid")
        return Source("q", names, "q.pid", f"WITH q AS ({sql}) ")


def _named(column: Col, alias: str) -> Name:
    return Name(f"{alias}.{column.name}", column.kind, column.bounded, column.listed)
