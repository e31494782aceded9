"""Tumult Analytics on Spark: a person's rows are truncated, over all or per group and over groups, then noised."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("PYSPARK_PYTHON", sys.executable)

import job
from pyspark.sql import SparkSession
from tmlt.analytics import (
    AddRowsWithID,
    ApproxDPBudget,
    KeySet,
    MaxGroupsPerID,
    MaxRowsPerGroupPerID,
    MaxRowsPerID,
    QueryBuilder,
    RhoZCDPBudget,
    Session,
)


def answer(asked: job.Job) -> job.Answers:
    """Run a query; `setting` has rows, or groups and per_group; rho replaces epsilon for Gaussian noise."""
    setting, keys = asked["setting"], asked["keys"]
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "6g")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    rho = setting.get("rho")
    budget = RhoZCDPBudget(rho) if rho else ApproxDPBudget(asked["epsilon"], asked["delta"])
    rows = spark.read.parquet(asked["data"]).select("person", *keys, *([asked["value"]] if asked["value"] else []))
    answers = []
    for _ in job.each_run(asked):
        session = Session.from_dataframe(budget, "flat", rows, protected_change=AddRowsWithID("person"))
        listed, left = _keys(asked, session, budget)
        found = session.evaluate(_query(asked, listed), left).collect()
        answers.append({job.text_key(*(row[key] for key in keys)): float(row["n"]) for row in found})
    bounds = ", ".join(f"{name} {chosen}" for name, chosen in setting.items() if name != "rho")
    return answers, f"{bounds}; {f'Gaussian, rho {rho:.4f}' if rho else 'epsilon 1'}"


def _keys(asked: job.Job, session: Session, budget: object):
    """List the keys; private ones are found first, for half of epsilon and all of delta."""
    if not asked["private"]:
        return KeySet.from_dict({key: asked["listed"][key] for key in asked["keys"]}), budget
    half = asked["epsilon"] / 2
    found = QueryBuilder("flat").enforce(MaxRowsPerID(asked["setting"]["rows"])).get_groups(asked["keys"])
    groups = session.evaluate(found, ApproxDPBudget(half, asked["delta"]))
    return KeySet.from_dataframe(groups), ApproxDPBudget(half, 0)


def _query(asked: job.Job, listed: KeySet):
    setting, keys = asked["setting"], asked["keys"]
    query = QueryBuilder("flat")
    if "rows" in setting:
        query = query.enforce(MaxRowsPerID(setting["rows"]))
    else:
        query = query.enforce(MaxGroupsPerID(keys[0], setting["groups"]))
        query = query.enforce(MaxRowsPerGroupPerID(keys[0], setting["per_group"]))
    grouped = query.groupby(listed)
    low, high = asked["ends"]
    if asked["kind"] == "rows":
        return grouped.count(name="n")
    if asked["kind"] == "persons":
        return grouped.count_distinct(["person"], name="n")
    number = grouped.sum if asked["kind"] == "sum" else grouped.average
    return number(asked["value"], low=low, high=high, name="n")


if __name__ == "__main__":
    job.run(answer, "tmlt.analytics")
