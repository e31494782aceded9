"""Statements other than SELECT as Arrow tables, in the shape of an answer. Nothing here is read from private data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from dialect import Listing, function_names
from dialect.algebra import Note, NoteCode
from dialect.catalog import Catalog, SqlType
from dialect.functions import (
    AGGREGATES,
    OVERLOADS_BY_NAME,
    TABLE_FUNCTIONS,
    Aggregate,
    TableFunction,
    kind_name,
)
from engine.api.wire.answer import EMPTY_CARD, notes_shape, with_card
from engine.catalog.eligibility import eligibility_notes

DESCRIBE_COLUMNS = ("name", "type", "nullable", "declared")
LISTING_COLUMNS: Mapping[Listing, tuple[str, ...]] = {
    Listing.TABLES: ("name", "kind", "dataset", "person", "size_class", "window", "first_window", "last_window"),
    Listing.BUDGET: (
        *("dataset", "window", "client", "cap_rho", "spent_rho", "remaining_rho", "remaining_delta"),
        *("epsilon", "delta", "cap_epsilon", "questions", "calibration_rho"),
    ),
    Listing.RELEASES: ("release_id", "dataset", "sql", "question", "rho", "delta", "settled_at"),
    Listing.FUNCTIONS: ("name", "arguments", "gives", "meaning"),
}
_COUNT_SIGNATURES = {"count_star": ("count", "*"), "count_distinct": ("count", "DISTINCT x")}
EXPLANATION_COLUMNS = ("part", "name", "value", "told")
Fact = tuple[str, str | None, Any, str | None]  # part, name, value, text


_WILDCARDS = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})  # from LIKE to fnmatch


def is_like(text: str, pattern: str) -> bool:
    """Match a text with SQL's LIKE: % matches any text, _ one character; case counts.

    The matcher of file names compiles to atomic groups: no pattern makes it slow.
    """
    return fnmatchcase(text, pattern.translate(_WILDCARDS))


def filter_like(rows: Iterable[Mapping[str, Any]], pattern: str | None) -> list[Mapping[str, Any]]:
    """Filter rows by name with a LIKE pattern, ignoring case."""
    return [row for row in rows if pattern is None or is_like(row["name"].lower(), pattern.lower())]


def rows_table(
    rows: Iterable[Mapping[str, Any]], names: tuple[str, ...], remaining: Mapping[str, Any], notes: Sequence[Note] = ()
) -> pa.Table:
    """Rows as an Arrow table with the privacy card of a free answer."""
    row_list = list(rows)
    table = pa.table({name: _arrow_column([row.get(name) for row in row_list]) for name in names})
    return with_card(table, {**EMPTY_CARD, "remaining": remaining, **notes_shape(notes)})


def _arrow_column(values: list[Any]) -> pa.Array:
    """Arrow array of values of one type; of type string where all are null."""
    return pa.array(values) if any(value is not None for value in values) else pa.array(values, pa.string())


def describe_table(table: Mapping[str, Any], catalog: Catalog, remaining: Mapping[str, Any]) -> pa.Table:
    """Answer of DESCRIBE: one row per column, with notes on the table's time range and on who is in it."""
    notes = [Note(NoteCode.TABLE_WINDOWS, text) for text in table["windows_told"]]
    eligibility = eligibility_notes(catalog.tables_by_name.get(table["name"]), catalog)
    notes += [Note(NoteCode.ELIGIBILITY, text) for text in eligibility]
    return rows_table(column_rows(table), DESCRIBE_COLUMNS, remaining, notes)


def column_rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per column of a table, with its declared properties in words."""
    return [{**column, "declared": "; ".join(_declaration_texts(column))} for column in table["columns"]]


def _declaration_texts(column: Mapping[str, Any]) -> Iterator[str]:
    """List the declared properties of a column in words; clip bounds are what one person may add to sums and means."""
    if "values" in column:
        yield f"one of {', '.join(map(str, column['values']))}"
    elif "values_of" in column:
        yield f"one of {column['values_of']}"
    for key, text in (("range", "from {} to {}"), ("bounds", "clamped to {} to {}")):
        if key in column:
            yield text.format(*map(_format_bound, column[key]))
    if (cell := column.get("h3")) is not None:
        yield f"H3 cell of {cell['lon']}, {cell['lat']} at resolution {cell['resolution']}"
    if "time_zone" in column:
        yield f"time of {column['time_zone']}"
    texts = {"sum_norm": "a person counts up to {} in sums", "centred_norm": "up to {} in means", "centre": "around {}"}
    if clipped := [text.format(_format_bound(column[key])) for key, text in texts.items() if key in column]:
        yield ", ".join(clipped)


def _format_bound(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def function_rows() -> list[dict[str, Any]]:
    """Signatures of all functions, aggregates and table functions, with result and meaning."""
    found = [
        {
            "name": name,
            "arguments": ", ".join(map(kind_name, form.argument_kinds)),
            "gives": "the type of its arguments" if form.result is SqlType.NULL else str(form.result),
            "meaning": meaning,
        }
        for name in function_names()
        for form in OVERLOADS_BY_NAME[name]
        for meaning in (form.meaning or "as in DuckDB",)
    ]
    found += [_aggregate_row(each) for each in AGGREGATES.values()]
    found += [_table_function_row(each) for each in TABLE_FUNCTIONS]
    return list({tuple(each.values()): each for each in found}.values())


def _aggregate_row(aggregate: Aggregate) -> dict[str, Any]:
    """Row of an aggregate. Its meaning states over what it may be used."""
    levels = ["people"] * aggregate.is_releasable + ["one person's rows"] * aggregate.is_per_person + ["releases"]
    name, arguments = _COUNT_SIGNATURES.get(
        aggregate.name, (aggregate.name, ", ".join(["x", "y"][: aggregate.argument_count]))
    )
    gives = "the type of its argument" if aggregate.result is None else str(aggregate.result)
    return {"name": name, "arguments": arguments, "gives": gives, "meaning": f"aggregate over {', '.join(levels)}"}


def _table_function_row(each: TableFunction) -> dict[str, Any]:
    parameters = (p.name if p.default is None else f"{p.name} => {p.default}" for p in each.parameters)
    gives = f"rows of {', '.join(each.result_columns)}"
    return {"name": each.name, "arguments": ", ".join(("rows", *parameters)), "gives": gives, "meaning": each.meaning}


def explanation_rows(explained: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answer of EXPLAIN PRIVACY: one row per fact.

    Parts: price, budget left, expected error per column, keys, bounds, thresholds, windows, notes, advice.
    """
    numbers = (
        (part, name, None if value is None else float(value), text)
        for part, name, value, text in (*_cost_facts(explained), *_release_facts(explained), *_note_facts(explained))
    )
    return [dict(zip(EXPLANATION_COLUMNS, row, strict=True)) for row in numbers]


def _cost_facts(explained: Mapping[str, Any]) -> Iterator[Fact]:
    """Facts on the price, the budget left, how many more queries fit, and each column's expected error."""
    price, at = explained["price"], explained["price"]["epsilon_at_delta"]
    free = "free: derived from answers that you hold" if explained["made_from"] else "free: asked before"
    yield "price", "rho", price["rho"], free if explained["replayed"] else None
    yield "price", "delta", price["delta"], "of thresholds" if explained["thresholds"] else None
    yield "price", "epsilon", at["epsilon"], f"of this question alone, at delta {at['delta']:g}"
    for owner, left in explained["remaining"].items():
        yield "left", owner, left["rho"], "rho, before this"
    if (outlook := explained["outlook"]) is not None:
        first, *others = outlook["told"]
        yield "ahead", "further", outlook["further"], first
        yield from (("ahead", None, None, each) for each in others)
    for column in explained["columns"]:
        name, error = column["name"], explained["expected_error"].get(column["name"])
        ends, parts = explained["expected_range"].get(name), explained["interval_parts"].get(name)
        if error is not None:
            text = f"half-width of its intervals at confidence {explained['confidence']:g}"
            text += f", {ends[0]:.2g} to {ends[1]:.2g} over the rows" if ends else ""
            text += "".join(f", {part} {width:.2g}" for part, width in (parts or {}).items())
        elif ends is not None:
            text = f"half-width of its intervals from {ends[0]:.2g} to {ends[1]:.2g}, by public sizes"
        elif name in explained["expected_error"]:
            text = "the width of its intervals depends on the answer, or is not known"
        else:
            text = "without noise of its own"
        yield "column", name, error, f"{column['type']}, {text}"


def _release_facts(explained: Mapping[str, Any]) -> Iterator[Fact]:
    """Facts on keys, contribution bounds and thresholds, with the release in front where there are several."""
    has_several_releases = len({bound["release"] for bound in explained["bounds"]}) > 1

    def of_release(fact: Mapping[str, Any], text: str) -> str:
        return f"{fact['release']}: {text}" if has_several_releases else text

    for key in explained["keys"]:
        yield "key", key["name"], key["count"], of_release(key, f"{key['kind']}: {key['why']}")
    for bound in explained["bounds"]:
        yield "bound", bound["vector"], bound["norm"], of_release(bound, _bound_text(bound))
    for threshold in explained["thresholds"]:
        text = (
            f"noisy count that a key must reach, for delta {threshold['delta']:g}; one person counts in"
            f" {threshold['max_groups_per_person']} at most"
        )
        yield "threshold", "persons", threshold["threshold"], of_release(threshold, text)


def _note_facts(explained: Mapping[str, Any]) -> Iterator[Fact]:
    """Facts on charged windows, notes, why intervals are wide, and other queries with their price as the value."""
    for window in explained["windows"]:
        yield "window", window, None, "charged in full"
    for code, note in zip(explained["note_codes"], explained["notes"], strict=True):
        yield "note", code, None, note
    if (advice := explained["advice"]) is not None:
        yield from (("advice", "why", None, each) for each in advice["why"])
        yield from (("advice", "instead", each["price"]["rho"], each["sql"]) for each in advice["instead"])


def _bound_text(bound: Mapping[str, Any]) -> str:
    """Contribution bound in one line: reason, noise scale and predicted bias; a corrected bias with its bound."""
    bias = bound["predicted_bias"]
    bias_text = "not known" if bias is None else f"{bias:.1%}" if bias else "none"
    if bias == 0 and bound["bias_within"]:
        bias_text = f"none, to within {bound['bias_within']:.1%}"
    why = "; ".join(text for text in (bound["why"], bound["norm_from"]) if text)
    return f"{why}; noise of scale {bound['sigma']:.4g}; predicted bias {bias_text}"
