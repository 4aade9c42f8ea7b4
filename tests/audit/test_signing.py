from __future__ import annotations

import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import KeyUnusable, keys, verify
from audit.checkpoint import open_note, sign
from audit.errors import AuditError
from audit.keys import SigningKey

# RFC 8032, section 7.1: secret, public, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]
KEY = SigningKey("example.com/log", bytes(range(32)))
NOTE = sign(KEY, 7, bytes(32))


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_the_verifiers_own_ed25519_accepts_the_published_signatures(
    secret, public, message, signature
):
    public, message, signature = map(bytes.fromhex, (public, message, signature))
    assert verify.ed25519_verify(public, signature, message)
    assert SigningKey("x", bytes.fromhex(secret)).sign(message) == signature


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=60), st.data())
def test_the_verifiers_own_ed25519_agrees_with_the_library(seed, message, data):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verify.ed25519_verify(public, signature, message)
    place = data.draw(st.integers(0, 63))
    bent = bytes(b ^ (1 if i == place else 0) for i, b in enumerate(signature))
    assert not verify.ed25519_verify(public, bent, message)
    assert not verify.ed25519_verify(public, signature, message + b"x")
    assert not verify.ed25519_verify(public, signature[:63], message)


def test_a_signature_with_a_scalar_out_of_range_is_refused():
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    larger = int.from_bytes(signature[32:], "little") + order
    assert not verify.ed25519_verify(public, signature[:32] + larger.to_bytes(32, "little"), b"m")


def test_a_checkpoint_is_a_signed_note_of_three_lines():
    lines = NOTE.split("\n")
    assert lines[:4] == ["example.com/log", "7", "A" * 43 + "=", ""]
    assert lines[4].startswith("\N{EM DASH} example.com/log ")
    assert lines[5:] == [""]


def test_key_texts_are_those_other_signed_note_tools_read():
    skey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    key = SigningKey.parse(skey)
    assert key.vkey == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert key.render() == skey
    assert verify.parse_vkey(key.vkey).key_id == key.id


def test_writer_and_verifier_open_the_same_notes():
    found, note = open_note(NOTE, KEY), verify.parse_note(NOTE)
    assert found is not None
    assert note is not None
    assert (found.origin, found.size, found.root) == (note.origin, note.size, note.root)
    assert verify.signed_by(note, [verify.parse_vkey(KEY.vkey)])


def test_no_byte_of_a_checkpoint_can_change():
    keys_known = [verify.parse_vkey(KEY.vkey)]
    for place in range(len(NOTE.encode())):
        raw = bytearray(NOTE.encode())
        raw[place] ^= 1
        bent = raw.decode(errors="replace")
        note = verify.parse_note(bent)
        assert note is None or not verify.signed_by(note, keys_known), place
        assert open_note(bent, KEY) is None, place


def test_a_note_of_another_key_or_another_name_is_not_this_logs():
    key = verify.parse_vkey(KEY.vkey)
    for other in (
        SigningKey(KEY.name, bytes(32)),
        SigningKey("example.com/log2", bytes(range(32))),
    ):
        note = verify.parse_note(sign(other, 7, bytes(32)))
        assert note is not None
        assert not verify.signed_by(note, [key])
        assert open_note(sign(other, 7, bytes(32)), KEY) is None


def test_key_files_are_made_once_and_open_to_their_owner_only(tmp_path):
    keys.create(tmp_path, "example.com/log")
    first = keys.load(tmp_path)
    keys.create(tmp_path, "example.com/other")
    assert keys.load(tmp_path).signing.vkey == first.signing.vkey
    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert {n: m for n, m in names.items() if n.endswith(".key")} == dict.fromkeys(
        ("signing.key", "head.key", "digest.key", "payload.key"), 0o600
    )
    assert set(names) == {"signing.key", "head.key", "digest.key", "payload.key", "log.vkey"}


@pytest.mark.parametrize("name", ["signing.key", "head.key", "digest.key"])
def test_a_key_others_can_read_is_refused_with_the_mend(tmp_path, name):
    keys.create(tmp_path, "example.com/log")
    (tmp_path / name).chmod(0o644)
    with pytest.raises(KeyUnusable, match=f"chmod 600 .*{name}"):
        keys.load(tmp_path)


@pytest.mark.parametrize("name", ["signing.key", "head.key", "digest.key"])
@pytest.mark.parametrize("text", ["", "nonsense", "00", "PRIVATE+KEY+a+00000000+AAAA"])
def test_a_damaged_key_is_refused(tmp_path, name, text):
    keys.create(tmp_path, "example.com/log")
    (tmp_path / name).write_text(text)
    with pytest.raises(KeyUnusable, match=name):
        keys.load(tmp_path)


def test_a_missing_key_is_refused_and_not_made_anew(tmp_path):
    keys.create(tmp_path, "example.com/log")
    os.unlink(tmp_path / "head.key")
    with pytest.raises(KeyUnusable, match="Put it back"):
        keys.load(tmp_path)


@pytest.mark.parametrize("name", ["", "two words", "plus+sign", "line\nbreak"])
def test_a_name_that_would_break_the_note_is_refused(tmp_path, name):
    with pytest.raises(AuditError):
        keys.create(tmp_path, name)


def test_digests_need_the_key(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        keys.create(tmp_path / place, "example.com/log")
    one, two = keys.load(tmp_path / "one"), keys.load(tmp_path / "two")
    assert one.digest_of("078-05-1120") == one.digest_of("078-05-1120")
    assert one.digest_of("078-05-1120") != two.digest_of("078-05-1120")
    assert one.digest_of("078-05-1120") != one.digest_of("078-05-1121")
