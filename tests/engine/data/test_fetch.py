"""Objects of a store are copied whole, in one state, once; no secret appears in any message."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engine import Refused, ingest_files
from engine.catalog.sources import parse_store_address
from engine.data.ingest import fetch
from engine.errors import DataError
from tests.engine.ingest_town import BAD, GOOD, HEADER, SECRET, VISITS, make
from tests.support.server.object_store import CREDENTIALS, KEY, ObjectStore, object_store
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT

PIECE = 20  # bytes
FILES = ("new/1.csv", "new/2.csv", "new/day=2026-10-03/3.csv")


def csv(*rows: str) -> bytes:
    return "\n".join((HEADER, *rows, "")).encode()


@pytest.fixture(scope="module")
def running() -> Iterator[ObjectStore]:
    with object_store() as store:
        yield store


@pytest.fixture
def store(running: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """An object store with three objects of new rows, a row each."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    running.empty()
    for path, row in zip(FILES, GOOD, strict=True):
        running.put(path, csv(row))
    running.requests.clear()
    return running


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(fetch, "PIECE_BYTES", PIECE)
    return make(tmp_path)


def ingest(town: Path, *given: str, **options: Any) -> dict[str, Any]:
    return ingest_files(str(town), "visit", given, **options)


def refused(town: Path, given: str, **options: Any) -> str:
    with pytest.raises(Refused) as found:
        ingest(town, given, **options)
    assert rows(town) == VISITS
    return json.dumps(found.value.problem)


def rows(town: Path) -> int:
    with duckdb.connect() as connection:
        return int(connection.execute(f"SELECT count(*) FROM '{town.parent}/visits/*.parquet'").fetchall()[0][0])


def left(town: Path) -> list[str]:
    return sorted(
        path.name
        for path in (town.parent / "visits" / ".ingest").iterdir()
        if path.name not in ("lock", "deliveries.json")
    )


def at_copying(name: str, do: Callable[[], None]) -> Callable[[str, float], None]:
    """Do something once, when an object is about to be copied."""
    waiting = [do]

    def progress(stage: str, fraction: float) -> None:
        assert 0 <= fraction <= 1
        if stage.startswith(f"copying {name}") and waiting:
            waiting.pop()()

    return progress


def interrupt() -> None:
    raise KeyboardInterrupt


# ---------------------------------------------------------------- what is taken


def test_objects_under_a_path_are_added_once(store: ObjectStore, town: Path) -> None:
    done = ingest(town, store.address("new/"))
    assert (done["rows"], done["files"], done["already"], rows(town)) == (3, 3, 0, VISITS + 3)
    assert left(town) == []
    store.requests.clear()
    again = ingest(town, store.address("new"))
    assert (again["rows"], again["already"], again["version"]) == (0, 3, done["version"])
    assert not any(map(store.reads, FILES)), "what is in already is copied again"
    store.put("new/4.csv", csv("5004,2,z1,1,1,a,2026-10-04"))
    more = ingest(town, store.address("new/"))
    assert (more["rows"], more["files"], more["already"]) == (1, 1, 3)


def test_one_object_and_those_that_fit_a_pattern(store: ObjectStore, town: Path) -> None:
    with duckdb.connect() as connection:
        row = "SELECT 5009 AS visit_id, 2 AS person_id, 'z1' AS zone, '2026-10-04' AS day, 'a' AS shop, 1 AS coins, 1.5::DOUBLE AS minutes"
        connection.execute(f"COPY ({row}) TO '{town.parent}/new.parquet' (FORMAT parquet)")
    store.put("new/5.parquet", (town.parent / "new.parquet").read_bytes())
    assert ingest(town, store.address("new/1.csv"))["rows"] == 1
    assert "several kinds" in json.dumps(_problem(town, store.address("new/")))
    assert ingest(town, store.address("new/*.csv"))["already"] == 1
    assert ingest(town, store.address("new/*.parquet"), store.address("new/day=2026-10-03/3.csv"))["rows"] == 2
    assert rows(town) == VISITS + 4


def _problem(town: Path, given: str) -> object:
    with pytest.raises(Refused) as found:
        ingest(town, given)
    return found.value.problem


def test_object_names_are_not_patterns_and_hidden_files_are_not_data(store: ObjectStore, town: Path) -> None:
    store.put("odd/a[1] %41ä*?.csv", csv(GOOD[0]))
    store.put("odd/_SUCCESS", b"")
    store.put("odd/_log/1.json", b"{}")
    assert ingest(town, store.address("odd"))["rows"] == 1


def test_refused_rows_of_objects_are_stored_and_object_copies_are_removed(store: ObjectStore, town: Path) -> None:
    store.put("new/6.csv", csv(*BAD.values()))
    done = ingest(town, store.address("new/"))
    assert (done["rows"], done["refused"].keys()) == (3, BAD.keys())
    assert left(town) == [Path(done["quarantine"]).name]
    store.put("whole/7.csv", b"visit_id\n1\n")
    assert "has no column" in json.dumps(_problem(town, store.address("whole/")))
    assert left(town) == [Path(done["quarantine"]).name]


# ---------------------------------------------------------------- killed, gone, changed


def test_a_killed_copy_is_resumed(store: ObjectStore, town: Path) -> None:
    pieces = -(-len(csv(GOOD[1])) // PIECE)
    command = [sys.executable, "-m", "tests.support.ledger.dying_fetch", str(town), store.address("new/"), str(PIECE)]
    done = subprocess.run([*command, "copying 2.csv", str(pieces)], cwd=ROOT, capture_output=True, timeout=MAX_SECONDS)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert rows(town) == VISITS and len(left(town)) == 3  # two copies, and a folder to work in
    assert store.reads("1.csv") and store.reads("2.csv") and not store.reads("3.csv")
    store.requests.clear()
    assert ingest(town, store.address("new/"))["rows"] == 3
    assert (store.reads("1.csv"), rows(town), left(town)) == (0, VISITS + 3, [])
    assert store.reads("2.csv") < store.reads("3.csv"), "what was copied is copied again"


def test_copies_that_are_not_wanted_any_more_are_removed(store: ObjectStore, town: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ingest(town, store.address("new/"), progress=at_copying("2.csv", interrupt))
    assert len(left(town)) == 2
    assert ingest(town, store.address("new/day=2026-10-03/"))["rows"] == 1
    assert left(town) == []


def test_a_network_failure_loses_nothing(store: ObjectStore, town: Path) -> None:
    told = refused(town, store.address("new/"), progress=at_copying("2.csv", store.go_offline))
    store.go_online()
    assert "can't be reached, or broke off" in told and "run it again" in told
    store.requests.clear()
    assert ingest(town, store.address("new/"))["rows"] == 3
    assert store.reads("1.csv") == 0


def changed(store: ObjectStore, town: Path) -> Callable[[str, float], None]:
    """Write an object anew, of the same size, when it was listed and is about to be copied."""
    return at_copying("2.csv", lambda: store.put("new/2.csv", csv(GOOD[1].replace("shop 2", "shop 3"))))


def test_an_object_that_changes_before_it_is_copied_is_refused(store: ObjectStore, town: Path) -> None:
    assert "2.csv changed in the store" in refused(town, store.address("new/"), progress=changed(store, town))
    assert ingest(town, store.address("new/"))["rows"] == 3


def test_an_unchecked_copy_is_caught(store: ObjectStore, town: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_check_same", lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        refused(town, store.address("new/"), progress=changed(store, town))


# ---------------------------------------------------------------- what is said


def test_missing_objects_and_buckets_are_refused_with_the_reason(store: ObjectStore, town: Path) -> None:
    assert "there is no bucket, or no path" in refused(town, store.address("new/", bucket="no-such-bucket"))
    assert "there is no bucket, or no path" in refused(town, store.address("old/"))
    store.put("empty/readme.txt", b"")
    assert "there is no .parquet or .csv file at s3://city-lake/empty/." in refused(town, store.address("empty/"))


def test_without_credentials_nothing_is_read(store: ObjectStore, town: Path) -> None:
    store.require_credentials()
    told = refused(town, store.address("new/"))
    store.allow_anonymous()
    assert "does not let s3://city-lake/new/ be read" in told and KEY not in told


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (f"s3://AKIA:{SECRET}@lake/new/", "carries credentials"),
        (f"s3://{SECRET}@lake/new/", "carries credentials"),
        (f"abfss://box:{SECRET}@one.dfs.core.windows.net/new/", "carries credentials"),
        (f"s3://lake/new/?secret_key={SECRET}", "options that are not read"),
        (f"abfss://box@one.dfs.core.windows.net/new/?sig={SECRET}", "options that are not read"),
        (f"s3://lake/new/?{SECRET}", "can't be read"),
        (f"s3://[{SECRET}/new/", "can't be read"),
        (f"s3://lake/new/#{SECRET}", "carries credentials"),
        (f"s3://AKIA:abc/{SECRET}@lake/new/", "carries credentials"),
        (f"s3://AKIA/{SECRET}@lake/new/", "carries credentials"),
        (f"gs://me@{SECRET}/new/", "carries credentials"),
        (f"abfss://box:ab/{SECRET}@one.dfs.core.windows.net/new/", "carries credentials"),
        (f"abfss://box/{SECRET}@one.dfs.core.windows.net/new/", "carries credentials"),
        (f"s3://lake/new/?endpoint_override=KEY:{SECRET}@store.example", "carries credentials"),
        ("s3://lake/new/?endpoint_override=http://store.example:9000", "no host"),
        ("s3://lake/new/?endpoint_override=http://127.0.0.1:9000", "no host"),
        (f"ftp://me:{SECRET}@there/new/", "no object store"),
        ("s3://lake/*/new/", "before its last part"),
        ("s3://lake/new/?scheme=http&endpoint_override=store.example:9000", "in the clear"),
        ("s3://lake/new/?scheme=http", "in the clear"),
    ],
)
def test_an_address_that_is_refused_is_not_repeated(given: str, why: str) -> None:
    with pytest.raises(DataError) as found:
        parse_store_address("visit", given)
    assert why in str(found.value) and SECRET not in str(found.value)


@pytest.mark.parametrize("given", ["s3:///new/", "s3://lake/a b/"])
def test_an_address_that_its_library_can_t_read_is_refused(town: Path, given: str) -> None:
    assert "can't be read" in refused(town, given)
