"""Scheduled queries: each is released once in every privacy window, and is free for the clients entitled to it.

The owner pays, as for a calibration: these releases count in the loss reported to every client, and are debited from no
client's account (proofs.md#standing). The SQL contains {first} and {behind}, the first day of the window and the first
day after it:

    SELECT COUNT(*) FROM visit WHERE day >= {first} AND day < {behind}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

from budgets import OWNER, PICO, BudgetRefused, Loss, StoredRelease
from dialect import compile_query
from dialect.catalog import Dataset, first_day_of_name, next_window_start
from engine.accounts.window_accounts import owner_keys
from engine.catalog.toml_section import Section, read_toml
from engine.errors import CatalogError
from engine.mechanism.release import release_from_bytes
from engine.pipeline.compiled_query import Answered, CompiledQuery
from engine.pipeline.engine import Engine
from engine.pipeline.notes import window_notes
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from engine.reuse.sources import ReleaseSource

TOPIC = "standing"
CHARGED_NOT_RELEASED = "charged, not released"  # outcome if the release fails after its charge
FIRST_DAY, DAY_AFTER = "{first}", "{behind}"  # placeholders in the SQL: first day of the window, first day after it
KEYS = ("sql", "dataset", "share", "clients", "from")


@dataclass(frozen=True)
class ScheduledQuery:
    """One scheduled query: its SQL template, price and readers."""

    name: str
    sql: str  # template with {first} and {behind}
    dataset: str
    share: Fraction  # of each window's ceiling
    clients: tuple[str, ...]  # clients and client groups that see it for free
    first_window: str | None  # first window; None: every declared one

    def is_visible_to(self, client: str) -> bool:
        """Return whether a client may see the results, by name or as a member of a group."""
        return any(client == each or client.startswith(f"{each}/") for each in self.clients)


@dataclass(frozen=True)
class Outcome:
    """The result of a scheduled query in one window: its charge and its state."""

    name: str
    window: str
    rho: Fraction  # charged by this run
    state: str  # released, held (stored before), not over, or why the budget refused it


def read_scheduled_queries(path: str | Path, engine: Engine) -> tuple[ScheduledQuery, ...]:
    """Parse the file of scheduled queries. Raises CatalogError with file, key, reason and cure."""
    root = read_toml(Path(path).absolute())
    root.check_keys(("standing",))
    sections = root.named_sections("standing", "declare a question, e.g. [standing.footfall].")
    found = tuple(_scheduled_query(name, section, engine) for name, section in sections)
    root.collector.raise_first()
    return found


def _scheduled_query(name: str, section: Section, engine: Engine) -> ScheduledQuery:
    """Parse one scheduled query."""
    section.check_keys(KEYS)
    section.require("sql", 'write e.g. sql = "SELECT COUNT(*) FROM visit WHERE day >= {first} AND day < {behind}".')
    section.require("clients", 'write clients = ["name"], who may see it.')
    sql, datasets = section.text("sql") or "", engine.catalog.datasets
    dataset_name = section.text("dataset") or datasets[0].name
    dataset = next((each for each in datasets if each.name == dataset_name), None)
    if dataset is None or dataset.window_range is None:
        raise section.error("dataset", f"{dataset_name} has no windows.", "name a dataset with windows of time.")
    if FIRST_DAY not in sql or DAY_AFTER not in sql:
        raise section.error(
            "sql", "it does not say of which window.", f"write {FIRST_DAY} and {DAY_AFTER} where days stand."
        )
    since = section.text("from")
    if since is not None and since not in dataset.window_names:
        raise section.error("from", f"{since} is no declared window.", f"write one of {dataset.window_names[0]}, ...")
    share = section.fraction("share", "0.1", "0.0001", "1")
    return ScheduledQuery(name, sql, dataset_name, share, section.texts("clients"), since)


def scheduled_windows(query: ScheduledQuery, engine: Engine) -> Iterator[str]:
    """Yield the privacy windows in which a scheduled query is released, the earliest first."""
    windows = engine.catalog.datasets_by_name[query.dataset].window_names
    yield from (window for window in windows if query.first_window is None or window >= query.first_window)


def ended_on(dataset: Dataset, window: str) -> date:
    """Return the first UTC date on which a window has ended in every time zone."""
    return _window_bounds(dataset, window)[1] + timedelta(days=1)


def run_scheduled_queries(queries: Sequence[ScheduledQuery], engine: Engine, today: date | None) -> Iterator[Outcome]:
    """Release every scheduled query in every window in which it is not released yet, once all of them compile.

    Claim: each is charged once in each window, at its share, for any later versions of the data; if a day is given,
    nothing is released of windows that have not ended by then. Raises: Refusal, CatalogError, ExecutionFailed; a
    query that the ceiling does not cover is an outcome. Proof: proofs.md#standing
    """
    pending = [(each, window) for each in queries for window in scheduled_windows(each, engine)]
    for each, window in pending:
        _compile_window(each, window, engine)
    for each, window in pending:
        yield from _release_window(each, window, engine, today)


def _release_window(query: ScheduledQuery, window: str, engine: Engine, today: date | None) -> Iterator[Outcome]:
    """Release a scheduled query in one window and yield the outcome, also if it fails after the charge."""
    compiled = _compile_window(query, window, engine)
    question, prepared = compiled.question, compiled.releases
    if _stored_releases(query, window, prepared, engine) is not None:
        yield Outcome(query.name, window, Fraction(0), "held")
        return
    due_on = ended_on(engine.catalog.datasets_by_name[query.dataset], window)
    if today is not None and today < due_on:  # a release is never repeated, and rows of this window may still arrive
        yield Outcome(query.name, window, Fraction(0), f"not over: due on {due_on}")
        return
    _record_keys(query, window, prepared, engine)  # first: after a crash the next run finds the same keys
    try:
        charge = engine.charge(question.sql, prepared, Request(OWNER))
    except BudgetRefused as refused:
        yield Outcome(query.name, window, Fraction(0), str(refused))
        return
    rho = charge.loss.rho if charge else Fraction(0)
    try:
        engine.settle(question, prepared, charge)
    except Exception:
        yield Outcome(query.name, window, rho, CHARGED_NOT_RELEASED)
        raise
    yield Outcome(query.name, window, rho, "released")


def stored_answer(query: ScheduledQuery, window: str, engine: Engine) -> Answered | None:
    """Return the stored answer of a scheduled query in one window; None if it was not released."""
    compiled = _compile_window(query, window, engine)
    found = _stored_releases(query, window, compiled.releases, engine)
    if found is None:
        return None
    keys, stored = found
    keyed = tuple(replace(p, release_key=key) for p, key in zip(compiled.releases, keys, strict=True))
    releases = tuple(release_from_bytes(stored[key].payload) for key in keys)
    answer = engine.finish(compiled.question, keyed, releases, compiled.terms.confidence)
    notes = compiled.question.notes + window_notes(keyed, is_free=True)
    sources = tuple(map(ReleaseSource, keyed))
    return Answered(replace(compiled, releases=keyed), sources, notes, (), answer, releases, Loss(0, 0))


def _compile_window(query: ScheduledQuery, window: str, engine: Engine) -> CompiledQuery:
    """Compile a scheduled query for one window, at a price at which no client has bought it."""
    dataset = engine.catalog.datasets_by_name[query.dataset]
    question = compile_query(_bind_window(query.sql, window, dataset), engine.catalog)
    share = Fraction(int(query.share * dataset.budget.rho * PICO), PICO)
    released = {each.release_key for each in engine.ledger.paid_releases(OWNER)}
    client_keys = released - owner_keys(engine.ledger, query.dataset)
    compiled = engine.compile(question, Request(OWNER, rho=share))
    # bought by a client, and charged to that client alone
    while any(each.release_key in client_keys for each in compiled.releases):
        share -= Fraction(len(compiled.releases), PICO)
        compiled = engine.compile(question, Request(OWNER, rho=share))
    charged_windows = {name for each in compiled.releases for name in each.plan.charged_windows.windows}
    if charged_windows != {window}:
        why = f"the question looks at {', '.join(sorted(charged_windows)) or 'no window'} when it is asked of {window}."
        cure = (
            f"compare the table's time with {FIRST_DAY} and {DAY_AFTER}, e.g. day >= {FIRST_DAY} AND day < {DAY_AFTER}."
        )
        raise CatalogError(engine.catalog.path, f"standing.{query.name}.sql", why, cure)
    return compiled


def _bind_window(sql: str, window: str, dataset: Dataset) -> str:
    """Substitute the days of a window into the SQL template."""
    first, day_after = _window_bounds(dataset, window)
    return sql.replace(FIRST_DAY, f"DATE '{first}'").replace(DAY_AFTER, f"DATE '{day_after}'")


def _window_bounds(dataset: Dataset, window: str) -> tuple[date, date]:
    """Return the first day of a window, and the first day after it."""
    begin = first_day_of_name(dataset.window, window)
    assert begin is not None  # noqa: S101  a declared window has a name of its length
    return begin, next_window_start(dataset.window, begin)


def _stored_releases(
    query: ScheduledQuery, window: str, prepared: tuple[CompiledRelease, ...], engine: Engine
) -> tuple[tuple[str, ...], Mapping[str, StoredRelease]] | None:
    """Return the keys and releases of the earliest stored run of a scheduled query in a window; None where none is."""
    canonical_texts = [p.plan.canonical_text for p in prepared]
    owner_release_keys = owner_keys(engine.ledger, query.dataset)
    for note in _notes(engine):
        same = (note["dataset"], note["window"], note["questions"]) == (query.dataset, window, canonical_texts)
        if same and owner_release_keys >= set(note["keys"]):
            stored = engine.ledger.replay(OWNER, query.dataset, note["keys"])
            if set(note["keys"]) <= stored.keys():
                return tuple(note["keys"]), stored
    return None


def visible_release_keys(client: str, dataset: str, path: str | Path, engine: Engine) -> frozenset[str]:
    """Return the keys of the scheduled queries' releases that a client may see; none if the file has an error.

    Claim: each is charged to everybody's account, and is of a SQL template and a window that the current file shows
    to the client. Proof: proofs.md#standing
    """
    try:
        visible = [each for each in read_scheduled_queries(path, engine) if each.is_visible_to(client)]
    except CatalogError:
        return frozenset()
    visible_windows = {
        (_template_digest(each), window)
        for each in visible
        if each.dataset == dataset
        for window in scheduled_windows(each, engine)
    }
    noted = [note for note in _notes(engine) if (note.get("template"), note["window"]) in visible_windows]
    charged = owner_keys(engine.ledger, dataset) if noted else frozenset()
    return frozenset(key for note in noted if charged >= set(note["keys"]) for key in note["keys"])


def _template_digest(query: ScheduledQuery) -> str:
    """Return a digest of a scheduled query's dataset and SQL template, independent of the window."""
    return sha256(f"{query.dataset}\n{query.sql}".encode()).hexdigest()


def _record_keys(query: ScheduledQuery, window: str, prepared: tuple[CompiledRelease, ...], engine: Engine) -> None:
    """Record the release keys of a scheduled query in a window in the ledger, once."""
    body: dict[str, Any] = {
        "dataset": query.dataset,
        "window": window,
        "questions": [p.plan.canonical_text for p in prepared],
        "keys": [p.release_key for p in prepared],
        "template": _template_digest(query),
    }
    if any(note == body for note in _notes(engine)):
        return
    engine.ledger.note(TOPIC, body, actor=OWNER, dataset=query.dataset)


def _notes(engine: Engine) -> Iterator[Mapping[str, Any]]:
    """Yield the ledger's records of scheduled queries."""
    return (entry.content for entry in engine.ledger.entries(kind=f"note_{TOPIC}"))
