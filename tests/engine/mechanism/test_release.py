"""Stored releases: stable bytes, and no serialization of private data."""

from __future__ import annotations

import copy
import json
import pickle
import re

import numpy as np
import pyarrow as pa
import pytest

from dialect import compile_query
from engine import backends
from engine.backends import exact
from engine.mechanism import gaussian, release
from engine.mechanism.release import Release, outer_sql_table, release_from_bytes, release_to_bytes
from engine.pipeline import engine as pipeline
from engine.pipeline.engine import Engine
from engine.pricing import compile_release as compile_release_module
from engine.pricing import noisy_release
from engine.pricing.query_terms import Request

KEYS = pa.table({"k0": ["a", "b", None], "k1": pa.array([1, None, 3], pa.int32())})


def made(**changes: object) -> Release:
    noisy = (np.array([5, -3, 2**62], dtype=np.int64), np.array([0, 1, -(2**63)], dtype=np.int64))
    given = {"keys": KEYS, "noisy": noisy, "grains": (1.0, 2.0**-20), "sigmas": (10.1, 1e9 / 3)}
    return Release(**{**given, **changes})  # type: ignore[arg-type]


def test_a_release_comes_back_as_it_was_written() -> None:
    first = made()
    again = release_from_bytes(release_to_bytes(first))
    assert again.keys.equals(first.keys)
    assert [vector.tolist() for vector in again.noisy] == [vector.tolist() for vector in first.noisy]
    assert {vector.dtype for vector in again.noisy} == {np.dtype(np.int64)}
    assert (again.grains, again.sigmas) == (first.grains, first.sigmas)
    assert release_to_bytes(again) == release_to_bytes(first)


def test_correlated_numbers_are_stored_in_two_parts() -> None:
    """The centred vector and the number of units, whose noise is independent: half a person is 2^19 grains here."""
    units = np.array([9], dtype=np.int64)
    first = made(unit_counts=(None, units), shared_sigmas=(0.0, 3.0))
    payload = release_to_bytes(first)
    table, again = pa.ipc.open_stream(payload).read_all(), release_from_bytes(payload)
    assert table.column("w0").to_pylist() == first.noisy[0].tolist()
    assert table.column("w1").to_pylist()[:2] == [0 - 9 * 2**19, 1 - 9 * 2**19]
    assert [vector.tolist() for vector in again.noisy] == [vector.tolist() for vector in first.noisy]
    assert (again.shared_sigmas, again.unit_counts[0]) == (first.shared_sigmas, None)
    assert again.unit_counts[1] is not None and again.unit_counts[1].tolist() == [9]
    assert release_to_bytes(again) == payload and again.is_correlated and not made().is_correlated


@pytest.mark.parametrize("rows", [0, 1])
def test_releases_of_no_key_and_of_no_group_come_back(rows: int) -> None:
    empty = pa.table({"k0": pa.array(["a"][:rows], pa.string())})
    first = made(keys=empty, noisy=(np.arange(rows),) * 2)
    assert release_from_bytes(release_to_bytes(first)).keys.num_rows == rows
    alone = made(keys=pa.table({}), noisy=(np.array([7]), np.array([8])))
    assert [vector.tolist() for vector in release_from_bytes(release_to_bytes(alone)).noisy] == [[7], [8]]


def test_stored_bytes_contain_noisy_numbers_alone(engine: Engine) -> None:
    """Look at every part of a stored payload: keys, noisy numbers, and public facts."""
    (p,) = engine.answer("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", Request("ann")).prepared
    payload = engine.ledger.replay("ann", "town", {p.release_key})[p.release_key].payload
    table = pa.ipc.open_stream(payload).read_all()
    assert table.column_names == ["k0", "w0"]
    facts = json.loads(table.schema.metadata[b"passersby.release"])
    assert set(facts) == {"grains", "sigmas", "meaning"}
    assert facts["meaning"]["sql"] == "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"


def test_exact_numbers_cannot_be_serialized(engine: Engine) -> None:
    (p,) = engine.compile(
        compile_query("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", engine.catalog), Request("ann")
    ).releases
    numbers = engine.backend.run(p.sql)
    for write in (pickle.dumps, copy.deepcopy, release_to_bytes, json.dumps):
        with pytest.raises((TypeError, AttributeError)):
            write(numbers)  # type: ignore[operator]
    assert re.fullmatch(r"<engine.backends.exact.Exact object at \w+>", repr(numbers))


def test_only_releases_are_turned_into_bytes() -> None:
    """In the rooms where exact numbers are, nothing else writes any."""
    for module in (exact, gaussian, noisy_release, compile_release_module, backends.duckdb):
        assert not {"json", "pickle", "ipc"} & set(vars(module)), module.__name__
    assert vars(pipeline)["release_to_bytes"] is release.release_to_bytes


def counted(engine: Engine, grain: float, *noisy: int) -> list[int]:
    """Counts shown for given noisy numbers and grains."""
    question = compile_query("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", engine.catalog)
    (p,), (columns,) = engine.compile(question, Request("ann")).releases, question.releases
    keys_of = pa.table({"k0": [str(number) for number in noisy]})
    held = Release(keys_of, (np.array(noisy, dtype=np.int64),), (grain,), (1.0,))
    counts: list[int] = outer_sql_table(held, p.plan, columns, 0.95).column(columns.outputs[0].field.id).to_pylist()
    return counts


def test_counts_are_whole_numbers_also_in_finer_grains(engine: Engine) -> None:
    assert counted(engine, 2.0**-20, 3, 2**20, -(2**21) - 5, 3 * 2**19 + 1, 2**60) == [0, 1, -2, 2, 2**40]


def test_a_number_beyond_64_bits_stays_at_their_end(engine: Engine) -> None:
    """Grains may be coarser than 1: the widest integers times a grain do not fit."""
    high, low = counted(engine, 4.0, 2**63 - 1, -(2**63))
    assert low == -(2**63)
    assert 2**63 - 2048 <= high < 2**63


def test_a_mean_is_centre_plus_ratio_and_null_if_its_count_is_unstable(engine: Engine) -> None:
    sql = "SELECT zone, AVG(minutes) AS m FROM visit GROUP BY zone"
    question = compile_query(sql, engine.catalog)
    (p,) = engine.compile(question, Request("ann")).releases
    kinds = [str(vector.kind) for vector in p.plan.vectors]
    assert kinds == ["centred", "valid"] or kinds == ["valid", "centred"]
    count = kinds.index("valid")
    numbers = {"valid": [100, 0, -100, 1], "centred": [200, 200, 200, 200]}
    noisy = tuple(np.array(numbers[kind]) for kind in kinds)
    sigmas = tuple(2.0 if i == count else 0.5 for i in range(2))
    held = Release(pa.table({"k0": list("abcd")}), noisy, (1.0, 1.0), sigmas)
    columns = question.releases[0]
    table = outer_sql_table(held, p.plan, columns, 0.95)
    (output,) = columns.outputs
    assert table.column(output.field.id).to_pylist() == [30 + 200 / 100, None, None, None]


def test_variances_are_in_squared_units() -> None:
    assert made(grains=(2.0, 0.5), sigmas=(3.0, 4.0)).variances() == (36.0, 4.0)
