"""Statements other than SELECT as Arrow tables, in the shape of an answer. Nothing here is read from private data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from dialect import Listing, function_names
from dialect.algebra import Note, NoteCode
from dialect.catalog import Catalog, SqlType
from dialect.functions import AGGREGATES, TABLE_FUNCTIONS, Aggregate, Function, TableFunction, kind_name, overloads
from engine.api.wire.answer import EMPTY_CARD, with_card
from engine.api.wire.notes import notes_shape
from engine.catalog.eligibility_notes import eligibility_notes

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
    eligibility = eligibility_notes(catalog.table(table["name"]), catalog)
    notes += [Note(NoteCode.ELIGIBILITY, text) for text in eligibility]
    return rows_table(column_rows(table), DESCRIBE_COLUMNS, remaining, notes)


def column_rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per column of a table, with its declared properties in words."""
    return [
        {**column, "declared": "; ".join(filter(None, (rule(column) for rule in _DECLARATION_TEXTS)))}
        for column in table["columns"]
    ]


def _values_text(column: Mapping[str, Any]) -> str:
    if "values" in column:
        return f"one of {', '.join(map(str, column['values']))}"
    return f"one of {column['values_of']}" if "values_of" in column else ""


def _bounds_text(column: Mapping[str, Any]) -> str:
    templates = {"range": "from {} to {}", "bounds": "clamped to {} to {}"}
    return "; ".join(word.format(*map(_format_bound, column[key])) for key, word in templates.items() if key in column)


def _format_bound(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _h3_text(column: Mapping[str, Any]) -> str:
    cell = column.get("h3")
    return "" if cell is None else f"H3 cell of {cell['lon']}, {cell['lat']} at resolution {cell['resolution']}"


def _time_zone_text(column: Mapping[str, Any]) -> str:
    return f"time of {column['time_zone']}" if "time_zone" in column else ""


def _clip_bounds_text(column: Mapping[str, Any]) -> str:
    """Clip bounds of a column in words: how much one person may add to sums and means."""
    templates = [("sum_norm", "a person counts up to {} in sums"), ("centred_norm", "up to {} in means")]
    parts = [word.format(_format_bound(column[key])) for key, word in templates if key in column]
    return ", ".join(parts) + (f", around {_format_bound(column['centre'])}" if "centre" in column else "")


_DECLARATION_TEXTS = (_values_text, _bounds_text, _h3_text, _time_zone_text, _clip_bounds_text)


def function_rows() -> list[dict[str, Any]]:
    """Signatures of all functions, aggregates and table functions, with result and meaning."""
    found = [
        {
            "name": name,
            "arguments": ", ".join(map(kind_name, form.argument_kinds)),
            "gives": _result_type_text(form),
            "meaning": meaning,
        }
        for name in function_names()
        for form in overloads(name)
        for meaning in (form.meaning or "as in DuckDB",)
    ]
    found += [_aggregate_row(each) for each in AGGREGATES.values()]
    found += [_table_function_row(each) for each in TABLE_FUNCTIONS]
    return list({tuple(each.values()): each for each in found}.values())


def _result_type_text(form: Function) -> str:
    return "the type of its arguments" if form.result is SqlType.NULL else str(form.result)


def _aggregate_row(aggregate: Aggregate) -> dict[str, Any]:
    """Row of an aggregate. Its meaning states over what it may be used."""
    levels = (
        ["people"] * aggregate.is_releasable
        + ["one person's rows"] * (aggregate.per_person_form is not None)
        + ["releases"]
    )
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
    has_several_releases = len({b["release"] for b in explained["bounds"]}) > 1
    rows: list[tuple[str, str | None, Any, str | None]] = list(_price_rows(explained))
    rows += [("left", owner, left["rho"], "rho, before this") for owner, left in explained["remaining"].items()]
    rows += [("ahead", *each) for each in _outlook_rows(explained["outlook"])]
    rows += [("column", *_column_row(c, explained)) for c in explained["columns"]]
    rows += [
        ("key", k["name"], k["count"], _release_prefix(k, has_several_releases) + _key_text(k))
        for k in explained["keys"]
    ]
    rows += [
        ("bound", b["vector"], b["norm"], _release_prefix(b, has_several_releases) + _bound_text(b))
        for b in explained["bounds"]
    ]
    rows += [
        ("threshold", "persons", t["threshold"], _release_prefix(t, has_several_releases) + _threshold_text(t))
        for t in explained["thresholds"]
    ]
    rows += [("window", window, None, "charged in full") for window in explained["windows"]]
    rows += [("note", code, None, note) for code, note in zip(explained["note_codes"], explained["notes"], strict=True)]
    rows += [("advice", *each) for each in _advice_rows(explained["advice"])]
    numbers = ((part, name, None if value is None else float(value), text) for part, name, value, text in rows)
    return [dict(zip(EXPLANATION_COLUMNS, row, strict=True)) for row in numbers]


def _advice_rows(advice: Mapping[str, Any] | None) -> Iterator[tuple[str, float | None, str]]:
    """Advice rows: why intervals are wide, and alternative queries with their price as the value."""
    if advice is not None:
        yield from (("why", None, each) for each in advice["why"])
        yield from (("instead", each["price"]["rho"], each["sql"]) for each in advice["instead"])


def _outlook_rows(outlook: Mapping[str, Any] | None) -> Iterator[tuple[str | None, float | None, str]]:
    """Outlook rows: how many more queries fit, and cheaper alternatives to one that does not."""
    if outlook is not None:
        first, *others = outlook["told"]
        yield "further", outlook["further"], first
        yield from ((None, None, each) for each in others)


def _price_rows(explained: Mapping[str, Any]) -> Iterator[tuple[str, str | None, Any, str | None]]:
    """Rows of the price: rho, delta and epsilon, each with a remark; (section, name, value, remark)."""
    why = "free: derived from answers that you hold" if explained["made_from"] else "free: asked before"
    price, free = explained["price"], why if explained["replayed"] else None
    yield "price", "rho", price["rho"], free
    yield "price", "delta", price["delta"], "of thresholds" if explained["thresholds"] else None
    at = price["epsilon_at_delta"]
    yield "price", "epsilon", at["epsilon"], f"of this question alone, at delta {at['delta']:g}"


def _column_row(column: Mapping[str, Any], explained: Mapping[str, Any]) -> tuple[str, float | None, str]:
    """Row of a result column. Its value is the expected half-width of the column's intervals."""
    name, errors = column["name"], explained["expected_error"]
    if name not in errors:
        return name, None, f"{column['type']}, without noise of its own"
    if errors[name] is None:
        return name, None, f"{column['type']}, the width of its intervals depends on the answer, or is not known"
    return (
        name,
        errors[name],
        f"{column['type']}, half-width of its intervals at confidence {explained['confidence']:g}",
    )


def _release_prefix(fact: Mapping[str, Any], has_several_releases: bool) -> str:
    """Prefix that names the release, where there are several."""
    return f"{fact['release']}: " if has_several_releases else ""


def _key_text(key: Mapping[str, Any]) -> str:
    return f"{key['kind']}: {key['why']}"


def _bound_text(bound: Mapping[str, Any]) -> str:
    """Contribution bound in one line: reason, noise scale and predicted bias; a corrected bias with its bound."""
    bias = bound["predicted_bias"]
    bias_text = "not known" if bias is None else f"{bias:.1%}" if bias else "none"
    if bias == 0 and bound["bias_within"]:
        bias_text = f"none, to within {bound['bias_within']:.1%}"
    why = "; ".join(text for text in (bound["why"], bound["norm_from"]) if text)
    return f"{why}; noise of scale {bound['sigma']:.4g}; predicted bias {bias_text}"


def _threshold_text(threshold: Mapping[str, Any]) -> str:
    groups = threshold["max_groups_per_person"]
    return f"noisy count that a key must reach, for delta {threshold['delta']:g}; one person counts in {groups} at most"
