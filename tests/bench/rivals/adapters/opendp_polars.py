"""OpenDP Polars: rows of a person are truncated, per group and over groups, then Laplace or Gaussian noise is added."""

from __future__ import annotations

import job
import opendp.prelude as dp
import polars as pl

MOST_ROWS = 10**8  # of the table, as its guide has one say it
KEPT = "first"  # of a person's groups: "sample", which is the default, raises "multiple fields with name" in 0.16.0


def answer(asked: job.Job) -> job.Answers:
    """Run a query; `setting` has rows, or groups and per_group; rho replaces epsilon for Gaussian noise."""
    dp.enable_features("contrib")
    setting, keys = asked["setting"], asked["keys"]
    rho = setting.get("rho")
    delta = asked["delta"] if asked["private"] else None
    loss = dp.loss_of(rho=rho, delta=delta) if rho else dp.loss_of(epsilon=asked["epsilon"], delta=asked["delta"])
    rows = pl.scan_parquet(asked["data"]).select("person", *keys, *([asked["value"]] if asked["value"] else []))
    rows = rows.collect().lazy()  # read once, as the other systems do
    answers = []
    for _ in job.each_run(asked):
        context = dp.Context.compositor(
            data=rows,
            privacy_unit=dp.unit_of(contributions=1, identifier=pl.col("person")),
            privacy_loss=loss,
            split_evenly_over=1,
            margins=[dp.polars.Margin(by=[], max_length=MOST_ROWS)],
        )
        found = _query(context, asked).release().collect()
        answers.append({job.text_key(*row[:-1]): float(row[-1]) for row in found.select(*keys, "n").rows()})
    noise = f"Gaussian, rho {rho:.4f}" if rho else f"Laplace, epsilon {asked['epsilon']:g}"
    bounds = ", ".join(f"{name} {chosen}" for name, chosen in setting.items() if name != "rho")
    return answers, f"{bounds}; {noise}"


def _query(context: dp.Context, asked: job.Job):
    setting, keys = asked["setting"], asked["keys"]
    query = context.query()
    if asked["kind"] == "persons":
        query = query.truncate_per_group(1, by=keys).truncate_num_groups(setting["groups"], by=keys, keep=KEPT)
    elif "rows" in setting:
        query = query.truncate_per_group(setting["rows"])
    else:
        query = query.truncate_per_group(setting["per_group"], by=keys)
        query = query.truncate_num_groups(setting["groups"], by=keys, keep=KEPT)
    value = asked["value"] and pl.col(asked["value"])
    ends = tuple(float(end) for end in asked["ends"])
    number = {
        "rows": lambda: dp.len().alias("n"),
        "persons": lambda: dp.len().alias("n"),
        "sum": lambda: value.dp.sum(ends).alias("n"),
        "mean": lambda: value.dp.mean(ends).alias("n"),
    }[asked["kind"]]()
    grouped = query.group_by(keys).agg(number)
    if asked["private"]:
        return grouped
    listed = pl.LazyFrame({key: asked["listed"][key] for key in keys}, schema=dict.fromkeys(keys, pl.Int32))
    return grouped.with_keys(listed)


if __name__ == "__main__":
    job.run(answer, "opendp")
