"""Stored releases of each dataset: when they were made, and whether they are still replayed."""

from __future__ import annotations

from typing import Any

from budgets import OWNER, EntryKind, Ledger
from dialect import Catalog
from dialect.catalog import Dataset
from engine.reuse.holdings import data_version_of


def list_stored_releases(ledger: Ledger, catalog: Catalog) -> list[dict[str, Any]]:
    """List each dataset's replay rule and its stored releases, oldest first; no numbers."""
    return [
        {"dataset": of.name, "replay_max_age_days": of.replay_days, "releases": _releases_of_dataset(ledger, of)}
        for of in catalog.datasets
    ]


def _releases_of_dataset(ledger: Ledger, dataset: Dataset) -> list[dict[str, Any]]:
    queries: dict[str, dict[str, Any]] = {}
    outdated: set[str] = set()  # made from another data version: no longer replayed to clients
    for entry in ledger.entries(kind=EntryKind.CHARGED):
        is_outdated = (
            data_version_of(entry.content.get("versions", "")) not in ("", dataset.full_data_version)
            and entry.holder != OWNER
        )
        for release in entry.content["releases"] if entry.dataset == dataset.name else ():
            outdated |= {release["key"]} if is_outdated else set()
            query = queries.setdefault(
                release["key"], {"question": None, "sql": None, "by_owner": entry.holder == OWNER}
            )
            query["question"] = release.get("question", query["question"])
            query["sql"] = query["sql"] or entry.content.get("wording") or None
    stored = sorted(
        ledger.release_ages(dataset.name, queries).values(), key=lambda each: (each.settled_at, each.release_key)
    )
    return [
        {
            "release_id": each.release_key,
            "made_at": each.settled_at,
            "age_days": each.age_days,
            "repeated": each.release_key not in outdated
            and (dataset.replay_days is None or each.age_days < dataset.replay_days),
            **queries[each.release_key],
        }
        for each in stored
    ]
