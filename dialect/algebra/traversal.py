"""Traversal of trees: one set of functions for expressions and for relations.

A node is an expression or a relation. Its children are the nodes of the same kind right below it: subexpressions, or
input relations. They are found in the fields of the dataclasses, so that a new operator is declared by its class alone.

    node.children                    direct children, in the order in which they are written
    node.with_children(parts)        copy with other children
    map_children(node, f)            copy with f applied to each child
    transform_down(node, f)          copy with f applied to every node, parents first
    fold(node, f)                    value of a node from the values of its children
    walk(node)                       the node and all nodes below it, parents first; `below` chooses the children
    map_parts(part, f)               copy of an operator with f applied to the relations and expressions in it

Unchanged subtrees stay the same objects, so that what is known of an object stays valid.

Source: DataFusion's `tree_node.rs`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from operator import is_
from typing import Any, Generic, TypeVar, cast

from dialect.catalog.model import Table

N = TypeVar("N", bound="Node[Any]")
P = TypeVar("P")
T = TypeVar("T")


class Node(Generic[N]):
    """A node of a tree of N: an expression among expressions, or a relation among relations."""

    children: tuple[N, ...]  # direct children, in the order in which they are written

    @abstractmethod
    def with_children(self, parts: Sequence[N]) -> N:
        """Copy with other children, as many as before; the node itself if they are the same objects."""


class Opaque:
    """A dataclass that is no part of a tree, although it may refer to nodes: what is known of a column."""


def map_children(node: Node[N], transform: Callable[[N], N]) -> N:
    """Copy a node with `transform` applied to each child."""
    return node.with_children([transform(child) for child in node.children]) if node.children else cast("N", node)


def transform_down(node: N, transform: Callable[[N], N]) -> N:
    """Copy a tree with `transform` applied to every node, before the children of the result are transformed."""
    transformed: Node[N] = transform(node)
    return map_children(transformed, lambda child: transform_down(child, transform))


def fold(node: Node[N], combine: Callable[[N, Sequence[T]], T]) -> T:
    """Compute a value of a tree bottom-up: `combine(node, values of its children)`."""
    return combine(cast("N", node), [fold(child, combine) for child in node.children])


def walk(node: Node[N], below: Callable[[N], Sequence[N]] | None = None) -> list[N]:
    """List a node and all nodes below it, parents first; a shared node stands there once per parent.

    `below` returns the children that are visited, by default all of them.
    """
    stack, visited = [cast("N", node)], list[N]()
    while stack:
        current = stack.pop()
        visited.append(current)
        stack.extend(reversed(current.children if below is None else below(current)))
    return visited


def _is_entered(kind: type) -> bool:
    """Return whether the fields of an object of a class are parts of the tree, as of operators and their parameters."""
    return is_dataclass(kind) and not issubclass(kind, Opaque | Table)


is_entered: Callable[[type], bool] = cache(_is_entered)


def map_parts(part: P, transform: Callable[[Node[Any]], Node[Any]]) -> P:
    """Copy an operator, or a parameter of one, with `transform` applied to each relation and expression in it.

    Nodes are not entered; `transform` decides what happens below them.
    """
    if isinstance(part, Node):
        return transform(part)  # type: ignore[return-value]
    if isinstance(part, tuple):
        items = tuple(map_parts(item, transform) for item in part)
        return part if all(map(is_, items, part)) else items  # type: ignore[return-value]
    if not is_entered(type(part)):
        return part
    held = {f.name: getattr(part, f.name) for f in fields(part)}  # type: ignore[arg-type]
    changed = {name: new for name, old in held.items() if (new := map_parts(old, transform)) is not old}
    return replace(part, **changed) if changed else part  # type: ignore[type-var]
