"""Canonical form: one text for all equivalent spellings of a query, which replay and prices are looked up by.

Invariant to aliases, whitespace, CTE or derived table, and the order of conjuncts, of the sides of a comparison, of
keys and of aggregates. Everything that can change a value is part of the text (`proofs.md#canonical-text`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.relations import (
    Cut,
    Distinct,
    Filter,
    Frame,
    Group,
    Join,
    Measure,
    Padded,
    Project,
    Relation,
    Scan,
    SemiJoin,
    Series,
    SetOperation,
    Sort,
    Values,
    Window,
    WindowCall,
)
from dialect.algebra.traversal import told_apart_by
from dialect.functions.inference import vanishes
from dialect.functions.registry import function

_LONG = 160  # characters; longer parts are replaced by a digest
_MIRROR = {">": "<", ">=": "<="}
_EITHER_WAY = {"and", "or", "=", "<>", "is distinct from", "is not distinct from"}


@dataclass
class Canon:
    """Canonical texts of the fields of one relation, collected while it is traversed."""

    names: dict[str, str] = field(default_factory=dict)
    solid: set[str] = field(default_factory=set)  # computed fields that can be non-NULL on NULL input
    scans: int = 0
    conjuncts: dict[str, Expr] = field(default_factory=dict)  # text -> conjunct of a filter or inner join

    def relation(self, relation: Relation) -> str:
        """Canonical text of a relation, with its conjuncts pulled up as far as the meaning allows and sorted."""
        structure, conditions = self.parts(relation)
        return f"{structure} where {' and '.join(conditions)}" if conditions else structure

    def parts(self, relation: Relation) -> tuple[str, list[str]]:
        """Canonical text of a relation without its outermost conjuncts, and the sorted texts of these.

        `conjuncts` maps each of these texts to its expression.
        """
        structure, conditions = self._walk(relation)
        return structure, sorted(set(conditions))

    def expr(self, expr: Expr) -> str:
        """Canonical text of an expression over the fields traversed so far."""
        if isinstance(expr, Ref):
            return self.names[expr.field.id]
        if isinstance(expr, Literal):
            return f"{expr.type.lower()} {expr.value!r}"
        if isinstance(expr, Case):
            branches = " ".join(f"when {self.expr(test)} then {self.expr(value)}" for test, value in expr.branches)
            return _short(f"case {branches} else {self.expr(expr.otherwise)} end")
        return _short(self._call(expr))

    def _call(self, expr: Call) -> str:
        name = function(expr.function).name
        parts = [self.expr(argument) for argument in expr.arguments]
        if name in _MIRROR:
            name, parts = _MIRROR[name], parts[::-1]
        if name in _EITHER_WAY:
            parts = sorted(parts)
        if name == "in":
            parts = [parts[0], *sorted(set(parts[1:]))]
        return f"{name}({', '.join(parts)})"

    def _walk(self, relation: Relation) -> tuple[str, list[str]]:
        operator = relation.operator
        if isinstance(operator, Filter):
            structure, conditions = self._walk(operator.source)
            return structure, conditions + self._conditions(conjuncts(operator.condition))
        if isinstance(operator, Project):
            walked = self._walk(operator.source)
            for made, value in operator.computed:
                self.names[made.id] = self.expr(value)
                if not vanishes(value) or any(f.id in self.solid for f in fields_of(value)):
                    self.solid.add(made.id)
            return walked
        if isinstance(operator, Join):
            return self._join(operator)
        if isinstance(operator, SemiJoin):
            return self._semi_join(operator)
        return self._leaf(relation), []

    def _join(self, join: Join) -> tuple[str, list[str]]:
        if join.how == "full":
            return self._full_join(join), []
        left, left_conditions = self._walk(join.left)
        if join.how == "left":
            right = self.relation(join.right)
            self._extend(join.right)
            on = " and ".join(sorted({self.expr(part) for part in conjuncts(join.condition)}))
            return f"({left} left join ({right}) on {on})", left_conditions
        right, right_conditions = self._walk(join.right)
        met = (part for part in conjuncts(join.condition) if part != Literal(True, part.type))
        return f"({left}, {right})", left_conditions + right_conditions + self._conditions(met)

    def _conditions(self, parts: Iterable[Expr]) -> list[str]:
        self.conjuncts |= (made := {self.expr(part): part for part in parts})
        return list(made)

    def _full_join(self, join: Join) -> str:
        left, right = self.relation(join.left), self.relation(join.right)
        self._extend(join.left)
        self._extend(join.right)
        on = " and ".join(sorted({self.expr(part) for part in conjuncts(join.condition)}))
        return f"(({left}) full join ({right}) on {on})"

    def _semi_join(self, join: SemiJoin) -> tuple[str, list[str]]:
        left, left_conditions = self._walk(join.left)
        right, conditions = self._walk(join.right)
        on = " and ".join(sorted({*conditions, *(self.expr(part) for part in conjuncts(join.condition))}))
        return f"({left} {'anti' if join.anti else 'semi'} join ({right}) on {on})", left_conditions

    def _extend(self, right: Relation) -> None:
        """Rename computed right-side values that can be non-NULL on NULL input.

        Computed below the outer join, such a value is NULL where nothing matched; computed above, it is not.
        """
        self.scans += 1
        self.names.update({f.id: f"from{self.scans}({self.names[f.id]})" for f in right.fields if f.id in self.solid})

    def _leaf(self, relation: Relation) -> str:
        operator = relation.operator
        if isinstance(operator, Scan):
            return self._scan(operator)
        if isinstance(operator, Values):
            rows = [[cell.value for cell in row] for row in operator.rows]
            return self._named(operator.fields, f"values {[f.type.value for f in operator.fields]!r} {rows!r}")
        if isinstance(operator, Series):
            ends = f"{self.expr(operator.lower)} to {self.expr(operator.upper)}"
            return self._named((operator.field,), f"series {ends} step {operator.step}")
        if isinstance(operator, Cut | Padded | Distinct | Sort | Group):
            return self._over(operator, self.relation(operator.source))
        if isinstance(operator, SetOperation):
            return self._set_operation(operator)
        if isinstance(operator, Window):
            return self._window(operator)
        raise TypeError(f"{type(operator).__name__} has no canonical text below a release")

    def _over(self, operator: Cut | Padded | Distinct | Sort | Group, source: str) -> str:
        if isinstance(operator, Cut):
            each = "" if operator.window is None else f" in each {self.names[operator.window.id]}"
            return f"cut({source}; {self._row(operator.source)}; {operator.max_rows}{each})"
        if isinstance(operator, Padded):
            return f"padded({source})"
        if isinstance(operator, Distinct):
            return f"distinct({source}; {', '.join(sorted(self.names[f.id] for f in operator.keys))})"
        if isinstance(operator, Sort):
            terms = [f"{self.expr(key.expr)} {key.descending} {key.nulls_first}" for key in operator.order]
            ties = self._row(operator.source)
            return f"sorted({source}; {', '.join(terms)}; {ties}; {operator.limit} from {operator.offset})"
        return self._group(operator, source)

    def _row(self, source: Relation) -> str:
        """Canonical names of the fields that identify a row, in order: they break ties."""
        return ", ".join(self.names[f.id] for f in told_apart_by(source.fields))

    def _set_operation(self, operation: SetOperation) -> str:
        texts = []
        for side, place in ((operation.left, 0), (operation.right, 1)):
            rows = self.relation(side)
            texts.append(f"({rows}; {', '.join(self.names[columns[place].id] for columns in operation.columns)})")
        word = operation.how if operation.distinct else f"{operation.how} all"
        return self._named(tuple(made for *_, made in operation.columns), f"{texts[0]} {word} {texts[1]}")

    def _scan(self, scan: Scan) -> str:
        self.scans += 1
        label = f"{scan.table.name}#{self.scans}"
        self.names.update({f.id: f"{label}.{f.origin.column if f.origin else f.name}" for f in scan.fields})
        return label

    def _named(self, fields: tuple[Field, ...], text: str) -> str:
        self.scans += 1
        label = f"list#{self.scans}"
        self.names.update({f.id: f"{label}.{position}" for position, f in enumerate(fields)})
        return f"{label}[{_short(text)}]"

    def _group(self, group: Group, source: str) -> str:
        keys = sorted(self.names[f.id] for f in group.keys)
        texts = {m.field.id: self.measure(m) for m in group.measures}
        self.scans += 1
        label = f"group#{self.scans}"
        self.names.update({id_: f"{label}.{text}" for id_, text in texts.items()})
        return f"{label}({source}; {', '.join(keys)}; {', '.join(sorted(texts.values()))})"

    def _window(self, window: Window) -> str:
        source, row = self.relation(window.source), self._row(window.source)
        texts = {call.field.id: self._windowed(call) for call in window.calls}
        self.scans += 1
        label = f"window#{self.scans}"
        self.names.update({id_: f"{label}.{text}" for id_, text in texts.items()})
        return f"{label}({source}; {row}; {', '.join(sorted(texts.values()))})"

    def _windowed(self, call: WindowCall) -> str:
        parts = [*map(self.expr, call.arguments), *(["ignore nulls"] if call.ignore_nulls else [])]
        where = f" filter {self.expr(call.condition)}" if call.condition is not None else ""
        by = ", ".join(sorted({self.expr(part) for part in call.partition}))
        order = ", ".join(f"{self.expr(key.expr)} {key.descending} {key.nulls_first}" for key in call.order)
        return _short(f"{call.function}({', '.join(parts)}){where} over ({by}; {order}; {self._frame(call.frame)})")

    def _frame(self, frame: Frame | None) -> str:
        if frame is None:
            return ""
        ends = [f"{e.side} {self.expr(e.offset) if e.offset is not None else ''}" for e in (frame.start, frame.end)]
        return f"{frame.unit} {' to '.join(ends)}"

    def measure(self, measure: Measure) -> str:
        """Canonical text of an aggregate call."""
        parts = ", ".join(self.expr(argument) for argument in measure.arguments)
        parts += "".join(f" {each.descending} {each.nulls_first}" for each in measure.directions)
        where = f" filter {self.expr(measure.condition)}" if measure.condition is not None else ""
        return _short(f"{measure.function}({parts}){where}")


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text.partition('(')[0][:20]}~{sha256(text.encode()).hexdigest()}"
