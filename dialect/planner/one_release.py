"""One release boundary -> its PrivatePlan: which keys, which vectors, and how its numbers come from them."""

from __future__ import annotations

from collections.abc import Sequence

from dialect.algebra.cuts import Limits, cut_to
from dialect.algebra.expressions import Field, Ref, expand
from dialect.algebra.formulas import Output
from dialect.algebra.private_plan import Key, KeySet, KeySource, PrivatePlan, VectorKind
from dialect.algebra.relation_parts import tables_of
from dialect.algebra.relations import Boundary, Kept, Measure, PerPerson
from dialect.analysis.canonical_form import Canon
from dialect.analysis.sql_size import check_weight
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.inference import fixed_by_person
from dialect.functions.moments import MOMENTS
from dialect.functions.plain_text import plain_text
from dialect.parser.context import Reading
from dialect.parser.options import KeysAre
from dialect.planner.charged_windows import charged_windows
from dialect.planner.keys.key_set import key_set
from dialect.planner.keys.private_keys import check_private_keys
from dialect.planner.vectors import Vectors
from dialect.postprocess.interval_functions import refuse_ends
from dialect.stability.outer_joins import check_kept_below, key_rows
from dialect.stability.rules import compute


def one_release(boundary: Boundary, reading: Reading) -> tuple[PrivatePlan, tuple[Output, ...]]:
    """Plan one release: its keys and vectors in canonical order, and how its numbers come from the vectors."""
    asked = [argument for measure in boundary.measures for argument in measure.arguments]
    asked += [measure.condition for measure in boundary.measures if measure.condition is not None]
    source, fields = compute(boundary.source, asked, reading)
    assert isinstance(source, PerPerson)  # noqa: S101  computing keeps the kind
    refuse_ends(source)
    limits = Limits(reading.options.max_groups, reading.options.max_rows)
    source, touched = charged_windows(cut_to(source, limits), boundary.keys, fields, reading)
    canon = Canon()
    structure = canon.relation(source)
    keys = sorted(boundary.keys, key=lambda f: canon.names[f.id])
    check_kept_below(source)
    listed = _listed(keys, source, reading)
    if listed is None:
        check_private_keys(keys, reading)
    collected = Vectors(reading.catalog, dict(zip(asked, fields, strict=True)), canon, source.facts)
    outputs = [
        Output(measure.field, collected.formula(measure), _own_ends(measure, reading)) for measure in boundary.measures
    ]
    if listed is None or not outputs:
        collected.add(VectorKind.PERSONS, None, None)
    check_weight(source, *((listed.relation,) if listed is not None else ()))
    vectors, outputs_in_order = collected.in_order(outputs)
    made = PrivatePlan(
        dataset=source.dataset,
        source=source,
        keys=tuple(_key(f, listed, reading) for f in keys),
        key_set=listed,
        one_group_per_person=all(fixed_by_person(f) for f in keys),
        one_row_per_person=source.one_row_per_person,
        vectors=vectors,
        tables=tuple(sorted(name for name in tables_of(source, False) if _is_private(name, reading))),
        frame=f"{source.dataset}: {structure} group by {', '.join(canon.names[f.id] for f in keys)}"
        f" {_key_text(listed)}{touched.text}",
        texts=tuple(sorted(collected.texts)),
        limits=limits,
        touched=touched,
    )
    return made, outputs_in_order


def _own_ends(measure: Measure, reading: Reading) -> tuple[Field, Field] | None:
    """Name the ends of an interval that only the release itself can say."""
    if measure.function not in MOMENTS:
        return None
    return Field(reading.fresh(), None, SqlType.DOUBLE), Field(reading.fresh(), None, SqlType.DOUBLE)


def _listed(keys: Sequence[Field], source: PerPerson, reading: Reading) -> KeySet | None:
    """Find the public list of all keys, unless the question wants them to reach a threshold."""
    asked = reading.options
    if source.kept is not None:
        if asked.keys is KeysAre.PRIVATE:
            why = "A LEFT JOIN keeps every key of its public rows, so they are public."
            raise Refusal(Code.PARAM, why, "JOIN instead of LEFT JOIN", asked.span("keys"))
        return _kept_keys(source.kept, keys)
    if keys and asked.keys is KeysAre.PRIVATE:
        return None
    listed = key_set(keys, source, reading)
    if listed is None and asked.keys is KeysAre.PUBLIC:
        why = "No public list of these keys is known: only private ones are possible."
        raise Refusal(Code.KEY, why, "keys = 'private', which asks for a threshold", asked.span("keys"))
    return listed


def _kept_keys(kept: Kept, keys: Sequence[Field]) -> KeySet:
    """List every key of the public rows that a LEFT JOIN keeps: the question itself asks for all of them."""
    relation, held = key_rows(kept, keys)
    what = ", ".join(sorted(tables_of(kept.rows))) or "a public list"
    return KeySet(relation, held, (KeySource(relation, what, True),), asked=True)


def _key_text(listed: KeySet | None) -> str:
    if listed is None:
        return "thresholded"
    if not listed.asked or not listed.keys:
        return "listed"
    canon = Canon()
    rows = canon.relation(listed.relation)
    return f"all of {rows} by {', '.join(canon.names[f.id] for f in listed.keys)}"


def _is_private(name: str, reading: Reading) -> bool:
    table = reading.catalog.table(name)
    return table is not None and table.private


def _key(key: Field, listed: KeySet | None, reading: Reading) -> Key:
    text = plain_text(expand(Ref(key)))
    if reading.options.keys is KeysAre.PRIVATE:
        return Key(key, text, "asked for as private, so keys must reach a threshold")
    if listed is None:
        return Key(key, text, "no public list of its values is known, so keys must reach a threshold")
    return Key(key, text, "public: " + ", ".join(source.what for source in listed.sources))
