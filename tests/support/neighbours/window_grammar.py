"""Questions over privacy windows drawn from the whole dialect: relations in relations, days carried along or lost.

A column of kind `day` has the day of its row, whatever was joined or grouped since; other terms may mix windows.
"""

from __future__ import annotations

from random import Random

from dialect.catalog.privacy_windows import PrivacyWindow, next_window_start
from tests.support.greybox.greybox_grammar import Column, Drawn, Rows
from tests.support.neighbours.window_worlds import VICTIM, WINDOW_COUNT, Data, Row, begins

TABLES = {
    "visit": {
        "person_id": ("person", ""), "began": ("stamp", ""), "day": ("day", ""), "place": ("int", ""), "steps": ("int", ""),
        "dwell": ("double", ""), "tag": ("text", ""),
    },
    "seen": {"person_id": ("person", ""), "place": ("int", "")},
    "person": {"person_id": ("person", ""), "zone": ("text", ""), "home": ("text", "")},
    "leg": {"person_id": ("person", ""), "place": ("int", ""), "steps": ("int", "")},
    "point": {"person_id": ("person", ""), "began": ("stamp", ""), "place": ("int", "")},
    "place": {"place": ("int", ""), "sort": ("text", "")},
}  # fmt: skip
PEOPLE = ("visit", "visit", "visit", "seen", "seen", "person", "leg", "point")
CLOCKS = {"visit": "began", "seen": "ts", "point": "began"}


class WindowedDrawn(Drawn):
    """A generator of questions over tables with privacy windows."""

    def __init__(self, random: Random, window: PrivacyWindow) -> None:
        super().__init__(random, TABLES, PEOPLE, "place")
        self.unit = str(window)
        starts = begins(window)
        self.days = (*starts, *(next_window_start(window, each) for each in starts[-1:]))

    def scan(self, table: str) -> Rows:
        """Scan a table, with the day of its clock."""
        made = super().scan(table)
        if table not in CLOCKS:
            return made
        clock = f"{made.sql.rpartition(' ')[2]}.{CLOCKS[table]}"
        day = self.one(f"CAST({clock} AS DATE)", f"date_trunc('{self.unit}', {clock})", f"date_trunc('day', {clock})")
        kind = "day" if day.startswith("CAST") else "stamp"
        clocks = (Column(f"CAST({clock} AS DATE)", "day"), Column(day, kind))
        return Rows(made.sql, made.columns + clocks, made.person)

    def term(self, kind: str, columns: tuple[Column, ...], depth: int = 2) -> str:
        """Draw an expression; a day is carried, or lost for some date."""
        days = [each.sql for each in columns if each.kind == "day"]
        if kind == "day" or (kind == "date" and days and self.random.random() < 0.5):
            if days and self.random.random() < 0.95:
                return self.random.choice(days)
            kind = "date"
        if kind == "bool" and days and self.random.random() < 0.4:
            return self.dated(self.random.choice(days))
        return super().term(kind, columns, min(depth, 1))

    def dated(self, day: str) -> str:
        """Draw a condition on a day."""
        first, second = sorted((self.random.choice(self.days), self.random.choice(self.days)))
        return self.one(
            f"({day} >= DATE '{first}')", f"({day} < DATE '{second}')", f"({day} BETWEEN DATE '{first}' AND DATE '{second}')",
            f"({day} = DATE '{first}')", f"({day} IN (DATE '{first}', DATE '{second}'))", f"(NOT ({day} < DATE '{first}'))",
            f"(date_trunc('{self.unit}', {day}) = DATE '{first}')", f"({day} <> DATE '{second}')",
            f"(month({day}) = {first.month})", f"({day} + 1 > DATE '{first}')",
        )  # fmt: skip

    def same_day(self, left: Rows, right: Rows) -> str:
        """Equate the days of two relations, or their windows; empty where one has none."""
        mine, theirs = ([each.sql for each in rows.columns if each.kind == "day"] for rows in (left, right))
        if not mine or not theirs or self.random.random() < 0.25:
            return ""
        one, other = self.random.choice(mine), self.random.choice(theirs)
        window = f"date_trunc('{self.unit}', {{}})"
        form = self.one(
            "{0} = {1}", "{0} = {1}", f"{window.format('{0}')} = {window.format('{1}')}", "{0} <= {1}", "{0} + 1 = {1}"
        )
        return f" AND {form.format(one, other)}"

    def kinds(self, below: Rows, least: int = 1, most: int = 4) -> list[str]:
        """Draw kinds of columns, a day among them more often than not."""
        drawn = super().kinds(below, least, most)
        has_day = any(each.kind == "day" for each in below.columns)
        return [*drawn, "day"] if has_day and "day" not in drawn and self.random.random() < 0.75 else drawn

    def pair(self, left: Rows, right: Rows) -> Rows:
        """Join two relations of people on the person, and perhaps on the day."""
        right = self.simple(right)
        made = super().pair(left, right)
        return Rows(made.sql + self.same_day(left, right), made.columns, made.person)

    def over(self, below: Rows) -> str:
        """Draw a window clause of one person, and perhaps one day."""
        written, days = super().over(below), [each.sql for each in below.columns if each.kind == "day"]
        if not days or self.random.random() < 0.3:
            return written
        by = self.one("{}", f"date_trunc('{self.unit}', {{}})").format(self.random.choice(days))
        return written.replace(f"PARTITION BY {below.person}", f"PARTITION BY {below.person}, {by}", 1)

    def tie(self, other: Rows, below: Rows) -> str:
        """Correlate a subquery on the person, and perhaps on the day."""
        return super().tie(other, below) + self.same_day(other, below)


def drawn_data(random: Random) -> Data:
    """Draw a database: the victim in several windows, and two others."""
    counts = {VICTIM: random.randint(2, 9), 1: random.randint(0, 4), 2: random.randint(0, 4)}
    return Data(tuple(_row(random, person) for person, rows in counts.items() for _ in range(rows)))


def _row(random: Random, person: int) -> Row:
    """Draw a row of a person: in a window, or without time (-1), before all windows (-2), of a wrong date (-3)."""
    window = random.choice((*range(WINDOW_COUNT), *range(WINDOW_COUNT), -1, -2, -3))
    minutes, dwell = random.choice((0, 0, 5, 600, 1_400, -1, -5)), random.choice((0.0, 10.0, 90.0, 1e9))
    steps, tag = random.choice((-5, 0, 3, 20, 99)), random.choice(("x", "y", "z", f"own{person}"))
    return Row(person, window, minutes, random.randint(1, 3), steps, dwell, tag)
