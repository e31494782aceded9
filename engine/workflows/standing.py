"""Standing questions: asked of each new window once, on everybody's account, and shown to who is entitled for free.

The owner pays, as for a calibration: what is released so counts in the loss that every client is told, and is debited
to no client's account (proofs.md#standing).
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
CHARGED = "charged, not released"  # what comes of a window whose making failed
FIRST, BEHIND = "{first}", "{behind}"  # days in the question: the first of the window, and the first behind it
KEYS = ("sql", "dataset", "share", "clients", "from")


@dataclass(frozen=True)
class Standing:
    """One question that is asked of every window."""

    name: str
    sql: str  # with {first} and {behind}
    dataset: str
    share: Fraction  # of each window's ceiling
    clients: tuple[str, ...]  # clients, and groups of them, that see it for nothing
    since: str | None  # the first window; None: all that are declared

    def entitled(self, client: str) -> bool:
        """Tell whether a client may see it: by name, or as one of a group."""
        return any(client == each or client.startswith(f"{each}/") for each in self.clients)


@dataclass(frozen=True)
class Outcome:
    """What became of one standing question in one window."""

    name: str
    window: str
    rho: Fraction  # charged now
    state: str  # released, held, not over, or why the ceiling does not cover it


def read_standing(path: str | Path, engine: Engine) -> tuple[Standing, ...]:
    """Read the file of standing questions; raises CatalogError with file, key, why and cure."""
    whole = read_toml(Path(path).absolute())
    whole.only(("standing",))
    named = whole.named("standing", "declare a question, e.g. [standing.footfall].")
    found = tuple(_standing(name, section, engine) for name, section in named)
    whole.mistakes.refuse()
    return found


def _standing(name: str, section: Section, engine: Engine) -> Standing:
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
    """Walk the windows that a standing question is asked of, the earliest first."""
    windows = engine.catalog.dataset(standing.dataset).windows
    yield from (window for window in windows if standing.since is None or window >= standing.since)


def over_on(dataset: Dataset, window: str) -> date:
    """Say from which day on, by UTC's calendar, a window is over wherever its clock stands."""
    return _days(dataset, window)[1] + timedelta(days=1)


def run(standing: Sequence[Standing], engine: Engine, today: date | None) -> Iterator[Outcome]:
    """Release every standing question in every window in which it is not released yet, after all were read.

    Claim: each is charged once in each window, at its share, whatever versions of data come later; of windows that are
    not over on a day, where one is given, nothing is released. Raises: Refusal, CatalogError, ExecutionFailed; what the
    ceiling does not cover is an outcome. Proof: proofs.md#standing
    """
    asked = [(each, window) for each in standing for window in due(each, engine)]
    for each, window in asked:
        _prepared(each, window, engine)
    for each, window in asked:
        yield from _released(each, window, engine, today)


def _released(standing: Standing, window: str, engine: Engine, today: date | None) -> Iterator[Outcome]:
    """Release one window, and give what came of it; also of one that is charged and then fails, before it raises."""
    question, prepared = _prepared(standing, window, engine)
    if _stored(standing, window, prepared, engine) is not None:
        yield Outcome(standing.name, window, Fraction(0), "held")
        return
    over = over_on(engine.catalog.dataset(standing.dataset), window)
    if today is not None and today < over:  # what is released is never made anew: rows of this window may be to come
        yield Outcome(standing.name, window, Fraction(0), f"not over: due on {over}")
        return
    _note(standing, window, prepared, engine)  # first: a crash behind it leaves the same release to be charged
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
    """Show what was released of a window; None where nothing was."""
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
    """Prepare the question of one window at its share, as a release that nobody else has bought."""
    dataset = engine.catalog.dataset(standing.dataset)
    question = read(_of_window(standing.sql, window, dataset), engine.catalog)
    share = Fraction(int(standing.share * dataset.budget.rho * PICO), PICO)
    released = {each.release_key for each in engine.ledger.releases(OWNER)}
    taken = released - owner_keys(engine.ledger, standing.dataset)
    prepared = engine.prepare(question, Asked(OWNER, rho=share))
    while any(p.release_key in taken for p in prepared):  # a client's: what it costs counts for that client alone
        share -= Fraction(len(prepared), PICO)
        prepared = engine.prepare(question, Asked(OWNER, rho=share))
    touched = {name for p in prepared for name in p.plan.touched.windows}
    if touched != {window}:
        why = f"the question looks at {', '.join(sorted(touched)) or 'no window'} when it is asked of {window}."
        cure = f"compare the table's time with {FIRST} and {BEHIND}, e.g. day >= {FIRST} AND day < {BEHIND}."
        raise CatalogError(engine.catalog.path, f"standing.{standing.name}.sql", why, cure)
    return question, prepared


def _of_window(sql: str, window: str, dataset: Dataset) -> str:
    first, behind = _days(dataset, window)
    return sql.replace(FIRST, f"DATE '{first}'").replace(BEHIND, f"DATE '{behind}'")


def _days(dataset: Dataset, window: str) -> tuple[date, date]:
    """Give the first day of a window, and the first behind it."""
    begin = begin_named(dataset.window, window)
    assert begin is not None  # noqa: S101  a declared window has a name of its length
    return begin, next_begin(dataset.window, begin)


def _stored(
    standing: Standing, window: str, prepared: tuple[Prepared, ...], engine: Engine
) -> tuple[tuple[str, ...], Mapping[str, StoredRelease]] | None:
    """Find the releases that were noted of the same question in a window, and stored: the first that were."""
    asked, own = [p.plan.canonical for p in prepared], owner_keys(engine.ledger, standing.dataset)
    for said in _notes(engine):
        same = (said["dataset"], said["window"], said["questions"]) == (standing.dataset, window, asked)
        if same and own >= set(said["keys"]):
            stored = engine.ledger.replay(OWNER, standing.dataset, said["keys"])
            if set(said["keys"]) <= stored.keys():
                return tuple(said["keys"]), stored
    return None


def shown_to(client: str, dataset: str, path: str | Path, engine: Engine) -> frozenset[str]:
    """Name the stored releases of standing questions that a client may see now; none where the file has a mistake.

    Claim: each is charged to everybody's account, and of a text and a window that the file, as it is now, lets the
    client see. Proof: proofs.md#standing
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
    """Name a standing question by its text, whatever window it is asked of."""
    return sha256(f"{standing.dataset}\n{standing.sql}".encode()).hexdigest()


def _note(standing: Standing, window: str, prepared: tuple[Prepared, ...], engine: Engine) -> None:
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
    return (entry.said for entry in engine.ledger.audit(kind=f"note_{TOPIC}"))
