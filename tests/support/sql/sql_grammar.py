"""Grammar-based generator: random queries of the dialect over a generated database.

A query is composed of sources (private rows), one or two releases over them (keys and aggregates), and an outer query.
Most are accepted; the calling test counts refusals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from tests.support.sql.sql_data import DOUBLE, INT, TIME, Database, databases
from tests.support.sql.sql_sources import Source, Sources
from tests.support.sql.sql_terms import Name, Terms

# constants that no mean of eighths equals: means may differ in the last digit
ODD = ("0.2857143", "1.4285714", "2.7142857", "-1.1428571")
_COLUMN = re.compile(r"[a-z]\.[a-z]")
QUESTIONS_A_ROUND = 25
Round = tuple[Database, list[str]]
IF, FI = "/*if*/", "/*fi*/"


def as_plain(sql: str) -> str:
    """Adapt a query to plain DuckDB, where an empty COUNT_IF is NULL instead of 0."""
    return sql.replace(f"COUNT_IF({IF}", "COUNT(CASE WHEN ").replace(f"{FI})", " THEN 1 END)")


@dataclass(frozen=True)
class Released:
    """A SELECT with a release, and its output columns."""

    sql: str
    keys: tuple[Name, ...]
    counts: tuple[str, ...]
    numbers: tuple[str, ...]  # sums and means


@st.composite
def rounds(draw: st.DrawFn, sources: type[Sources] = Sources) -> Round:
    """Draw a database and its queries."""
    database = draw(databases())
    return database, [draw(questions(database, sources)) for _ in range(QUESTIONS_A_ROUND)]


@st.composite
def questions(draw: st.DrawFn, database: Database, sources: type[Sources] = Sources) -> str:
    """Draw a query over a database."""
    return Grammar(draw, database, sources).question()


@dataclass(frozen=True)
class Grammar:
    """Generator of one query."""

    draw: st.DrawFn
    database: Database
    sources: type[Sources] = Sources

    def question(self) -> str:
        """Draw a release, alone or with an outer query."""
        form = self.draw(st.integers(0, 9))
        if form <= 5:
            return self._alone(self._released())
        if form == 6:
            return self._filtered(self._released())
        if form == 7:
            return self._again(self._released())
        if form == 8:
            return self._with_public(self._released(public_key=True))
        return self._two(self._released(), self._released())

    # ------------------------------------------------------------ the release

    def _released(self, public_key: bool = False) -> Released:
        source = self.sources(self.draw, self.database).source()
        terms = Terms(self.draw, source.names, self.database.instants)
        wheres = [terms.test() for _ in range(self.draw(st.sampled_from((0, 0, 1, 1, 2))))]
        most = 1 if public_key else 2
        keys = [
            self._key(terms, source, wheres, i, public_key)
            for i in range(self.draw(st.integers(int(public_key), most)))
        ]
        counts, numbers = self._aggregates(terms, source)
        shown = [f"{sql} AS {name.sql}" for sql, name in keys]
        shown += [f"{sql} AS {alias}" for alias, sql in (*counts, *numbers)]
        where = f" WHERE {' AND '.join(wheres)}" if wheres else ""
        by = self._group_by([sql for sql, _ in keys], [name.sql for _, name in keys])
        having = self._having([sql for _, sql in counts], [sql for _, sql in numbers])
        sql = f"{source.ctes}SELECT {', '.join(shown)} FROM {source.sql}{where}{by}{having}"
        return Released(sql, tuple(n for _, n in keys), tuple(a for a, _ in counts), tuple(a for a, _ in numbers))

    def _key(self, terms: Terms, source: Source, wheres: list[str], place: int, plain: bool) -> tuple[str, Name]:
        name = Name(f"g{place}", INT)
        listed = [n for n in source.names if n.listed and n.kind not in (TIME, DOUBLE)]
        form = 0 if plain and listed else self.draw(st.integers(0, 8))
        if form <= 2 and listed:
            column = self.draw(st.sampled_from(listed))
            return column.sql, replace(name, kind=column.kind)
        template, kind = self.draw(
            st.sampled_from((
                ("<bool>", "bool"), ("CASE WHEN <bool> THEN <=text> WHEN <bool> THEN <=text> ELSE <=text> END", "text"),
                ("CASE WHEN <bool> THEN <=int> END", "int"), ("hour(<time>)", "int"), ("isodow(<date>)", "int"),
                ("<text>", "text"), ("coalesce(<text>, 'none')", "text"), ("month(<date>)", "int"), ("<int>", "int"),
            ))
        )  # fmt: skip
        sql = terms.filled(template, 1)
        if not _COLUMN.search(sql):  # GROUP BY ALL leaves constants out
            return self._key(terms, source, wheres, place, plain)
        if template == "<int>":
            wheres.append(
                f"{sql} {self.draw(st.sampled_from(('BETWEEN -5 AND 15', '>= 0 AND ' + sql + ' < 9', 'IN (0, 1, 2)')))}"
            )
        return sql, replace(name, kind=kind)

    def _group_by(self, keys: list[str], aliases: list[str]) -> str:
        if not keys:
            return ""
        positions = ", ".join(str(i + 1) for i in range(len(keys)))
        return " GROUP BY " + self.draw(st.sampled_from((", ".join(keys), positions, "ALL", ", ".join(aliases))))

    def _aggregates(self, terms: Terms, source: Source) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        counts = [(f"n{i}", self._count(terms, source)) for i in range(self.draw(st.integers(1, 2)))]
        numbers = [(f"s{i}", self._number(terms)) for i in range(self.draw(st.integers(0, 2)))]
        return counts, numbers

    def _count(self, terms: Terms, source: Source) -> str:
        forms = ["COUNT(*)", "COUNT(*)", f"COUNT({terms.term(terms.pick(('int', 'text', 'date', 'bool')), 1)})"]
        forms.append(f"COUNT_IF({IF}{terms.test(1)}{FI})")
        if source.person:
            forms += [
                f"COUNT(DISTINCT {source.person})",
                f"COUNT(DISTINCT CASE WHEN {terms.test(1)} THEN {source.person} END)",
            ]
        return self._filtered_by(terms.pick(forms), terms)

    def _number(self, terms: Terms) -> str:
        bounded = [n.sql for n in terms.names if n.bounded]
        form = self.draw(st.integers(0, 4))
        if form <= 1 and bounded:
            value = terms.pick(bounded)
        elif form == 2 and bounded:
            value = f"{terms.pick(bounded)} * {terms.pick(('2', '0.5', '-1'))}"
        elif form == 3:
            value = f"CASE WHEN {terms.test(1)} THEN 1 ELSE 0 END"
        else:
            value = f"LEAST(GREATEST({terms.term(terms.pick((INT, DOUBLE)))}, -5), 50)"
        return self._filtered_by(f"{terms.pick(('SUM', 'AVG'))}({value})", terms)

    def _filtered_by(self, aggregate: str, terms: Terms) -> str:
        return f"{aggregate} FILTER (WHERE {terms.test(1)})" if self.draw(st.integers(0, 3)) == 0 else aggregate

    def _having(self, counts: list[str], numbers: list[str]) -> str:
        if self.draw(st.integers(0, 4)):
            return ""
        return f" HAVING {self._outer_test(counts, numbers)}"

    # ------------------------------------------------------------ the outer query

    def _outer_test(self, counts: list[str], numbers: list[str]) -> str:
        sign = self.draw(st.sampled_from((">", "<=", "<>")))
        if numbers and not self.database.wild and not self.database.extreme and self.draw(st.booleans()):
            return f"{self.draw(st.sampled_from(numbers))} {sign} {self.draw(st.sampled_from(ODD))}"
        return f"{self.draw(st.sampled_from(counts))} {sign} {self.draw(st.integers(0, 6))}"

    def _alone(self, released: Released) -> str:
        if self.draw(st.integers(0, 2)):
            return released.sql
        return released.sql + self._order([key.sql for key in released.keys])

    def _order(self, keys: list[str]) -> str:
        """Order by all keys, which are unique, and take a slice."""
        if not keys:
            return ""
        terms = [
            f"{key}{self.draw(st.sampled_from(('', ' DESC', ' ASC NULLS FIRST', ' DESC NULLS LAST')))}" for key in keys
        ]
        limit = self.draw(st.sampled_from(("", " LIMIT 3", " LIMIT 2 OFFSET 1")))
        return f" ORDER BY {', '.join(terms)}{limit}"

    def _computed(self, released: Released) -> list[str]:
        """Draw outer expressions over a release named q."""
        count = f"q.{self.draw(st.sampled_from(released.counts))}"
        forms = [f"{count} * 2 + 1", f"{count} / 4", f"CASE WHEN {count} > 3 THEN 'many' ELSE 'few' END", f"-{count}",
                 f"{count} % 3", f"{count} // 2", f"q.{released.counts[0]} - {count}", f"1 / nullif({count}, 0)"]  # fmt: skip
        if released.numbers:
            number = f"q.{self.draw(st.sampled_from(released.numbers))}"
            forms += [f"{number} / {count}", f"{number} * 0.5", f"{number} - {count}", f"coalesce({number}, 0)"]
        chosen = self.draw(st.lists(st.sampled_from(forms), min_size=1, max_size=3))
        return [f"{sql} AS e{i}" for i, sql in enumerate(chosen)]

    def _filtered(self, released: Released) -> str:
        keys = [f"q.{key.sql}" for key in released.keys]
        test = self._outer_test([f"q.{c}" for c in released.counts], [f"q.{n}" for n in released.numbers])
        where = f" WHERE {test}" if self.draw(st.booleans()) else ""
        return f"SELECT {', '.join([*keys, *self._computed(released)])} FROM ({released.sql}) AS q{where}{self._order(keys)}"

    def _again(self, released: Released) -> str:
        """Aggregate a release again."""
        count = f"q.{self.draw(st.sampled_from(released.counts))}"
        made = [f"SUM({count}) AS a", f"MAX({count}) AS b", f"MIN({count}) AS c", "COUNT(*) AS d", f"AVG({count}) AS e"]
        if released.numbers:
            made += [f"MAX(q.{released.numbers[0]}) AS f", f"SUM(q.{released.numbers[0]}) AS g"]
        chosen = self.draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True))
        if released.keys and self.draw(st.booleans()):
            key = f"q.{released.keys[0].sql}"
            return f"SELECT {', '.join([key, *chosen])} FROM ({released.sql}) AS q GROUP BY {key}{self._order([key])}"
        return f"SELECT {', '.join(chosen)} FROM ({released.sql}) AS q"

    def _with_public(self, released: Released) -> str:
        """Join a release with a public table on its key."""
        kind = released.keys[0].kind
        if kind not in ("text", "int"):
            return self._filtered(released)
        table, column, more = ("pub", "k", "w") if kind == "text" else ("num", "z", "v")
        same = f"q.{released.keys[0].sql} = p.{column}"
        shown = [f"p.{column} AS pk", f"p.{more} AS pm", *self._computed(released)]
        if self.draw(st.booleans()):
            return f"SELECT {', '.join(shown)} FROM ({released.sql}) AS q JOIN {table} AS p ON {same}"
        return f"WITH q AS ({released.sql}) SELECT {', '.join(shown)} FROM {table} AS p LEFT JOIN q ON {same}"

    def _two(self, one: Released, other: Released) -> str:
        """Join two releases."""
        pairs = [(a, b) for a in one.keys for b in other.keys if a.kind == b.kind]
        shown = [*self._computed(one), f"r.{other.counts[0]} AS m"]
        if not pairs:
            return f"SELECT {', '.join(shown)} FROM ({one.sql}) AS q CROSS JOIN ({other.sql}) AS r"
        a, b = pairs[0]
        how = self.draw(st.sampled_from(("JOIN", "LEFT JOIN")))
        return (
            f"WITH q AS ({one.sql}), r AS ({other.sql}) SELECT q.{a.sql}, {', '.join(shown)} FROM q {how} r"
            f" ON q.{a.sql} = r.{b.sql}"
        )
