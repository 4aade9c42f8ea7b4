"""The hash of a record, and the Merkle tree over all of them (RFC 6962).

One hash does both jobs: SHA-256(0x00 || line) is the leaf hash of the tree, and it stands as `prev`
inside the next line, which makes a chain. The tree's root at any size commits to every record up to
there.

https://www.rfc-editor.org/rfc/rfc6962.html#section-2.1
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32


def genesis(origin: str) -> bytes:
    """Returns what the first record of the log named `origin` has as `prev`."""
    return hashlib.sha256(f"audit-log/v1 genesis\n{origin}".encode()).digest()


def leaf_hash(line: bytes) -> bytes:
    """Returns the hash of one record, its exact bytes."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of the tree: all it takes to add leaves and to know the root.

    `nodes` holds the root of every full subtree, largest first: one for each set bit of `size`.
    """

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        if len(nodes) != size.bit_count():
            raise ValueError("A frontier has one node for each set bit of its size.")
        self.size = size
        self.nodes = list(nodes)

    @classmethod
    def unpack(cls, size: int, packed: bytes) -> Frontier:
        """Returns the frontier that `pack` wrote.

        Raises:
            ValueError: the bytes do not make a frontier of that size.
        """
        if len(packed) % HASH_BYTES:
            raise ValueError("A frontier is a whole number of hashes.")
        return cls(size, [packed[i : i + HASH_BYTES] for i in range(0, len(packed), HASH_BYTES)])

    def pack(self) -> bytes:
        """Returns the nodes one after the other."""
        return b"".join(self.nodes)

    def append(self, leaf: bytes) -> None:
        """Adds one leaf hash."""
        node, size = leaf, self.size
        while size & 1:
            node = node_hash(self.nodes.pop(), node)
            size >>= 1
        self.nodes.append(node)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Adds leaf hashes in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """Returns the root hash; of the empty tree, the hash of nothing."""
        if not self.nodes:
            return hashlib.sha256().digest()
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root
