"""SmartNoise SQL over SQLite: rows of a person are sampled down to `max_ids`, values clamped, Laplace noise added."""

from __future__ import annotations

import sqlite3
import warnings
from pathlib import Path

import job
import pyarrow.parquet as pq
from snsql import Privacy, from_connection

NUMBERS = {"rows": "COUNT(*)", "persons": "COUNT(DISTINCT person)", "sum": "SUM({v})", "mean": "AVG({v})"}


def answer(asked: job.Job) -> job.Answers:
    """Run a query whose mechanisms together cost the given epsilon and delta."""
    warnings.simplefilter("ignore")
    setting, value = asked["setting"], asked["value"]
    number = NUMBERS[asked["kind"]].format(v=value)
    sql = f"SELECT {', '.join(asked['keys'])}, {number} AS n FROM main.flat GROUP BY {', '.join(asked['keys'])}"
    columns = {key: {"type": "int"} for key in asked["keys"]} | {"person": {"type": "int", "private_id": True}}
    if value:
        columns[value] = {"type": "float", "lower": asked["ends"][0], "upper": asked["ends"][1]}
    metadata = {"": {"main": {"flat": {"row_privacy": False, **columns, **setting}}}}
    connection = _opened(Path(asked["data"]), [*asked["keys"], *([value] if value else [])])
    epsilon, delta = _share(connection, metadata, sql, asked)
    answers = []
    for _ in job.each_run(asked):
        reader = _reader(connection, metadata, epsilon, delta)
        _, *rows = reader.execute(sql)
        answers.append({job.text_key(*row[:-1]): float(row[-1]) for row in rows if row[-1] is not None})
    told = ", ".join(f"{name} = {chosen}" for name, chosen in setting.items()) or "max_ids = 1, censor_dims = true"
    return answers, f"{told}; epsilon {epsilon:.3g} a mechanism"


def _opened(data: Path, columns: list[str]) -> sqlite3.Connection:
    """Copy the table into SQLite, in memory."""
    connection = sqlite3.connect(":memory:")
    names = ["person", *columns]
    connection.execute(f"CREATE TABLE flat ({', '.join(names)})")
    for batch in pq.ParquetFile(data).iter_batches(columns=names, batch_size=200_000):
        rows = zip(*(batch.column(name).to_pylist() for name in names), strict=True)
        connection.executemany(f"INSERT INTO flat VALUES ({', '.join('?' * len(names))})", rows)
    connection.commit()
    return connection


def _reader(connection: sqlite3.Connection, metadata: dict, epsilon: float, delta: float):
    return from_connection(
        connection, engine="sqlite", metadata=metadata, privacy=Privacy(epsilon=epsilon, delta=delta)
    )


def _share(connection: sqlite3.Connection, metadata: dict, sql: str, asked: job.Job) -> tuple[float, float]:
    """Largest epsilon of one mechanism at which SmartNoise's own accounting stays within the request."""
    low, high = 0.0, asked["epsilon"]
    for delta in (asked["delta"], asked["delta"] / 2, asked["delta"] / 4):
        spent = _cost(connection, metadata, sql, high, delta)
        if spent[0] <= asked["epsilon"] and spent[1] <= asked["delta"]:
            return high, delta
    for _ in range(30):
        middle = (low + high) / 2
        spent = _cost(connection, metadata, sql, middle, delta)
        fits = spent[0] <= asked["epsilon"] and spent[1] <= asked["delta"]
        low, high = (middle, high) if fits else (low, middle)
    return low, delta


def _cost(connection: sqlite3.Connection, metadata: dict, sql: str, epsilon: float, delta: float):
    return tuple(_reader(connection, metadata, epsilon, delta).get_privacy_cost(sql))


if __name__ == "__main__":
    job.run(answer, "smartnoise-sql")
