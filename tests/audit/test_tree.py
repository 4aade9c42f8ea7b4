"""The tree against published test vectors of RFC 6962, and proofs against the tree."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import verify
from audit.chain import Frontier, leaf_hash, node_hash
from audit.proofs import inclusion_proofs

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
LEAVES += ["606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def recursive_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, word for word: slow and plain."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(recursive_root(leaves[:half]), recursive_root(leaves[half:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_the_root_is_the_published_one(size):
    tree = Frontier()
    tree.extend(leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES[:size])
    assert tree.root().hex() == ROOTS[size - 1]
    assert verify.tree_root(tree.nodes).hex() == ROOTS[size - 1]


@RELAXED
@given(st.integers(0, 70))
def test_the_frontier_gives_the_root_of_the_definition_and_survives_storing(size):
    leaves = [leaf_hash(str(i).encode()) for i in range(size)]
    tree = Frontier()
    tree.extend(leaves)
    assert tree.root() == recursive_root(leaves)
    assert Frontier.unpack(size, tree.pack()).root() == tree.root()


def test_a_frontier_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="one node for each"):
        Frontier.unpack(3, bytes(32))
    with pytest.raises(ValueError, match="whole number"):
        Frontier.unpack(1, bytes(31))


@RELAXED
@given(st.integers(1, 70), st.data())
def test_every_proof_leads_from_its_leaf_to_the_root_and_from_no_other(size, data):
    leaves = [leaf_hash(str(i).encode()) for i in range(size)]
    tree = Frontier()
    tree.extend(leaves)
    chosen = data.draw(st.lists(st.integers(0, size - 1), min_size=1, unique=True))
    proofs = inclusion_proofs(leaves, size, chosen)
    assert sorted(proofs) == sorted(chosen)
    for index, proof in proofs.items():
        assert verify.root_from_proof(leaves[index], index, size, proof) == tree.root()
        other = leaf_hash(b"another")
        assert verify.root_from_proof(other, index, size, proof) != tree.root()
        assert verify.root_from_proof(leaves[index], index, size, [*proof, other]) is None
        assert verify.root_from_proof(leaves[index], size, size, proof) is None
