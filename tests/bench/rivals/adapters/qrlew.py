"""Qrlew: rewrites SQL into private SQL; persons are clipped in L2, keys always reach a threshold.

It writes PostgreSQL, which DuckDB runs here. Where it draws RANDOM() in a CTE that is read twice, the CTE is marked as
MATERIALIZED: PostgreSQL does that by itself.
"""

from __future__ import annotations

import duckdb
import job
import pyqrlew
import sqlalchemy
from pyqrlew import Dialect

NUMBERS = {"rows": "COUNT(*)", "persons": "COUNT(person)", "sum": "SUM({v})", "mean": "AVG({v})"}


def answer(asked: job.Job) -> job.Answers:
    """Run a query; `setting` has max_multiplicity and max_privacy_unit_groups, or nothing."""
    keys, value, setting = asked["keys"], asked["value"], asked["setting"]
    dataset = _dataset(asked)
    number = NUMBERS[asked["kind"]].format(v=value)
    table = "flat"
    if asked["kind"] == "persons":  # 0.9.27 answers COUNT(DISTINCT person) as COUNT(person): so DISTINCT goes below
        pairs = ", ".join([*keys, "person"])
        table = f"(SELECT {pairs} FROM flat GROUP BY {pairs}) AS pairs"
    relation = dataset.relation(f"SELECT {', '.join(keys)}, {number} AS n FROM {table} GROUP BY {', '.join(keys)}")
    answers = []
    private = relation.rewrite_with_differential_privacy(
        dataset,
        [("flat", [], "person")],
        {"epsilon": asked["epsilon"], "delta": asked["delta"]},
        setting.get("max_multiplicity"),
        None,
        setting.get("max_privacy_unit_groups"),
    )
    sql = (
        private.relation()
        .to_query(Dialect.PostgreSql)
        .replace("AS (SELECT RANDOM()", "AS MATERIALIZED (SELECT RANDOM()")
    )
    with duckdb.connect(config={"threads": 2}) as running:
        running.execute(f"CREATE TABLE flat AS SELECT {', '.join(_columns(asked))} FROM '{asked['data']}'")
        for _ in job.each_run(asked):
            found = running.execute(f"SELECT {', '.join(keys)}, n FROM ({sql}) AS made").fetchall()
            answers.append({job.text_key(*row[:-1]): float(row[-1]) for row in found if row[-1] is not None})
    told = ", ".join(f"{name} = {chosen:g}" for name, chosen in setting.items()) or "its own defaults"
    return answers, f"{told}; keys reach a threshold, for half of epsilon and delta"


def _columns(asked: job.Job) -> list[str]:
    return ["person", *asked["keys"], *([asked["value"]] if asked["value"] else [])]


def _dataset(asked: job.Job) -> pyqrlew.Dataset:
    """Describe the table: columns, the size that Qrlew takes as public, and the ends of values."""
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.StaticPool)
    columns = [f"{c} {'FLOAT' if c == asked['value'] else 'INTEGER'}" for c in _columns(asked)]
    empty = ", ".join("0" for _ in columns)
    with engine.begin() as making:
        making.execute(sqlalchemy.text(f"CREATE TABLE flat ({', '.join(columns)})"))
        counted = f"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {asked['rows']})"
        making.execute(sqlalchemy.text(f"INSERT INTO flat {counted} SELECT {empty} FROM c"))
    dataset = pyqrlew.Dataset.from_database("flat", engine)
    for key in asked["keys"]:
        ends = min(asked["listed"][key]), max(asked["listed"][key])
        dataset = dataset.with_range(None, "flat", key, *map(float, ends))
    if asked["value"]:
        dataset = dataset.with_range(None, "flat", asked["value"], *map(float, asked["ends"]))
    return dataset


if __name__ == "__main__":
    job.run(answer, "pyqrlew")
