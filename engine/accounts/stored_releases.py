"""Stored releases of each dataset: when they were made, and whether they are still replayed."""

from __future__ import annotations

from typing import Any

from budgets import OWNER, EntryKind, Ledger
from dialect import Catalog
from dialect.catalog import Dataset
from engine.catalog.sources import version_of
from engine.reuse.replay import data_of


def stored_releases(ledger: Ledger, catalog: Catalog) -> list[dict[str, Any]]:
    """List each dataset's replay rule and its stored releases, oldest first; no numbers."""
    return [
        {"dataset": of.name, "replay_max_age_days": of.replay_days, "releases": _stored(ledger, of)}
        for of in catalog.datasets
    ]


def _stored(ledger: Ledger, of: Dataset) -> list[dict[str, Any]]:
    asked: dict[str, dict[str, Any]] = {}
    before: set[str] = set()  # made from another data version: no longer replayed to clients
    for entry in ledger.audit(kind=EntryKind.CHARGED):
        older = data_of(entry.said.get("versions", "")) not in ("", version_of(of)) and entry.holder != OWNER
        for release in entry.said["releases"] if entry.dataset == of.name else ():
            before |= {release["key"]} if older else set()
            told = asked.setdefault(release["key"], {"question": None, "sql": None, "by_owner": entry.holder == OWNER})
            told["question"] = release.get("question", told["question"])
            told["sql"] = told["sql"] or entry.said.get("wording") or None
    made = sorted(ledger.made(of.name, asked).values(), key=lambda each: (each.settled_at, each.release_key))
    return [
        {
            "release_id": each.release_key,
            "made_at": each.settled_at,
            "age_days": each.age_days,
            "repeated": each.release_key not in before and (of.replay_days is None or each.age_days < of.replay_days),
            **asked[each.release_key],
        }
        for each in made
    ]
