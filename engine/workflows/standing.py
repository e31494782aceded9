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
from dialect import Question, read
from dialect.catalog import Dataset, begin_named, next_begin
from engine.accounts.losses import owner_keys
from engine.catalog.toml_section import Section, read_toml
from engine.errors import CatalogError
from engine.mechanism.release import from_bytes
from engine.pipeline.answered import Answered
from engine.pipeline.engine import Engine
from engine.pipeline.notes import window_notes
from engine.pricing.prepare import Prepared
from engine.pricing.terms import Asked
from engine.reuse.sources import Way

TOPIC = "standing"
CHARGED = "charged, not released"  # outcome if the release fails after its charge
FIRST, BEHIND = "{first}", "{behind}"  # placeholders in the SQL: first day of the window, first day after it
KEYS = ("sql", "dataset", "share", "clients", "from")


@dataclass(frozen=True)
class Standing:
    """One scheduled query: its SQL template, price and readers."""

    name: str
    sql: str  # template with {first} and {behind}
    dataset: str
    share: Fraction  # of each window's ceiling
    clients: tuple[str, ...]  # clients and client groups that see it for free
    since: str | None  # first window; None: every declared one

    def entitled(self, client: str) -> bool:
        """Return whether a client may see the results, by name or as a member of a group."""
        return any(client == each or client.startswith(f"{each}/") for each in self.clients)


@dataclass(frozen=True)
class Outcome:
    """The result of a scheduled query in one window: its charge and its state."""

    name: str
    window: str
    rho: Fraction  # charged by this run
    state: str  # released, held (stored before), not over, or why the budget refused it


def read_standing(path: str | Path, engine: Engine) -> tuple[Standing, ...]:
    """Parse the file of scheduled queries. Raises CatalogError with file, key, reason and cure."""
    whole = read_toml(Path(path).absolute())
    whole.only(("standing",))
    named = whole.named("standing", "declare a question, e.g. [standing.footfall].")
    found = tuple(_standing(name, section, engine) for name, section in named)
    whole.mistakes.refuse()
    return found


def _standing(name: str, section: Section, engine: Engine) -> Standing:
    """Parse one scheduled query."""
    section.only(KEYS)
    section.need("sql", 'write e.g. sql = "SELECT COUNT(*) FROM visit WHERE day >= {first} AND day < {behind}".')
    section.need("clients", 'write clients = ["name"], who may see it.')
    sql, datasets = section.text("sql") or "", engine.catalog.datasets
    named = section.text("dataset") or datasets[0].name
    dataset = next((each for each in datasets if each.name == named), None)
    if dataset is None or dataset.stretch is None:
        raise section.error("dataset", f"{named} has no windows.", "name a dataset with windows of time.")
    if FIRST not in sql or BEHIND not in sql:
        raise section.error("sql", "it does not say of which window.", f"write {FIRST} and {BEHIND} where days stand.")
    since = section.text("from")
    if since is not None and since not in dataset.windows:
        raise section.error("from", f"{since} is no declared window.", f"write one of {dataset.windows[0]}, ...")
    share = section.fraction("share", "0.1", "0.0001", "1")
    return Standing(name, sql, named, share, section.texts("clients"), since)


def due(standing: Standing, engine: Engine) -> Iterator[str]:
    """Yield the privacy windows in which a scheduled query is released, the earliest first."""
    windows = engine.catalog.dataset(standing.dataset).windows
    yield from (window for window in windows if standing.since is None or window >= standing.since)


def over_on(dataset: Dataset, window: str) -> date:
    """Return the first UTC date on which a window has ended in every time zone."""
    return _days(dataset, window)[1] + timedelta(days=1)


def run(standing: Sequence[Standing], engine: Engine, today: date | None) -> Iterator[Outcome]:
    """Release every scheduled query in every window in which it is not released yet, once all of them compile.

    Claim: each is charged once in each window, at its share, for any later versions of the data; if a day is given,
    nothing is released of windows that have not ended by then. Raises: Refusal, CatalogError, ExecutionFailed; a
    query that the ceiling does not cover is an outcome. Proof: proofs.md#standing
    """
    asked = [(each, window) for each in standing for window in due(each, engine)]
    for each, window in asked:
        _prepared(each, window, engine)
    for each, window in asked:
        yield from _released(each, window, engine, today)


def _released(standing: Standing, window: str, engine: Engine, today: date | None) -> Iterator[Outcome]:
    """Release a scheduled query in one window and yield the outcome, also if it fails after the charge."""
    question, prepared = _prepared(standing, window, engine)
    if _stored(standing, window, prepared, engine) is not None:
        yield Outcome(standing.name, window, Fraction(0), "held")
        return
    over = over_on(engine.catalog.dataset(standing.dataset), window)
    if today is not None and today < over:  # a release is never repeated, and rows of this window may still arrive
        yield Outcome(standing.name, window, Fraction(0), f"not over: due on {over}")
        return
    _note(standing, window, prepared, engine)  # first: after a crash the next run finds the same keys
    try:
        charge = engine.charge(question.sql, prepared, Asked(OWNER))
    except BudgetRefused as refused:
        yield Outcome(standing.name, window, Fraction(0), str(refused))
        return
    rho = charge.loss.rho if charge else Fraction(0)
    try:
        engine.settle(question, prepared, charge)
    except Exception:
        yield Outcome(standing.name, window, rho, CHARGED)
        raise
    yield Outcome(standing.name, window, rho, "released")


def shown(standing: Standing, window: str, engine: Engine) -> Answered | None:
    """Return the stored answer of a scheduled query in one window; None if it was not released."""
    question, prepared = _prepared(standing, window, engine)
    found = _stored(standing, window, prepared, engine)
    if found is None:
        return None
    keys, stored = found
    named = tuple(replace(p, release_key=key) for p, key in zip(prepared, keys, strict=True))
    releases = tuple(from_bytes(stored[key].payload) for key in keys)
    confidence = engine.confidence(question, Asked(OWNER))
    answer = engine.finish(question, named, releases, confidence)
    notes = question.notes + window_notes(named, free=True)
    ways = tuple(Way(p, bought=p) for p in named)
    return Answered(question, answer, named, releases, confidence, Loss(0, 0), standing.dataset, notes, ways)


def _prepared(standing: Standing, window: str, engine: Engine) -> tuple[Question, tuple[Prepared, ...]]:
    """Compile a scheduled query for one window, at a price at which no client has bought it."""
    dataset = engine.catalog.dataset(standing.dataset)
    question = read(_of_window(standing.sql, window, dataset), engine.catalog)
    share = Fraction(int(standing.share * dataset.budget.rho * PICO), PICO)
    released = {each.release_key for each in engine.ledger.releases(OWNER)}
    taken = released - owner_keys(engine.ledger, standing.dataset)
    prepared = engine.prepare(question, Asked(OWNER, rho=share))
    while any(p.release_key in taken for p in prepared):  # bought by a client, and charged to that client alone
        share -= Fraction(len(prepared), PICO)
        prepared = engine.prepare(question, Asked(OWNER, rho=share))
    touched = {name for p in prepared for name in p.plan.touched.windows}
    if touched != {window}:
        why = f"the question looks at {', '.join(sorted(touched)) or 'no window'} when it is asked of {window}."
        cure = f"compare the table's time with {FIRST} and {BEHIND}, e.g. day >= {FIRST} AND day < {BEHIND}."
        raise CatalogError(engine.catalog.path, f"standing.{standing.name}.sql", why, cure)
    return question, prepared


def _of_window(sql: str, window: str, dataset: Dataset) -> str:
    """Substitute the days of a window into the SQL template."""
    first, behind = _days(dataset, window)
    return sql.replace(FIRST, f"DATE '{first}'").replace(BEHIND, f"DATE '{behind}'")


def _days(dataset: Dataset, window: str) -> tuple[date, date]:
    """Return the first day of a window, and the first day after it."""
    begin = begin_named(dataset.window, window)
    assert begin is not None  # noqa: S101  a declared window has a name of its length
    return begin, next_begin(dataset.window, begin)


def _stored(
    standing: Standing, window: str, prepared: tuple[Prepared, ...], engine: Engine
) -> tuple[tuple[str, ...], Mapping[str, StoredRelease]] | None:
    """Return the keys and releases of the earliest stored run of a scheduled query in a window; None where none is."""
    asked, own = [p.plan.canonical for p in prepared], owner_keys(engine.ledger, standing.dataset)
    for said in _notes(engine):
        same = (said["dataset"], said["window"], said["questions"]) == (standing.dataset, window, asked)
        if same and own >= set(said["keys"]):
            stored = engine.ledger.replay(OWNER, standing.dataset, said["keys"])
            if set(said["keys"]) <= stored.keys():
                return tuple(said["keys"]), stored
    return None


def shown_to(client: str, dataset: str, path: str | Path, engine: Engine) -> frozenset[str]:
    """Return the keys of the scheduled queries' releases that a client may see; none if the file has an error.

    Claim: each is charged to everybody's account, and is of a SQL template and a window that the current file shows
    to the client. Proof: proofs.md#standing
    """
    try:
        seen = [each for each in read_standing(path, engine) if each.entitled(client)]
    except CatalogError:
        return frozenset()
    mine = {(_template(each), window) for each in seen if each.dataset == dataset for window in due(each, engine)}
    noted = [said for said in _notes(engine) if (said.get("template"), said["window"]) in mine]
    charged = owner_keys(engine.ledger, dataset) if noted else frozenset()
    return frozenset(key for said in noted if charged >= set(said["keys"]) for key in said["keys"])


def _template(standing: Standing) -> str:
    """Return a digest of a scheduled query's dataset and SQL template, independent of the window."""
    return sha256(f"{standing.dataset}\n{standing.sql}".encode()).hexdigest()


def _note(standing: Standing, window: str, prepared: tuple[Prepared, ...], engine: Engine) -> None:
    """Record the release keys of a scheduled query in a window in the ledger, once."""
    body: dict[str, Any] = {
        "dataset": standing.dataset,
        "window": window,
        "questions": [p.plan.canonical for p in prepared],
        "keys": [p.release_key for p in prepared],
        "template": _template(standing),
    }
    if any(said == body for said in _notes(engine)):
        return
    engine.ledger.note(TOPIC, body, actor=OWNER, dataset=standing.dataset)


def _notes(engine: Engine) -> Iterator[Mapping[str, Any]]:
    """Yield the ledger's records of scheduled queries."""
    return (entry.said for entry in engine.ledger.audit(kind=f"note_{TOPIC}"))
