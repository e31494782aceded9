"""Questions drawn from the whole dialect, over columns of every stored type: relations in relations, any function.

The other generators combine reviewed FROM clauses; here each relation is drawn from others, up to some depth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import duckdb

from dialect.catalog.model import Catalog, SqlType
from engine.catalog.file import load_catalog
from tests.support.greybox.greybox_data import WORLDS
from tests.support.sql.form_samples import ALL, STORED, Sample, samples

VICTIM = "o'Brien"
PERSONS = (VICTIM, "", " a", "a", "A", "é")
KINDS = {
    SqlType.BOOLEAN: "bool", SqlType.BIGINT: "int", SqlType.DOUBLE: "double", SqlType.VARCHAR: "text", SqlType.DATE: "date",
    SqlType.TIMESTAMP: "stamp", SqlType.TIMESTAMPTZ: "instant", SqlType.TIME: "clock", SqlType.VARCHAR_LIST: "texts",
    SqlType.BIGINT_LIST: "ints", SqlType.INTERVAL: "span",
}  # fmt: skip
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "act": {
        "who": ("person", "VARCHAR"), "small": ("int", "UTINYINT"), "num": ("int", "BIGINT"), "huge": ("unsigned", "UBIGINT"),
        "real": ("double", "DOUBLE"), "single": ("double", "FLOAT"), "price": ("double", "DECIMAL(10, 2)"),
        "word": ("text", "VARCHAR"), "kind": ("text", "VARCHAR"), "flag": ("bool", "BOOLEAN"), "day": ("date", "DATE"),
        "seen": ("stamp", "TIMESTAMP"), "instant": ("instant", "TIMESTAMPTZ"), "clock": ("clock", "TIME"),
        "tags": ("texts", "VARCHAR[]"), "marks": ("ints", "BIGINT[]"),
    },
    "self": {
        "who": ("person", "VARCHAR"), "sex": ("text", "VARCHAR"), "age": ("int", "SMALLINT"), "home": ("text", "VARCHAR"),
        "born": ("date", "DATE"), "since": ("stamp", "TIMESTAMP"),
    },
    "pub": {"k": ("text", "VARCHAR"), "n": ("int", "BIGINT"), "x": ("double", "DOUBLE"), "on_day": ("date", "DATE")},
}  # fmt: skip
VALUES = {
    **STORED,
    "text": (
        "''",
        "'a'",
        "'A'",
        "'é'",
        "'b'",
        "' a'",
        "'a%b_c'",
        "'12'",
        "'NaN'",
        "'o''Brien'",
        "'😀x'",
        "'a' || chr(0) || 'b'",
        "'e' || chr(769)",
        "repeat('y', 1500)",
    ),
    "clock": (*STORED["clock"], "TIME '24:00:00'"),
    "small": ("0", "1", "1", "2", "255", "7"),
    "price": ("0", "1.5", "-10.01", "99999999.99", "3.14"),
    "age": ("0", "34", "100", "-5", "32767"),
    "real": (*STORED["double"], "600", "7200", "7201"),
    "single": ("0.1", "CAST('-0.0' AS DOUBLE)", "-2.5", "1e30", "CAST('nan' AS DOUBLE)", "CAST('inf' AS DOUBLE)"),
    "num": (*STORED["int"], "1000", "1001", "-5"),
    "day": ("DATE '2026-03-28'", "DATE '2026-03-29'", *STORED["date"]),
    "sex": ("'f'", "'m'", "'?'"),
    "kind": ("'a'", "'A'", "''", "'é'", "'other'"),
}
CONSTANTS = {
    "bool": ("TRUE", "FALSE"), "int": ("0", "1", "-1", "7", "255", "9223372036854775807"), "double": ("0.5", "1e308", "-0.0", "600.0"),
    "text": ("''", "'a'", "'A'", "'é'", "'it''s'"), "date": ("DATE '2026-03-29'", "DATE '0001-01-01'"),
    "stamp": ("TIMESTAMP '2026-10-14 23:59:59.999999'", "TIMESTAMP '2000-02-29'"), "clock": ("TIME '12:00:00'",),
}  # fmt: skip


@cache
def declare() -> Catalog:
    """Load the catalog."""
    return load_catalog(Path(__file__).with_suffix(".toml"))


# ---- data


def rows_of(random: Random) -> str:
    """SQL of the private rows of everybody, a few of each person."""
    text = ""
    for table, columns in (("act", COLUMNS["act"]), ("self", COLUMNS["self"])):
        made = [_row(random, columns, person) for person in _persons(random, table)]
        typed = ", ".join(f"{name} {stored}" for name, (_, stored) in columns.items())
        text += f"CREATE OR REPLACE TABLE everybody.{table} ({typed});"
        if made:
            text += f"INSERT INTO everybody.{table} VALUES {', '.join(made)};"
    return text


def _persons(random: Random, table: str) -> list[str]:
    quoted = [f"'{person}'" for person in (VICTIM.replace("'", "''"), *PERSONS[1:])]
    if table == "self":
        return [each for each in quoted if random.random() < 0.8]
    counts = [random.choice((1, 2, 4, 9)), *(random.choice((0, 1, 2, 5)) for _ in quoted[1:])]
    return [each for each, many in zip(quoted, counts, strict=True) for _ in range(many)] + ["NULL"]


def _row(random: Random, columns: dict[str, tuple[str, str]], person: str) -> str:
    cells = []
    for name, (kind, _) in columns.items():
        if kind == "person":
            cells.append(person)
        elif random.random() < 0.12:
            cells.append("NULL")
        else:
            cells.append(random.choice(VALUES.get(name, VALUES.get(kind, ("NULL",)))))
    return f"({', '.join(cells)})"


def make_worlds(connection: duckdb.DuckDBPyConnection, random: Random) -> None:
    """Create the worlds of one database."""
    for world in WORLDS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {world}")
    connection.execute(rows_of(random))
    for table in ("act", "self"):
        gone = VICTIM.replace("'", "''")
        connection.execute(
            f"CREATE OR REPLACE TABLE mixed.{table} AS FROM everybody.{table} WHERE who IS NOT NULL ORDER BY hash(rowid * 7919 + 13);"
            f"CREATE OR REPLACE TABLE without.{table} AS FROM everybody.{table} WHERE who IS DISTINCT FROM '{gone}';"
        )
    connection.execute(
        "CREATE OR REPLACE TABLE everybody.pub AS SELECT * FROM (VALUES ('a', 1, 1.5, DATE '2026-03-28'), ('A', 1, 'nan'::DOUBLE, NULL),"
        " ('', 2, -0.0, DATE '2026-03-29'), ('', 2, 0.0, DATE '2026-03-29'), (NULL, NULL, NULL, NULL), ('é', 255, 'inf'::DOUBLE,"
        " DATE '2026-03-30')) AS p(k, n, x, on_day)"
    )
    for world in WORLDS[1:]:
        connection.execute(f"CREATE OR REPLACE VIEW {world}.pub AS FROM everybody.pub")


# ---- questions


@dataclass(frozen=True)
class Column:
    """A column in scope: its SQL and kind."""

    sql: str
    kind: str


@dataclass(frozen=True)
class Rows:
    """A FROM item, its columns, and its person column; None for public rows."""

    sql: str
    columns: tuple[Column, ...]
    person: str | None


@cache
def _samples_by_result() -> dict[str, tuple[Sample, ...]]:
    """Some calls of every form, by the kind of their result."""
    found: dict[str, list[Sample]] = {}
    for form in ALL:
        if (
            form.name.startswith("dp_interval")
            or form.name in ("instant", "from_epoch")
            or {"polygon", "span"} & {*form.argument_kinds}
        ):
            continue
        for sample in list(samples(form))[:40]:
            kind = KINDS.get(sample.call().type)
            if kind:
                found.setdefault(kind, []).append(sample)
    return {kind: tuple(each) for kind, each in found.items()}


_PLACE = re.compile(r"\bc(\d+)\b")
_INNER = re.compile(r"\([^()]*\)")
_CONVERTED = {"degrees": "double", "whole_degrees": "int"}

Tables = Mapping[str, Mapping[str, tuple[str, str]]]  # column -> (kind, stored type); the person first


@dataclass
class Drawn:
    """A generator of questions, with its own aliases."""

    random: Random
    tables: Tables = field(default_factory=lambda: COLUMNS)
    people: tuple[str, ...] = ("act", "act", "self")  # private tables
    public: str = "pub"
    aliases: int = 0
    ctes: list[str] = field(default_factory=list)

    def alias(self) -> str:
        """Return a new alias."""
        self.aliases += 1
        return f"r{self.aliases}"

    def one(self, *values: str) -> str:
        """Choose one of some texts."""
        return self.random.choice(values)

    # expressions

    def term(self, kind: str, columns: tuple[Column, ...], depth: int = 2) -> str:
        """Draw an expression of a kind over some columns."""
        fitting = [each.sql for each in columns if each.kind == kind or (kind == "int" and each.kind == "unsigned")]
        if fitting and (depth <= 0 or self.random.random() < 0.5):
            return self.random.choice(fitting)
        if depth > 0 or (depth > -2 and self.random.random() < 0.7):
            return self.call(kind, columns, depth)
        return self.one(*CONSTANTS.get(kind, ("NULL",)))

    def call(self, kind: str, columns: tuple[Column, ...], depth: int) -> str:
        """Draw a call of any function with a result of a kind, a CASE or a cast."""
        if self.random.random() < 0.12 and kind in ("int", "double", "text", "date", "bool", "stamp"):
            then, other = self.term(kind, columns, depth - 1), self.term(kind, columns, depth - 1)
            return f"CASE WHEN {self.term('bool', columns, depth - 1)} THEN {then} ELSE {other} END"
        there = {each.kind for each in columns} | CONSTANTS.keys() | _CONVERTED.keys()
        forms = _by_form(kind, frozenset(there))  # a NULL would have no type
        if not forms:
            return self.one(*CONSTANTS.get(kind, ("NULL",)))
        sample = self.random.choice(self.random.choice(forms))
        made = {
            str(place): self.term(_CONVERTED.get(of, of), columns, depth - 1)
            for place, of in enumerate(sample.kinds)
            if isinstance(of, str)
        }
        written = sample.plain().replace("h3_parent_of_integer", "h3_parent")
        return f"({_PLACE.sub(lambda found: made[found[1]], written)})"

    def test(self, columns: tuple[Column, ...], depth: int = 2) -> str:
        """Draw a condition."""
        return self.term("bool", columns, depth)

    # relations

    def rows(self, depth: int) -> Rows:
        """Draw a relation of people's rows, with an alias."""
        if depth <= 0:
            return self.scan(self.one(*self.people))
        made: tuple[Callable[[int], Rows], ...] = (
            self.projected, self.projected, self.joined, self.joined, self.with_public, self.grouped, self.grouped, self.windowed,
            self.windowed, self.distinct, self.set_operation, self.chosen, self.chosen, self.correlated, self.correlated,
            self.common, self.extreme_rows,
        )  # fmt: skip
        return self.random.choice(made)(depth)

    def scan(self, table: str) -> Rows:
        """Scan a table under a new alias."""
        alias, listed = self.alias(), self.tables[table]
        columns = tuple(Column(f"{alias}.{name}", kind) for name, (kind, _) in listed.items() if kind != "person")
        return Rows(f"{table} AS {alias}", columns, None if table == self.public else f"{alias}.{next(iter(listed))}")

    def placed(self, select: str, kinds: list[str], rest: str) -> Rows:
        """Place a query as a derived table with columns c0, c1, ... after its person."""
        alias = self.alias()
        columns = tuple(Column(f"{alias}.c{place}", kind) for place, kind in enumerate(kinds))
        return Rows(f"(SELECT {select} {rest}) AS {alias}", columns, f"{alias}.who")

    def kinds(self, below: Rows, least: int = 1, most: int = 4) -> list[str]:
        """Draw kinds of columns: those of a relation, and usual ones."""
        there = [each.kind.replace("unsigned", "int") for each in below.columns]
        every = (*there, "int", "double", "text", "bool", "date", "stamp")
        return [self.one(*every) for _ in range(self.random.randint(least, most))]

    def shown(self, below: Rows, kinds: list[str], depth: int = 2) -> str:
        """Draw a select list with the person and columns of some kinds."""
        terms = [f"{self.term(kind, below.columns, depth)} AS c{place}" for place, kind in enumerate(kinds)]
        return ", ".join([f"{below.person} AS who", *terms])

    def where(self, below: Rows, chance: float = 0.5) -> str:
        """Draw a WHERE clause, or nothing."""
        return f" WHERE {self.test(below.columns)}" if self.random.random() < chance else ""

    def projected(self, depth: int) -> Rows:
        """Computed columns of a relation."""
        below = self.rows(depth - 1)
        kinds = self.kinds(below)
        return self.placed(self.shown(below, kinds), kinds, f"FROM {below.sql}{self.where(below)}")

    def common(self, depth: int) -> Rows:
        """A relation named by WITH, read once or twice."""
        below = self.rows(depth - 1)
        kinds, name = self.kinds(below, 2, 4), f"w{len(self.ctes)}"
        text = f"{name} AS {self.one('', '', 'MATERIALIZED ')}(SELECT {self.shown(below, kinds)} FROM {below.sql}{self.where(below)})"
        self.ctes.append(text)

        def read() -> Rows:
            alias = self.alias()
            columns = tuple(Column(f"{alias}.c{place}", kind) for place, kind in enumerate(kinds))
            return Rows(f"{name} AS {alias}", columns, f"{alias}.who")

        return read() if self.random.random() < 0.5 else self.pair(read(), read())

    def pair(self, left: Rows, right: Rows) -> Rows:
        """Join two relations of people on the person."""
        right = self.simple(right)
        both = left.columns + right.columns
        how = self.one("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN")
        more = f" AND {self.test(both)}" if self.random.random() < 0.5 else ""
        person = right.person if how == "RIGHT JOIN" else left.person
        if how in ("LEFT JOIN", "FULL JOIN", "RIGHT JOIN") and self.random.random() < 0.3:
            person = right.person if person == left.person else left.person
        return Rows(f"{left.sql} {how} {right.sql} ON {left.person} = {right.person}{more}", both, person)

    def simple(self, rows: Rows) -> Rows:
        """Place a join as a derived table, so that it can stand right of another."""
        outside = rows.sql
        while (flat := _INNER.sub("", outside)) != outside:
            outside = flat
        if " JOIN " not in outside:
            return rows
        kinds = self.kinds(rows, 2, 3)
        return self.placed(self.shown(rows, kinds, 0), kinds, f"FROM {rows.sql}")

    def joined(self, depth: int) -> Rows:
        """Join two relations of people."""
        return self.pair(self.rows(depth - 1), self.rows(self.random.randint(0, depth - 1)))

    def with_public(self, depth: int) -> Rows:
        """Join a relation of people with public rows."""
        below, public = self.rows(depth - 1), self.scan(self.public)
        both = below.columns + public.columns
        form = self.random.random()
        if form < 0.25:
            return Rows(f"{below.sql} CROSS JOIN {public.sql}", both, below.person)
        on = self.test(both) if form < 0.6 else self.equality(below, public)
        if self.random.random() < 0.2:
            below = self.simple(below)
            both = below.columns + public.columns
            return Rows(f"{public.sql} LEFT JOIN {below.sql} ON {self.equality(below, public)}", both, below.person)
        return Rows(f"{below.sql} {self.one('JOIN', 'LEFT JOIN')} {public.sql} ON {on}", both, below.person)

    def equality(self, below: Rows, public: Rows) -> str:
        """Equate a public column with a term."""
        column = self.random.choice(public.columns)
        return f"{column.sql} = {self.term(column.kind, below.columns, 1)}"

    def aggregate(self, columns: tuple[Column, ...], kind: str) -> str:
        """Draw an aggregate of one person's rows with a result of a kind."""
        x, y = self.term(kind, columns, 1), self.term(self.one("int", "double", "text", "stamp", "date"), columns, 1)
        any_of = ["MIN({x})", "MAX({x})", "ARG_MIN({x}, {y})", "ARG_MAX({x}, {y})", "ANY_VALUE({x})", "FIRST({x} ORDER BY {y})",
                  "LAST({x} ORDER BY {y} DESC)", "MODE({x})"]  # fmt: skip
        special = {
            "int": ["COUNT(*)", "COUNT({y})", "COUNT(DISTINCT {y})", "SUM({x})", "BIT_XOR({x})", "BIT_OR({x})", "SUM(DISTINCT {x})",
                    "COUNT_IF({b})", "QUANTILE_DISC({x}, 0.3)"],
            "double": ["SUM({x})", "AVG({x})", "MEDIAN({x})", "QUANTILE_CONT({x}, 0.7)", "VAR_SAMP({x})", "STDDEV_POP({x})", "PRODUCT({x})",
                       "CORR({x}, {x2})", "COVAR_POP({x}, {x2})", "REGR_SLOPE({x}, {x2})", "AVG(DISTINCT {x})"],
            "text": ["STRING_AGG({x}, ',' ORDER BY {y})", "STRING_AGG(DISTINCT {x}, ';')"],
            "bool": ["BOOL_AND({x})", "BOOL_OR({x})"],
            "texts": ["LIST({t} ORDER BY {y})", "LIST(DISTINCT {t})"],
            "ints": ["LIST({i})", "LIST({i} ORDER BY {y})"],
        }  # fmt: skip
        choices = special.get(kind, []) + ([] if kind in ("texts", "ints") else any_of)
        written = self.random.choice(choices).format(
            x=x,
            y=y,
            x2=self.term(kind, columns, 1),
            b=self.test(columns, 1),
            t=self.term("text", columns, 1),
            i=self.term("int", columns, 1),
        )
        return written + (f" FILTER (WHERE {self.test(columns, 1)})" if self.random.random() < 0.25 else "")

    def grouped(self, depth: int) -> Rows:
        """Groups of one person each."""
        below = self.rows(depth - 1)
        keys = self.kinds(below, 0, 2)
        numbers = self.kinds(below, 1, 3)
        shown = [self.term(kind, below.columns, 1) for kind in keys]
        terms = [*shown, *(self.aggregate(below.columns, kind) for kind in numbers)]
        listed = ", ".join([f"{below.person} AS who", *(f"{term} AS c{place}" for place, term in enumerate(terms))])
        by = ", ".join(["1", *(str(place + 2) for place in range(len(keys)))])
        if keys and self.random.random() < 0.2:
            by = f"{below.person}, {self.one('ROLLUP', 'CUBE')} ({', '.join(shown)})"
        having = (
            f" HAVING {self.aggregate(below.columns, 'int')} {self.one('>', '=', '<>')} 1"
            if self.random.random() < 0.3
            else ""
        )
        return self.placed(listed, keys + numbers, f"FROM {below.sql}{self.where(below, 0.3)} GROUP BY {by}{having}")

    def over(self, below: Rows) -> str:
        """Draw a window clause of one person."""
        more = (
            f", {self.term(self.one('int', 'text', 'date', 'double'), below.columns, 1)}"
            if self.random.random() < 0.4
            else ""
        )
        order = [
            f"{self.term(self.one('int', 'double', 'text', 'stamp', 'date'), below.columns, 1)}{self.one('', ' DESC', ' NULLS FIRST')}"
            for _ in range(self.random.randint(1, 2))
        ]
        frame = self.one(
            "",
            "",
            "ROWS 1 PRECEDING",
            "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
        )
        return f"(PARTITION BY {below.person}{more} ORDER BY {', '.join(order)} {frame})"

    def windowed(self, depth: int) -> Rows:
        """Window functions of one person's rows, perhaps below QUALIFY."""
        below, kind = self.rows(depth - 1), self.one("int", "double", "text", "date")
        x = self.term(kind, below.columns, 1)
        call = self.one(f"lag({x})", f"lead({x}, 2)", f"first_value({x})", f"last_value({x})", f"max({x})", f"nth_value({x}, 2)", f"min({x})",
                        f"lag({x} IGNORE NULLS)")  # fmt: skip
        rank = self.one("row_number()", "rank()", "dense_rank()", "count(*)", "ntile(2)", "count(*)")
        kinds = self.kinds(below, 1, 2)
        shown = self.shown(below, kinds, 1)
        place = len(kinds)
        shown += f", {call} OVER {self.over(below)} AS c{place}, {rank} OVER {self.over(below)} AS c{place + 1}"
        qualify = (
            f" QUALIFY {self.one('row_number()', 'rank()')} OVER {self.over(below)} <= 2"
            if self.random.random() < 0.4
            else ""
        )
        return self.placed(shown, [*kinds, kind, "int"], f"FROM {below.sql}{self.where(below, 0.3)}{qualify}")

    def distinct(self, depth: int) -> Rows:
        """Different rows of each person."""
        below = self.rows(depth - 1)
        kinds = self.kinds(below, 0, 2)
        return self.placed(
            f"DISTINCT {self.shown(below, kinds, 1)}", kinds, f"FROM {below.sql}{self.where(below, 0.3)}"
        )

    def set_operation(self, depth: int) -> Rows:
        """Two queries with the person selected."""
        one, other = self.rows(depth - 1), self.rows(self.random.randint(0, depth - 1))
        kinds = self.kinds(one, 0, 2)
        how = self.one("UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")
        second = f"SELECT {self.shown(other, kinds, 1)} FROM {other.sql}{self.where(other, 0.3)}"
        return self.placed(self.shown(one, kinds, 1), kinds, f"FROM {one.sql}{self.where(one, 0.3)} {how} {second}")

    def tie(self, other: Rows, below: Rows) -> str:
        """Correlate a subquery with the rows around it, on the person."""
        return f"{other.person} = {below.person}"

    def chosen(self, depth: int) -> Rows:
        """Rows of people chosen by IN or EXISTS, correlated on the person."""
        below, other = self.rows(depth - 1), self.rows(self.random.randint(0, depth - 1))
        both = below.columns + other.columns
        tested = self.test(both if self.random.random() < 0.5 else other.columns)
        how = self.random.random()
        person = self.tie(other, below)
        if how < 0.3:
            condition = (
                f"{below.person} {self.one('IN', 'NOT IN')} (SELECT {other.person} FROM {other.sql} WHERE {tested})"
            )
        elif how < 0.7:
            condition = f"{self.one('EXISTS', 'NOT EXISTS')} (SELECT 1 FROM {other.sql} WHERE {person} AND {tested})"
        else:
            kind = self.one("int", "text", "double")
            pairs = (
                f"({below.person}, {self.term(kind, below.columns, 1)})",
                f"{other.person}, {self.term(kind, other.columns, 1)}",
            )
            condition = f"{pairs[0]} {self.one('IN', 'NOT IN')} (SELECT {pairs[1]} FROM {other.sql} WHERE {tested})"
        more = f" {self.one('AND', 'AND', 'OR')} {self.test(below.columns, 1)}" if self.random.random() < 0.4 else ""
        kinds = self.kinds(below)
        return self.placed(self.shown(below, kinds, 1), kinds, f"FROM {below.sql} WHERE {condition}{more}")

    def correlated(self, depth: int) -> Rows:
        """A column that a subquery computes of the same person's rows."""
        below, other, kind = (
            self.rows(depth - 1),
            self.rows(self.random.randint(0, depth - 1)),
            self.one("int", "double", "text"),
        )
        where = self.tie(other, below)
        where += f" AND {self.test(below.columns + other.columns, 1)}" if self.random.random() < 0.5 else ""
        kinds = self.kinds(below, 1, 2)
        value = f"(SELECT {self.aggregate(other.columns, kind)} FROM {other.sql} WHERE {where})"
        shown = f"{self.shown(below, kinds, 1)}, {value} AS c{len(kinds)}"
        return self.placed(shown, [*kinds, kind], f"FROM {below.sql}{self.where(below, 0.3)}")

    def extreme_rows(self, depth: int) -> Rows:
        """Rows that have the greatest or least value of their person."""
        below, other = self.rows(depth - 1), self.scan(self.one(*self.people))
        kind = self.one("int", "double", "stamp", "text")
        value = f"(SELECT {self.one('MIN', 'MAX')}({self.term(kind, other.columns, 1)}) FROM {other.sql} WHERE {self.tie(other, below)})"
        kinds = self.kinds(below)
        condition = f"{self.term(kind, below.columns, 1)} {self.one('=', '<', '>=')} {value}"
        return self.placed(self.shown(below, kinds, 1), kinds, f"FROM {below.sql} WHERE {condition}")

    # releases

    def measure(self, below: Rows) -> str:
        """Draw an aggregate of many people's rows."""
        columns = below.columns
        form = self.random.random()
        if form < 0.2:
            text = "COUNT(*)"
        elif form < 0.4:
            text = f"COUNT(DISTINCT {below.person})"
        elif form < 0.5:
            text = f"COUNT({self.term(self.one('int', 'text', 'double', 'texts'), columns)})"
        elif form < 0.6:
            text = f"COUNT(DISTINCT {self.term(self.one('int', 'text', 'double', 'date', 'stamp'), columns)})"
        else:
            value = self.term(self.one("int", "double"), columns)
            how = self.one("SUM", "AVG", "SUM", "AVG", "VAR_SAMP", "MEDIAN", "QUANTILE_CONT")
            value = f"LEAST(GREATEST({value}, {self.one('0', '-3', '0.5')}), {self.one('5', '1000', '1e6')})"
            text = f"{how}({value}{', 0.9' if how == 'QUANTILE_CONT' else ''})"
        return text + (f" FILTER (WHERE {self.test(columns, 1)})" if self.random.random() < 0.2 else "")

    def question(self) -> str:
        """Draw a question."""
        below = self.rows(self.random.choice((1, 1, 2, 2, 3)))
        keys = [self.term(kind, below.columns, self.random.choice((0, 1, 2))) for kind in self.kinds(below, 0, 2)]
        keys = [key for key in keys if not re.fullmatch(r"(NULL|TRUE|FALSE|[-\d.]+)", key)]
        measures = [self.measure(below) for _ in range(self.random.randint(1, 3))]
        clause = self.one(
            "",
            "",
            "",
            "max_groups_contributed = 1",
            "max_rows_contributed = 2",
            *(["keys = 'private'", "keys = 'private', others = true"] if keys else []),
        )
        clause = f"WITH DIFFERENTIAL_PRIVACY OPTIONS({clause}) " if clause else ""
        by = f" GROUP BY {', '.join(map(str, range(1, len(keys) + 1)))}" if keys else ""
        ctes = f"WITH {', '.join(self.ctes)} " if self.ctes else ""
        return f"{ctes}SELECT {clause}{', '.join([*keys, *measures])} FROM {below.sql}{self.where(below, 0.4)}{by}"


@cache
def _by_form(kind: str, arguments: frozenset[str]) -> tuple[tuple[Sample, ...], ...]:
    """Samples of each form with a result of a kind, whose columns are of some kinds."""
    found: dict[str, list[Sample]] = {}
    for sample in _samples_by_result().get(kind, ()):
        if all(of in arguments for of in sample.kinds if isinstance(of, str)):
            found.setdefault(f"{sample.form.name} {sample.form.argument_kinds}", []).append(sample)
    return tuple(tuple(each) for each in found.values())
