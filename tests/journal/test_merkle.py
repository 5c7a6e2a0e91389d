"""The hash tree against the public vectors of RFC 6962 and against the definition written down plainly."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.merkle import (
    EMPTY,
    Tree,
    consistency_proof,
    continues,
    includes,
    inclusion_proof,
    leaf_hash,
    node_hash,
)

DATA = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
"""The leaves that the reference implementation of Certificate Transparency is tested with."""

ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The roots of none to all of them."""

leaves = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def naive_root(data: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, as it is defined."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    half = 1
    while half * 2 < len(data):
        half *= 2
    return sha256(b"\x01" + naive_root(data[:half]) + naive_root(data[half:])).digest()


def naive_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that a proof leads to, by the recursion of §2.1.1."""
    if size == 1:
        assert not proof
        return leaf
    half = 1
    while half * 2 < size:
        half *= 2
    if index < half:
        return node_hash(naive_inclusion(leaf, index, half, proof[:-1]), proof[-1])
    return node_hash(proof[-1], naive_inclusion(leaf, index - half, size - half, proof[:-1]))


def naive_consistency(first: int, size: int, proof: list[bytes], known: bytes, *, whole: bool) -> tuple[bytes, bytes]:
    """Both roots that a proof leads to, by the recursion of §2.1.2."""
    if first == size:
        return (known, known) if whole else (proof[0], proof[0])
    half = 1
    while half * 2 < size:
        half *= 2
    if first <= half:
        older, newer = naive_consistency(first, half, proof[:-1], known, whole=whole)
        return older, node_hash(newer, proof[-1])
    older, newer = naive_consistency(first - half, size - half, proof[:-1], known, whole=False)
    return node_hash(proof[-1], older), node_hash(proof[-1], newer)


def grown(data: list[bytes]) -> Tree:
    tree = Tree()
    for each in data:
        tree.append(leaf_hash(each))
    return tree


def test_the_public_vectors() -> None:
    assert EMPTY.hex() == ROOTS[0]
    for count, root in enumerate(ROOTS):
        assert grown(DATA[:count]).root().hex() == root
        assert naive_root(DATA[:count]).hex() == root


def test_the_proofs_of_the_public_vectors() -> None:
    hashes = [leaf_hash(each) for each in DATA]
    proof = inclusion_proof(0, 8, lambda low, high: naive_root(DATA[low:high]))
    assert proof == [hashes[1], node_hash(hashes[2], hashes[3]), naive_root(DATA[4:8])]
    proof = consistency_proof(6, 8, lambda low, high: naive_root(DATA[low:high]))
    assert proof == [naive_root(DATA[4:6]), naive_root(DATA[6:8]), naive_root(DATA[0:4])]
    assert consistency_proof(1, 1, lambda _low, _high: b"") == []


@given(leaves)
def test_a_growing_tree_has_the_root_of_the_definition_at_every_size(data: list[bytes]) -> None:
    tree = Tree()
    for count, each in enumerate(data, 1):
        tree.append(leaf_hash(each))
        assert tree.root() == naive_root(data[:count])
        assert Tree.unpack(tree.size, tree.pack()).root() == tree.root()


@given(leaves, st.data())
def test_every_leaf_is_proved_and_nothing_else_is(data: list[bytes], draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, len(data) - 1))
    leaf, root = leaf_hash(data[index]), naive_root(data)
    proof = inclusion_proof(index, len(data), lambda low, high: naive_root(data[low:high]))
    assert naive_inclusion(leaf, index, len(data), proof) == root
    assert includes(leaf, index, len(data), proof, root)
    assert not includes(leaf_hash(data[index] + b"x"), index, len(data), proof, root)
    assert not includes(leaf, index, len(data), proof, leaf_hash(b"another root"))
    assert not includes(leaf, index, len(data), [*proof, leaf], root)
    if proof:
        assert not includes(leaf, index, len(data), proof[:-1], root)
        place = draw.draw(st.integers(0, len(proof) - 1))
        assert not includes(leaf, index, len(data), [*proof[:place], leaf_hash(b"other"), *proof[place + 1 :]], root)


@given(leaves, st.data())
def test_every_beginning_is_proved_and_nothing_else_is(data: list[bytes], draw: st.DataObject) -> None:
    first = draw.draw(st.integers(1, len(data)))
    older, newer = naive_root(data[:first]), naive_root(data)
    proof = consistency_proof(first, len(data), lambda low, high: naive_root(data[low:high]))
    assert naive_consistency(first, len(data), proof, older, whole=True) == (older, newer)
    assert continues(first, older, len(data), newer, proof)
    assert not continues(first, leaf_hash(b"other"), len(data), newer, proof)
    assert not continues(first, older, len(data), leaf_hash(b"other"), proof)
    assert not continues(first, older, len(data), newer, [*proof, older])
    if proof:
        assert not continues(first, older, len(data), newer, proof[:-1])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="2 peaks"):
        Tree(3, [EMPTY])
    with pytest.raises(ValueError, match="no leaf 3"):
        inclusion_proof(3, 3, lambda _low, _high: b"")
    with pytest.raises(ValueError, match="no proof"):
        consistency_proof(0, 3, lambda _low, _high: b"")
    assert not includes(EMPTY, 3, 3, [], EMPTY)
    assert not continues(0, EMPTY, 3, EMPTY, [])
    assert not continues(3, EMPTY, 2, EMPTY, [])
    assert not continues(2, EMPTY, 4, EMPTY, [])
