"""Canonical form: one text for all equivalent spellings of a query, which replay and prices are looked up by.

Invariant to aliases, whitespace, CTE or derived table, and the order of conjuncts, of the sides of a comparison, of
keys and of aggregates. Everything that can change a value is part of the text (`proofs.md#canonical-text`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.relations import identifying_fields
from dialect.functions.registry import is_null_if_inputs_null

_MAX_PART_LENGTH = 160  # characters; longer parts are replaced by a digest
_FLIPPED = {">": "<", ">=": "<="}
_COMMUTATIVE = {"and", "or", "=", "<>", "is distinct from", "is not distinct from"}


@dataclass
class CanonicalForm:
    """Canonical texts of the fields of one relation, collected while it is traversed.

    `names` maps field ids to canonical texts; a field must be traversed before an expression that reads it. `counter`
    numbers scans, lists, groups, windows and outer joins in the order of the traversal, so that each has texts of its
    own.
    """

    names: dict[str, str] = field(default_factory=dict)
    non_null_on_null: set[str] = field(default_factory=set)  # computed fields that can be non-NULL on NULL input
    counter: int = 0
    conjuncts: dict[str, Expr] = field(default_factory=dict)  # text -> conjunct of a filter or inner join

    def relation_text(self, relation: rel.Relation) -> str:
        """Canonical text of a relation, its conjuncts pulled up wherever the meaning allows, and sorted."""
        structure, conditions = self.structure_and_conjuncts(relation)
        return f"{structure} where {' and '.join(conditions)}" if conditions else structure

    def structure_and_conjuncts(self, relation: rel.Relation) -> tuple[str, list[str]]:
        """Canonical text of a relation without its outermost conjuncts, and the sorted texts of these.

        `conjuncts` maps each of these texts to its expression.
        """
        structure, conditions = self._structure_and_conjuncts(relation)
        return structure, sorted(set(conditions))

    def expression_text(self, expr: Expr) -> str:
        """Canonical text of an expression over the fields traversed so far."""
        if isinstance(expr, Ref):
            return self.names[expr.field.id]
        if isinstance(expr, Literal):
            return f"{expr.type.lower()} {expr.value!r}"
        if isinstance(expr, Case):
            branches = " ".join(
                f"when {self.expression_text(test)} then {self.expression_text(value)}" for test, value in expr.branches
            )
            return _shortened(f"case {branches} else {self.expression_text(expr.otherwise)} end")
        return _shortened(self._call_text(expr))

    def _call_text(self, expr: Call) -> str:
        """Text of a call: commutative operands and the values of IN are sorted, and `a > b` is written as `b < a`."""
        name = expr.name
        parts = [self.expression_text(argument) for argument in expr.arguments]
        if name in _FLIPPED:
            name, parts = _FLIPPED[name], parts[::-1]
        if name in _COMMUTATIVE:
            parts = sorted(parts)
        if name == "in":
            parts = [parts[0], *sorted(set(parts[1:]))]
        return f"{name}({', '.join(parts)})"

    def _structure_and_conjuncts(self, relation: rel.Relation) -> tuple[str, list[str]]:
        """Text of a relation without the conjuncts that may be pulled up, and the texts of these, unsorted.

        Conjuncts are pulled up from where they filter the whole result: from filters, inner joins, and left sides of
        other joins. A projection has no text of its own, as each computed field is named by its expression.
        """
        operator = relation.operator
        if isinstance(operator, rel.Filter):
            structure, conditions = self._structure_and_conjuncts(operator.source)
            return structure, conditions + self._conjunct_texts(conjuncts(operator.condition))
        if isinstance(operator, rel.Project):
            walked = self._structure_and_conjuncts(operator.source)
            for field, value in operator.computed:
                self.names[field.id] = self.expression_text(value)
                if not is_null_if_inputs_null(value) or any(f.id in self.non_null_on_null for f in fields_of(value)):
                    self.non_null_on_null.add(field.id)
            return walked
        if isinstance(operator, rel.Join):
            return self._join_text(operator)
        if isinstance(operator, rel.SemiJoin):
            return self._semi_join_text(operator)
        return self._operator_text(relation), []

    def _join_text(self, join: rel.Join) -> tuple[str, list[str]]:
        """Structure and pulled-up conjuncts of a join.

        Both sides and the condition of an inner join yield conjuncts. Of a left join only the left side does: the other
        conditions decide whether a left row finds a match, not whether it is in the result, and stay in the text.
        """
        if join.kind == "full":
            return self._full_join_text(join), []
        left, left_conditions = self._structure_and_conjuncts(join.left)
        if join.kind == "left":
            right = self.relation_text(join.right)
            self._rename_null_extended(join.right)
            on = " and ".join(sorted({self.expression_text(part) for part in conjuncts(join.condition)}))
            return f"({left} left join ({right}) on {on})", left_conditions
        right, right_conditions = self._structure_and_conjuncts(join.right)
        inner_conjuncts = (part for part in conjuncts(join.condition) if part != Literal(True, part.type))
        return f"({left}, {right})", left_conditions + right_conditions + self._conjunct_texts(inner_conjuncts)

    def _conjunct_texts(self, parts: Iterable[Expr]) -> list[str]:
        """Texts of conjuncts, without duplicates; records the expression of each in `conjuncts`."""
        self.conjuncts |= (by_text := {self.expression_text(part): part for part in parts})
        return list(by_text)

    def _full_join_text(self, join: rel.Join) -> str:
        """Text of a full join. No conjunct is pulled up, as rows without a match stay in the result."""
        left, right = self.relation_text(join.left), self.relation_text(join.right)
        self._rename_null_extended(join.left)
        self._rename_null_extended(join.right)
        on = " and ".join(sorted({self.expression_text(part) for part in conjuncts(join.condition)}))
        return f"(({left}) full join ({right}) on {on})"

    def _semi_join_text(self, join: rel.SemiJoin) -> tuple[str, list[str]]:
        """Structure and pulled-up conjuncts of a semi-join: only those of the left side filter the whole result."""
        left, left_conditions = self._structure_and_conjuncts(join.left)
        right, conditions = self._structure_and_conjuncts(join.right)
        on = " and ".join(sorted({*conditions, *(self.expression_text(part) for part in conjuncts(join.condition))}))
        return f"({left} {'anti' if join.is_anti else 'semi'} join ({right}) on {on})", left_conditions

    def _rename_null_extended(self, right: rel.Relation) -> None:
        """Rename computed right-side values that can be non-NULL on NULL input.

        Computed below the outer join, such a value is NULL where nothing matched; computed above, it is not.
        """
        self.counter += 1
        self.names.update(
            {f.id: f"from{self.counter}({self.names[f.id]})" for f in right.fields if f.id in self.non_null_on_null}
        )

    def _operator_text(self, relation: rel.Relation) -> str:
        """Text of any operator but filters, projections and joins; records the names of its output fields.

        Raises TypeError for operators that exist only above releases.
        """
        operator = relation.operator
        if isinstance(operator, rel.Scan):
            return self._scan_text(operator)
        if isinstance(operator, rel.Values):
            rows = [[cell.value for cell in row] for row in operator.rows]
            return self._constant_relation_text(
                operator.fields, f"values {[f.type.value for f in operator.fields]!r} {rows!r}"
            )
        if isinstance(operator, rel.Series):
            ends = f"{self.expression_text(operator.lower)} to {self.expression_text(operator.upper)}"
            return self._constant_relation_text((operator.field,), f"series {ends} step {operator.step}")
        if isinstance(operator, rel.RowTruncation | rel.NullRowPadded | rel.Distinct | rel.Sort | rel.Group):
            return self._unary_operator_text(operator, self.relation_text(operator.source))
        if isinstance(operator, rel.SetOperation):
            return self._set_operation_text(operator)
        if isinstance(operator, rel.Window):
            return self._window_text(operator)
        raise TypeError(f"{type(operator).__name__} has no canonical text below a release")

    def _unary_operator_text(
        self, operator: rel.RowTruncation | rel.NullRowPadded | rel.Distinct | rel.Sort | rel.Group, source: str
    ) -> str:
        """Text of an operator with a single source; `source` is the text of that source.

        Stored releases are looked up by these texts, so that old words in them (`cut` for row truncation) must stay.
        """
        if isinstance(operator, rel.RowTruncation):
            each = "" if operator.window is None else f" in each {self.names[operator.window.id]}"
            return f"cut({source}; {self._row_identity(operator.source)}; {operator.max_rows}{each})"
        if isinstance(operator, rel.NullRowPadded):
            return f"padded({source})"
        if isinstance(operator, rel.Distinct):
            return f"distinct({source}; {', '.join(sorted(self.names[f.id] for f in operator.keys))})"
        if isinstance(operator, rel.Sort):
            terms = [f"{self.expression_text(key.expr)} {key.descending} {key.nulls_first}" for key in operator.order]
            ties = self._row_identity(operator.source)
            return f"sorted({source}; {', '.join(terms)}; {ties}; {operator.limit} from {operator.offset})"
        return self._group_text(operator, source)

    def _row_identity(self, source: rel.Relation) -> str:
        """Canonical names of the fields that identify a row, in order: they break ties."""
        return ", ".join(self.names[f.id] for f in identifying_fields(source.fields))

    def _set_operation_text(self, operation: rel.SetOperation) -> str:
        """Text of a set operation: each side with its compared columns in order. Outputs are named by position."""
        texts = []
        for side, place in ((operation.left, 0), (operation.right, 1)):
            rows = self.relation_text(side)
            texts.append(f"({rows}; {', '.join(self.names[columns[place].id] for columns in operation.columns)})")
        word = operation.kind if operation.is_distinct else f"{operation.kind} all"
        return self._constant_relation_text(
            tuple(output for *_, output in operation.columns), f"{texts[0]} {word} {texts[1]}"
        )

    def _scan_text(self, scan: rel.Scan) -> str:
        """Text of a numbered scan, which keeps two scans of one table apart; names its fields by number and column."""
        self.counter += 1
        label = f"{scan.table.name}#{self.counter}"
        self.names.update({f.id: f"{label}.{f.origin.column if f.origin else f.name}" for f in scan.fields})
        return label

    def _constant_relation_text(self, fields: tuple[Field, ...], text: str) -> str:
        """Text of a numbered list, series or set operation; names its fields by number and position."""
        self.counter += 1
        label = f"list#{self.counter}"
        self.names.update({f.id: f"{label}.{position}" for position, f in enumerate(fields)})
        return f"{label}[{_shortened(text)}]"

    def _group_text(self, group: rel.Group, source: str) -> str:
        """Text of a GROUP BY, with keys and aggregates sorted; names the aggregates, as keys keep their names."""
        keys = sorted(self.names[f.id] for f in group.keys)
        texts = {m.result.id: self.aggregate_text(m) for m in group.aggregates}
        self.counter += 1
        label = f"group#{self.counter}"
        self.names.update({id_: f"{label}.{text}" for id_, text in texts.items()})
        return f"{label}({source}; {', '.join(keys)}; {', '.join(sorted(texts.values()))})"

    def _window_text(self, window: rel.Window) -> str:
        """Text of window calls, sorted, with the fields that break ties; names the result of each call."""
        source, row = self.relation_text(window.source), self._row_identity(window.source)
        texts = {call.result.id: self._window_call_text(call) for call in window.calls}
        self.counter += 1
        label = f"window#{self.counter}"
        self.names.update({id_: f"{label}.{text}" for id_, text in texts.items()})
        return f"{label}({source}; {row}; {', '.join(sorted(texts.values()))})"

    def _window_call_text(self, call: rel.WindowCall) -> str:
        """Text of one window call: arguments, FILTER, sorted partition, order and frame."""
        parts = [*map(self.expression_text, call.arguments), *(["ignore nulls"] if call.ignore_nulls else [])]
        where = f" filter {self.expression_text(call.condition)}" if call.condition is not None else ""
        by = ", ".join(sorted({self.expression_text(part) for part in call.partition}))
        order = ", ".join(f"{self.expression_text(key.expr)} {key.descending} {key.nulls_first}" for key in call.order)
        return _shortened(
            f"{call.function}({', '.join(parts)}){where} over ({by}; {order}; {self._frame_text(call.frame)})"
        )

    def _frame_text(self, frame: rel.Frame | None) -> str:
        """Text of a window frame, its unit and both ends; empty if the call has no frame."""
        if frame is None:
            return ""
        ends = [
            f"{e.side} {self.expression_text(e.offset) if e.offset is not None else ''}"
            for e in (frame.start, frame.end)
        ]
        return f"{frame.unit} {' to '.join(ends)}"

    def aggregate_text(self, measure: rel.AggregateCall) -> str:
        """Canonical text of an aggregate call."""
        parts = ", ".join(self.expression_text(argument) for argument in measure.arguments)
        parts += "".join(f" {each.descending} {each.nulls_first}" for each in measure.sort_directions)
        where = f" filter {self.expression_text(measure.condition)}" if measure.condition is not None else ""
        return _shortened(f"{measure.function}({parts}){where}")


def _shortened(text: str) -> str:
    """Return a short text as it is, and a long one as its first word and a digest, so that nesting adds no length."""
    return (
        text if len(text) <= _MAX_PART_LENGTH else f"{text.partition('(')[0][:20]}~{sha256(text.encode()).hexdigest()}"
    )
