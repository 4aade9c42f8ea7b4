"""Inclusion proofs: that a record is in the tree, without showing the others (RFC 6962, 2.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audit.chain import Frontier, node_hash

Node = tuple[int, int]
"""A full subtree: (height, position among the subtrees of that height)."""


def inclusion_proofs(
    leaves: Iterable[bytes], size: int, indexes: Sequence[int]
) -> dict[int, list[bytes]]:
    """Returns for each zero-based index the sibling hashes from its leaf up to the root.

    One pass over `leaves`; memory grows with the number of proofs, not with the tree.
    """
    paths = {index: _siblings(index, 0, size) for index in indexes}
    wanted = {node for path in paths.values() for span in path for node in _cover(*span)}
    found = _collect(leaves, wanted)
    return {
        index: [_hash_of(span, found) for span in reversed(path)] for index, path in paths.items()
    }


def _siblings(index: int, start: int, size: int) -> list[tuple[int, int]]:
    """Returns the ranges (start, size) beside the way from the root down to the leaf."""
    path = []
    while size > 1:
        left = 1 << (size - 1).bit_length() - 1
        if index - start < left:
            path.append((start + left, size - left))
            size = left
        else:
            path.append((start, left))
            start, size = start + left, size - left
    return path


def _cover(start: int, size: int) -> list[Node]:
    """Returns the full subtrees that make up a range, largest first."""
    nodes = []
    while size:
        height = size.bit_length() - 1
        nodes.append((height, start >> height))
        start, size = start + (1 << height), size - (1 << height)
    return nodes


def _hash_of(span: tuple[int, int], found: dict[Node, bytes]) -> bytes:
    return Frontier(span[1], [found[node] for node in _cover(*span)]).root()


def _collect(leaves: Iterable[bytes], wanted: set[Node]) -> dict[Node, bytes]:
    found: dict[Node, bytes] = {}
    stack: list[bytes] = []
    for index, leaf in enumerate(leaves):
        node, height, position = leaf, 0, index
        while True:
            if (height, position) in wanted:
                found[height, position] = node
            if not position & 1:
                break
            node = node_hash(stack.pop(), node)
            height, position = height + 1, position >> 1
        stack.append(node)
    return found
