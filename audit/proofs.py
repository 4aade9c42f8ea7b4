"""Inclusion proofs: that a record is in the tree, without showing the others (RFC 6962, 2.1.1)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from audit.chain import Frontier, node_hash

Node = tuple[int, int]
"""A full subtree: (height, position among the subtrees of that height)."""


def inclusion_proofs(
    leaves: Iterable[bytes], size: int, indexes: Sequence[int], base: Frontier | None = None
) -> dict[int, list[bytes]]:
    """Returns for each zero-based index the sibling hashes from its leaf up to the root.

    `leaves` begin after those of `base`; every index must lie among them. One pass over them;
    memory grows with the number of proofs, not with the tree.
    """
    paths = {index: _siblings(index, 0, size) for index in indexes}
    wanted = {node for path in paths.values() for span in path for node in _cover(*span)}
    found = _collect(leaves, wanted, base or Frontier())
    return {
        index: [_hash_of(span, found) for span in reversed(path)] for index, path in paths.items()
    }


def tlog_proof(index: int, path: Iterable[bytes], note: str) -> str:
    """Returns a proof that anybody's tools can read, with the checkpoint it leads to.

    https://c2sp.org/tlog-proof
    """
    hashes = "".join(f"{base64.b64encode(node).decode()}\n" for node in path)
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{note}"


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


def _collect(leaves: Iterable[bytes], wanted: set[Node], base: Frontier) -> dict[Node, bytes]:
    # A subtree before the leaves that is a sibling on the way to one of them is a whole node of the
    # base: a larger one would hold the leaf itself.
    stack = list(base.nodes)
    found = dict(zip(_cover(0, base.size), stack, strict=True))
    for index, leaf in enumerate(leaves, base.size):
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
