"""Figures as one page of text, beside those of another version of the code, and as a short table of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.honesty import figures
from tests.bench.honesty.catalogs import SUBJECTS
from tests.bench.honesty.cells import Record
from tests.bench.honesty.figures import Figure, Measured
from tests.bench.honesty.questions import BY_TIME, KEY_FILTER, TIME_FILTER, Kind

FEW_KEYS, MANY_KEYS = 10, 500  # dense keys
BEGIN, END = "<!-- honesty begins -->", "<!-- honesty ends -->"
Choice = Callable[[Measured], bool]
Row = tuple[str, str, Figure, str]  # what, aim, figure, format


def text(records: Collection[Record], about: dict[str, Any], other: Collection[Record] = ()) -> str:
    """Write the page."""
    now, before = _measured(records), _measured(other)
    lines = [_head(records, about), "", *_overview(now, before), "", *_by_class(now), "", *_rest(now)]
    refused = [f"{each.catalog}: {each.name}: {each.refused}" for each in records if each.refused]
    return "\n".join(lines + ([f"\nrefused ({len(refused)}):", *refused] if refused else []))


def write_table(records: Collection[Record], about: dict[str, Any], page: Path) -> None:
    """Write the short table between the markers of a page."""
    whole = page.read_text(encoding="utf-8")
    before, rest = whole.split(BEGIN)
    now = _measured(records)
    rows = [f"| {what} | {aim} | {figure.text(form)} |" for what, aim, figure, form in overview(now)]
    table = [
        f"{_head(records, about)}.",
        "",
        "| figure | aim | measured, with its 99% confidence |",
        "|---|---|---|",
        *rows,
        "",
        "| class | questions | 95% intervals cover | of clear cells | width | error over hindsight |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(cells)} |" for cells in _class_rows(now)),
    ]
    page.write_text("\n".join([before + BEGIN, "", *table, "", END + rest.split(END)[1]]), encoding="utf-8")


def _measured(records: Collection[Record]) -> list[Measured]:
    return [Measured(record) for record in records if not record.refused]


def _head(records: Collection[Record], about: dict[str, Any]) -> str:
    questions = {record.question for record in records}
    catalogs = dict.fromkeys(record.catalog for record in records)
    rhos = ", ".join(f"{rho:g}" for rho in sorted({record.rho for record in records}))
    draws = max((len(record.draws) for record in records), default=0)
    form = "as they are" if about.get("declares_norms", True) else "without norms"
    return (
        f"{len(questions)} questions over {', '.join(catalogs)} ({form}), rho {rhos}, {draws} draws each"
        f"{', quick form' if about.get('is_quick') else ''}; commit {about.get('commit') or 'unknown'}"
    )


def _chosen(measured: Collection[Measured], *choices: Choice) -> list[Measured]:
    return [each for each in measured if all(choice(each) for choice in choices)]


def _has_bound(each: Measured) -> bool:
    return each.has_bound


def _keys(low: int, high: int) -> Choice:
    """Has the question a number of dense keys, with most of its groups dense?"""
    return lambda each: each.record.has_keys and low <= each.record.dense <= high and each.is_mostly_dense


def _kinds(*kinds: str) -> Choice:
    return lambda each: each.record.kind in kinds


def _mark(mark: str) -> Choice:
    return lambda each: mark in each.record.marks


def overview(of: Collection[Measured]) -> Iterator[Row]:
    """Yield the figures that have an aim."""
    pooled = [each for each in of if not SUBJECTS[each.record.catalog].has_unseen_tail]
    yield "95% intervals cover, in all", ">= 94.5%", figures.coverage(of), ".1%"
    yield "the same of clear cells", ">= 92%", figures.coverage(of, clear=True), ".1%"
    yield "50% intervals cover", "45-80%", figures.coverage(of, half=True), ".1%"
    for name, subject in SUBJECTS.items():
        own = _chosen(of, lambda each, name=name: each.record.catalog == name)  # type: ignore[misc]
        if own:
            apart = "apart" if subject.has_unseen_tail else ""
            yield f"95% intervals cover, {name}", apart, figures.coverage(own), ".1%"
    if pooled and len(pooled) < len(of):
        yield "95% intervals cover, without heavy tails", "", figures.coverage(pooled), ".1%"
    ratios = _chosen(of, _has_bound)
    yield from _ratio_rows(ratios)
    yield "half-width over 1.96 RMSE of hindsight", "<= 2.2", figures.median(ratios, lambda each: each.width), ".2f"
    top = _chosen(of, _kinds(Kind.TOP))
    covered = figures.coverage(top)
    missed = Figure(1 - covered.value, 1 - covered.high, 1 - covered.low, covered.count)
    yield "top-N intervals that miss", "<= 5%", missed, ".1%"


def _ratio_rows(ratios: Collection[Measured]) -> Iterator[Row]:
    """Yield error over the hindsight bound, by number of dense keys and by filter."""
    is_count_or_sum = _kinds(Kind.ROWS, Kind.SUMS)
    people_by_time = [_kinds(Kind.PEOPLE), _mark(BY_TIME)]
    hour_and_date = [*people_by_time, lambda each: each.record.catalog == "operator" and not _is_filtered(each)]
    rows: list[tuple[str, str, list[Choice]]] = [
        ("10 and more dense keys", "<= 1.0", [_keys(FEW_KEYS, 10**9)]),
        (
            "rows and sums, 10 to 500 dense keys",
            "<= 0.85",
            [_keys(FEW_KEYS, MANY_KEYS), is_count_or_sum, figures.is_non_negative],
        ),
        ("2 to 9 dense keys", "<= 1.3", [_keys(2, FEW_KEYS - 1)]),
        ("no keys", "<= 1.6", [lambda each: not each.record.has_keys and each.record.rho < 0.02]),
        ("no keys, rho 0.02", "<= 2.0", [lambda each: not each.record.has_keys and each.record.rho >= 0.02]),
        ("sparse keys", "", [lambda each: each.record.has_keys and not each.is_mostly_dense]),
        ("people by time", "<= 0.75", people_by_time),
        ("time filters", "<= 1.3", [_mark(TIME_FILTER)]),
        ("key filters", "<= 1.3", [_mark(KEY_FILTER)]),
    ]
    for what, aim, choices in rows:
        found = figures.geometric(_chosen(ratios, *choices), lambda each: each.ratio)
        yield f"error over hindsight, {what}", aim, found, ".2f"
    largest = figures.geometric(_chosen(ratios, _keys(FEW_KEYS, 10**9)), lambda each: each.ratio_of_largest)
    yield "error over hindsight, ten largest groups", "<= 1.3", largest, ".2f"
    unclipped = figures.geometric(_chosen(ratios, *hour_and_date), lambda each: each.unclipped)
    yield "error over unclipped noise, operator's people by hour and date", "<= 0.65", unclipped, ".2f"


def _is_filtered(each: Measured) -> bool:
    return bool({TIME_FILTER, KEY_FILTER} & set(each.record.marks))


def _overview(now: Sequence[Measured], before: Sequence[Measured]) -> Iterator[str]:
    """Yield the overview as text, beside the same figures of another version over the questions that both have."""
    common = {(*each.record.question, each.record.rho) for each in before}
    other = {}
    if before:
        asked = {(*each.record.question, each.record.rho) for each in now}
        other = {row[0]: row for row in overview([e for e in before if (*e.record.question, e.record.rho) in asked])}
        now = [each for each in now if (*each.record.question, each.record.rho) in common]
    for what, aim, figure, form in overview(now):
        was = f"  before {other[what][2].text(form)}" if what in other else ""
        yield f"{what:66} {aim:>8}  {figure.text(form):22} ({figure.count}){was}"
    if before:
        mine = {(*each.record.question, each.record.rho): each.error for each in now}
        theirs = {(*each.record.question, each.record.rho): each.error for each in before}
        both = [
            each
            for each in _chosen(now, _kinds(Kind.ROWS, Kind.SUMS, Kind.AVERAGES))
            if theirs.get((*each.record.question, each.record.rho), 0) > 0
        ]
        ratio = figures.geometric(
            both,
            lambda each: (
                mine[(*each.record.question, each.record.rho)] / theirs[(*each.record.question, each.record.rho)]
            ),
        )
        yield f"{'error over that of before: rows, sums, averages':66} {'<= 0.5':>8}  {ratio.text('.2f')}"


def _class_rows(of: Collection[Measured]) -> Iterator[tuple[str, ...]]:
    for kind in Kind:
        own = _chosen(of, _kinds(kind))
        if not own:
            continue
        ratios = _chosen(own, _has_bound)
        yield (
            str(kind),
            str(len({each.record.question for each in own})),
            figures.coverage(own).text(),
            figures.coverage(own, clear=True).text(),
            figures.median(ratios, lambda each: each.width).text(".2f"),
            figures.geometric(ratios, lambda each: each.ratio).text(".2f"),
        )


def _by_class(of: Collection[Measured]) -> Iterator[str]:
    """Yield a line a class."""
    form = "{:24} {:>9}  {:22} {:22} {:19} {:19}"
    yield form.format("class", "questions", "95% cover", "of clear cells", "width / hindsight", "error / hindsight")
    for cells in _class_rows(of):
        yield form.format(*cells)


def _rest(of: Collection[Measured]) -> Iterator[str]:
    """Yield the figures that fit no table."""
    share, cells = figures.pooled_cells(of)
    yield f"every cell counted alike: {share:.1%} of {cells:,} intervals cover"
    distinct = _chosen(of, _kinds(Kind.DISTINCT))
    yield f"distinct values, both ends: {figures.coverage(distinct, sided=False).text()} (above: the lower end alone)"
    ratios = _chosen(of, _has_bound)
    for rho in sorted({each.record.rho for each in of}):
        own = _chosen(ratios, lambda each, rho=rho: each.record.rho == rho)  # type: ignore[misc]
        ours, bound = ([number(each) for each in own] for number in (lambda e: e.error, lambda e: e.bound))
        cover = figures.coverage(_chosen(of, lambda each, rho=rho: each.record.rho == rho))  # type: ignore[misc]
        yield (
            f"rho {rho:g}: cover {cover.text()}; total relative error, median and 90th percentile of questions:"
            f" {_quantiles(ours)}; hindsight bound: {_quantiles(bound)}"
        )
    zeros, unmarked = figures.unmarked_zeros(_chosen(of, _kinds(Kind.TOP)))
    yield f"top-N rows whose exact value is 0: {zeros}, of them not marked: {unmarked}"
    for each in _chosen(of, _kinds(Kind.PRIVATE_KEYS), lambda each: bool(each.record.draws)):
        found, held = figures.named_keys(each)
        yield f"{each.record.catalog}, {each.record.name}, rho {each.record.rho:g}: {found:.0f} true keys, {held:.1%} of the total"


def _quantiles(numbers: Sequence[float]) -> str:
    median, high = (
        (sorted(numbers)[min(int(level * len(numbers)), len(numbers) - 1)] for level in (0.5, 0.9))
        if numbers
        else (0, 0)
    )
    return f"{median:.1%} and {high:.1%}"
