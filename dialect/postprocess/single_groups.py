"""Questions whose numbers each read one group of one release, for which noise may be correlated between groups.

Sums, differences and selections of groups have the noise of several, which independent noise serves better.
"""

from __future__ import annotations

from dialect.algebra.expressions import Expr, Field, Ref, expand_definitions, fields_of
from dialect.algebra.relations import Filter, Join, Project, Public, Relation, ReleaseScan, SemiJoin, Sort
from dialect.postprocess.question import Question


def reads_single_groups(question: Question) -> bool:
    """Return whether every number shown is computed from the numbers of a single group, whichever they are.

    The query has one release, and above it only projections, ORDER BY, joins with public tables, and filters on what
    is free of noise. Anything else counts as reading several groups: it may add them up, or choose among them.

    Claim: no output row depends on the noise of two groups of a release, and which rows are shown does not depend on
    noise. Proof: proofs.md#single-groups
    """
    if len(question.releases) != 1 or question.released_sums or question.union_columns:
        return False
    return _reads_single_groups(question.outer, frozenset(question.releases[0].keys))


def _reads_single_groups(relation: Relation, keys: frozenset[Field]) -> bool:
    """Return whether each row of a released relation comes from one row of the release, chosen without noise."""
    operator = relation.operator
    if isinstance(operator, ReleaseScan):
        return True
    if isinstance(operator, Project):
        return _reads_single_groups(operator.source, keys)
    if isinstance(operator, Sort):
        return operator.limit is None and operator.offset == 0 and _reads_single_groups(operator.source, keys)
    if isinstance(operator, Filter):
        return _is_noise_free(operator.condition, keys) and _reads_single_groups(operator.source, keys)
    if isinstance(operator, SemiJoin):
        is_lookup = isinstance(operator.right, Public) and _is_noise_free(operator.condition, keys)
        return is_lookup and _reads_single_groups(operator.left, keys)
    if isinstance(operator, Join):
        sides = (operator.left, operator.right)
        released = [side for side in sides if not isinstance(side, Public)]
        is_lookup = len(released) == 1 and _is_noise_free(operator.condition, keys)
        return is_lookup and _reads_single_groups(released[0], keys)
    return False


def _is_noise_free(condition: Expr, keys: frozenset[Field]) -> bool:
    """Return whether a condition reads keys and public columns alone."""
    read = (part for field in fields_of(condition) for part in fields_of(expand_definitions(Ref(field))))
    return all(field in keys or field.public_values is not None for field in read)
