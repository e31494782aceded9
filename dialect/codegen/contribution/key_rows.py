"""Key-set rows (zero fill): one row per public key shown, in public order, zeros included.

Proof: `dialect/codegen/proofs.md#render`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dialect.algebra.release_plan import KeySet, PrivatePlan, VectorKind
from dialect.algebra.target import Target
from dialect.codegen.contribution.public_side import Coded
from dialect.codegen.relations.relation import write_rows

LARGEST_SUM = 2**63 - 1
NUMBER = "number"  # column with the encoded key, in arbitrary order


def codes_of(coded: Coded, target: Target) -> str:
    """Write a dictionary: each text with its code."""
    rows = write_rows(coded.ranked, (coded.text, coded.code), target)
    return f"SELECT DISTINCT {coded.text.id} AS text, {coded.code.id} AS code FROM ({rows}) AS t"


def keys_of(key_set: KeySet, codes: Mapping[int, Coded], target: Target, numbered: bool = False) -> str:
    """Write the public keys k0, k1, ... and the codes that replace them in grouping; no group has code 0."""
    columns = [f"{f.id} AS k{i}" for i, f in enumerate(key_set.keys)]
    for i in codes:
        text = key_set.keys[i].id
        columns.append(f"CASE WHEN {text} IS NOT NULL THEN coalesce(codes{i}.code, 0) END AS code{i}")
    if numbered:
        columns.append(f"CAST(row_number() OVER () AS INTEGER) AS {NUMBER}")
    joins = "".join(f" LEFT JOIN codes{i} ON {key_set.keys[i].id} = codes{i}.text" for i in codes)
    return f"SELECT {', '.join(columns)} FROM ({write_rows(key_set.relation, key_set.keys, target)}) AS k{joins}"


def in_public_order(
    plan: PrivatePlan,
    codes: Mapping[int, Coded],
    numbered: bool = False,
    tables: Sequence[str] | None = None,
    ordered: bool = True,
) -> str:
    """Write the answer: one row per key in public order, sums narrowed to BIGINT by a clamp."""
    columns = [f"{'sums' if plan.key_set is None else 'keys'}.k{i}" for i in range(len(plan.keys))]
    columns = [f"{column} AS k{i}" for i, column in enumerate(columns)]
    columns += [f"{narrowed(f'w{i}')} AS w{i}" for i in range(len(plan.vectors))]
    order = " ORDER BY " + ", ".join(f"k{i} NULLS LAST" for i in range(len(plan.keys))) if ordered else ""
    if tables is None:
        tables = ["sums", *(f"counts{i}" for i, v in enumerate(plan.vectors) if v.kind is VectorKind.DISTINCT)]
    if not plan.keys:
        return f"SELECT {', '.join(columns)} FROM {' CROSS JOIN '.join(tables)}"
    if numbered:
        return f"SELECT {', '.join(columns)} FROM keys LEFT JOIN sums ON keys.{NUMBER} = sums.k0{order}"
    if plan.key_set is None:
        beside = "".join(f" LEFT JOIN {table} ON {_beside_sums(table, plan)}" for table in tables[1:])
        return f"SELECT {', '.join(columns)} FROM sums{beside}{order}"
    joins = "".join(f" LEFT JOIN {table} ON {same_keys(table, plan.key_set, codes)}" for table in tables)
    return f"SELECT {', '.join(columns)} FROM keys{joins}{order}"


def _beside_sums(table: str, plan: PrivatePlan) -> str:
    return " AND ".join(f"sums.k{i} IS NOT DISTINCT FROM {table}.k{i}" for i in range(len(plan.keys)))


def listed_among(rows: str, plan: PrivatePlan, codes: Mapping[int, Coded]) -> str:
    """Write the semi-join that drops groups outside the public key set; "" where there can be none."""
    if plan.key_set is None or plan.key_set.closed or not plan.keys:
        return ""
    return f" SEMI JOIN keys ON {same_keys(rows, plan.key_set, codes)}"


def same_keys(table: str, key_set: KeySet, codes: Mapping[int, Coded]) -> str:
    """Write the join condition between public keys and a table's group keys."""
    pairs = [(f"keys.{'code' if i in codes else 'k'}{i}", key, f"{table}.k{i}") for i, key in enumerate(key_set.keys)]
    return " AND ".join(f"{one} {'IS NOT DISTINCT FROM' if key.nullable else '='} {two}" for one, key, two in pairs)


def narrowed(total: str) -> str:
    """Write a sum clamped to 64 bits, which never raises; 0 where nothing was added."""
    return f"CAST(greatest(-{LARGEST_SUM}, least({LARGEST_SUM}, coalesce({total}, 0))) AS BIGINT)"
