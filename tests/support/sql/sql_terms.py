"""Generated row expressions: typed templates, so that most of them are accepted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.sql.sql_data import BOOL, DATE, DOUBLE, INT, TEXT, TIME

# <int> stands for an expression of that kind, <=int> for a constant, <a|b> for one of the texts between the bars
_HOLE = re.compile(r"<(=?)([^<>]+)>")
_SIGN = "<eq|ne|lt|le|gt|ge>"
_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_STEP = "<2|3|7>"

CONSTANTS = {
    INT: ("0", "1", "2", "3", "-1", "5", "12"),
    DOUBLE: ("0.5", "1.5", "-2.25", "0.0", "7.25", "1e2"),
    TEXT: ("'a'", "'b'", "'B b'", "''", "'o''k'", "'zz'"),
    DATE: ("DATE '2026-02-28'", "DATE '2026-03-01'", "CAST('2026-01-15' AS DATE)"),
    TIME: ("TIMESTAMP '2026-03-01 00:00:00'", "TIMESTAMP '2026-02-28 12:30:00'"),
    BOOL: ("TRUE", "FALSE"),
}
TEMPLATES = {
    INT: (
        "(<int> + <int>)", "(<int> - <int>)", "(<int> * <int>)", f"(<int> // {_STEP})", f"(<int> % {_STEP})", "(- <int>)",
        "abs(<int>)", "sign(<int>)", "length(<text>)", "hour(<time>)", "month(<date>)", "isodow(<date>)",
        "date_diff('<day|week|month>', <date>, <date>)", "CAST(<bool> AS BIGINT)", "extract(day FROM <time>)",
        "CAST(round(<double>) AS BIGINT)", "(<int> // nullif(<int>, 0))", "round(<int>)", "dayofyear(<date>)",
    ),
    DOUBLE: (
        "(<double> + <double>)", "(<double> - <double>)", "(<double> * <=double>)", "(<double> / <2|4|0.5>)",
        "abs(<double>)", "floor(<double>)", "ceil(<double>)", "CAST(<int> AS DOUBLE)", "(<int> / <2|4|8>)",
        "(<double> + <int>)", "(- <double>)", "trunc(<double>)",
    ),
    TEXT: (
        "lower(<text>)", "upper(<text>)", "(<text> || <text>)", "substr(<text>, <1|2>, 1)", "left(<text>, <1|2>)",
        "right(<text>, <1|2>)", "trim(<text>)", "CAST(<int> AS VARCHAR)", "concat(<text>, <text>)", "dayname(<date>)",
    ),
    DATE: ("CAST(<time> AS DATE)", "(<date> + <0|1|31>)", "(<date> - <1|7>)"),
    TIME: (
        "date_trunc('<hour|day|week|month>', <time>)", "(<time> + INTERVAL <0|1|90> MINUTE)", "(<time> - INTERVAL 1 DAY)",
        "time_bucket(INTERVAL <15 MINUTE|6 HOUR|1 DAY>, <time>)",
    ),
    BOOL: (
        *(f"(<{kind}> {_SIGN} <{kind}>)" for kind in (INT, DOUBLE, TEXT, DATE, TIME)),
        *(f"(<{kind}> {_SIGN} <={kind}>)" for kind in (INT, DOUBLE, TEXT, DATE, TIME)),
        *(f"(<{kind}> <|NOT >IN (<={kind}>, <={kind}>))" for kind in (INT, TEXT, DATE)),
        *(f"(<{kind}> <|NOT >BETWEEN <={kind}> AND <={kind}>)" for kind in (INT, DOUBLE, TEXT, DATE, TIME)),
        *(f"(<{kind}> IS <|NOT >NULL)" for kind in (INT, DOUBLE, TEXT, DATE, TIME, BOOL)),
        *(f"(<{kind}> IS <|NOT >DISTINCT FROM <{kind}>)" for kind in (INT, TEXT, BOOL)),
        "(<bool> AND <bool>)", "(<bool> AND <bool>)", "(<bool> OR <bool>)", "(NOT <bool>)", "(<bool> IS <|NOT >TRUE)",
        "(<text> <|NOT >LIKE '<a%|%b|_|%>')", "starts_with(<text>, 'a')", "contains(<text>, 'b')",
    ),
}  # fmt: skip
FOR_EVERY_KIND = (
    "coalesce(<{0}>, <{0}>)",
    "nullif(<{0}>, <={0}>)",
    "CASE WHEN <bool> THEN <{0}> ELSE <{0}> END",
    "CASE WHEN <bool> THEN <{0}> END",
    "CASE WHEN <bool> THEN <={0}> WHEN <bool> THEN <={0}> ELSE <{0}> END",
)
ORDERED = ("least(<{0}>, <{0}>)", "greatest(<{0}>, <={0}>)")


@dataclass(frozen=True)
class Name:
    """A column available to queries."""

    sql: str
    kind: str
    bounded: bool = False  # its range is known
    listed: bool = False  # its values are public


@dataclass(frozen=True)
class Terms:
    """Generator of expressions over the columns in scope."""

    draw: st.DrawFn
    names: Sequence[Name]
    instants: bool = False  # a TIME column is an instant, whose arithmetic plain DuckDB does on another clock

    def pick(self, options: Sequence[str]) -> str:
        """Draw one of some texts."""
        return self.draw(st.sampled_from(options))

    def number(self, most: int) -> int:
        """Draw a small number."""
        return self.draw(st.integers(0, most))

    def term(self, kind: str, depth: int = 2) -> str:
        """Draw an expression of a type."""
        columns = [name.sql for name in self.names if name.kind == kind]
        form = self.number(9) if depth else 0
        if form <= 5 and columns:
            return self.pick(columns)
        if not depth:
            return self.pick(CONSTANTS[kind])
        if form == 6:
            every = FOR_EVERY_KIND + (ORDERED if kind != BOOL else ())
            return self.filled(self.pick(every).format(kind), depth - 1)
        if kind == TIME and self.instants:
            return self.filled("date_trunc('day', <date>)", depth - 1)
        return self.filled(self.pick(TEMPLATES[kind]), depth - 1)

    def test(self, depth: int = 1) -> str:
        """Draw a condition."""
        return self.filled(self.pick(TEMPLATES[BOOL]), depth)

    def filled(self, template: str, depth: int) -> str:
        """Fill every placeholder of a template."""

        def hole(found: re.Match[str]) -> str:
            constant, what = found[1], found[2]
            if constant:
                return self.pick(CONSTANTS[what])
            if "|" in what:
                chosen = self.pick(what.split("|"))
                return _SIGNS.get(chosen, chosen)
            return self.term(what, depth)

        return _HOLE.sub(hole, template)
