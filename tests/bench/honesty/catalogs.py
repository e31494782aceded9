"""Catalogs of the bench, as they are and without clip norms: the shops have those that a careful owner would guess.

A catalog of data of one's own is one more entry of `SUBJECTS`: a function that returns its document, and questions.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.api.session import Session, open_session
from engine.catalog.bundled import MIBICI_CATALOG, mibici_folder
from engine.catalog.folders import cache_folder
from engine.catalog.operator import operator_path
from engine.data.snapshot import open_snapshot
from tests.bench.honesty import heavy, mibici_questions, operator_questions
from tests.bench.honesty.questions import Question
from tests.support.sql.plain import PlainEngine

OPERATOR_EVENTS = 2_000_000
WEEK_MINUTES = 10_080
GUESSES = ("norms", "centre", "covers", "sum_norm", "centred_norm")  # what a catalog may leave out
Document = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """One catalog: how its document is made, with its data, and its questions."""

    name: str
    document: Callable[[], Document]
    questions: Callable[[], Iterator[Question]]
    has_unseen_tail: bool = False  # reported apart as well: the heaviest units hold much and are too few to be seen


def _operator() -> Document:
    """The operator, whose visits of over a day are within their declared bounds: what these cut off, nobody can hold."""
    document = _with_absolute_sources(operator_path(OPERATOR_EVENTS))
    document["tables"]["visit"]["columns"]["dwell_min"]["bounds"] = [0, WEEK_MINUTES]
    return document


def _mibici() -> Document:
    return _with_absolute_sources(MIBICI_CATALOG, mibici_folder())


def _with_absolute_sources(catalog: Path, data: Path | None = None) -> Document:
    document = tomllib.loads(catalog.read_text(encoding="utf-8"))
    for table in document["tables"].values():
        for kind in ("duckdb", "parquet"):
            if kind in table["source"]:
                table["source"][kind] = str((data or catalog.parent) / table["source"][kind])
    return document


def work_folder() -> Path:
    """Folder of generated data and cached exact values; it can be deleted at any time."""
    folder = Path(tempfile.gettempdir()) / "passersby-honesty"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _shop(tail: str) -> Document:
    """Make a shop's data at first use, and again when the generator changes."""
    version = hashlib.sha256(Path(heavy.__file__).read_bytes()).hexdigest()[:12]
    folder = work_folder() / f"{tail}-{version}"
    document = heavy.shop_catalog(tail, str(folder / "shop.duckdb"))
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=work_folder()) as unfinished:
            heavy.write_shop(tail, Path(unfinished) / "shop.duckdb")
            Path(unfinished).rename(folder)
            Path(unfinished).mkdir()
    return document


SUBJECTS = {
    each.name: each
    for each in (
        Subject("operator", _operator, operator_questions.questions),
        Subject("mibici", _mibici, mibici_questions.questions),
        Subject("pareto", partial(_shop, "pareto"), heavy.questions, has_unseen_tail=True),
        Subject("rare", partial(_shop, "rare"), heavy.questions, has_unseen_tail=True),
    )
}


def catalog_document(document: Document, *, declares_norms: bool) -> Document:
    """Return the document as it is, or without anything that guesses at contributions."""
    return document if declares_norms else _without(document, GUESSES)


def _without(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _without(each, names) for key, each in value.items() if key not in names}
    return value


def to_toml(document: Document) -> str:
    """Write a document of tables, lists, text, numbers and booleans as TOML, one inline table a line."""
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in document.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Opened:
    """A catalog, open both ways: for questions with noise, and in plain DuckDB over eligible rows."""

    session: Session
    plain: PlainEngine
    digest: str  # of what exact values depend on


@contextmanager
def opened(subject: Subject, *, declares_norms: bool) -> Iterator[Opened]:
    """Open a catalog in one of its forms."""
    with tempfile.TemporaryDirectory(prefix="honesty-") as scratch:
        document = subject.document()
        path = Path(scratch) / "catalog.toml"
        path.write_text(to_toml(catalog_document(document, declares_norms=declares_norms)), encoding="utf-8")
        with open_session(str(path), ledger=":memory:") as session:
            snapshot = open_snapshot(session.engine.catalog, cache_folder(), lambda *_: None)
            plain = PlainEngine(session.engine.catalog, snapshot.files, snapshot.addresses)
            yield Opened(session, plain, _digest(document))
            plain.close()


def _digest(document: Document) -> str:
    """Digest of what exact values depend on: the document without guesses; name, size and time of the data files."""
    sources = [table["source"] for table in document["tables"].values()]
    files = sorted({path for source in sources for kind, path in source.items() if kind in ("duckdb", "parquet")})
    facts = [(path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([_without(document, GUESSES), facts]).encode()).hexdigest()[:16]
