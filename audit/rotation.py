"""A change of the signing key: recorded, signed by both, finished after a crash."""

from __future__ import annotations

import base64
from pathlib import Path

from audit import keys as keyfiles
from audit.checkpoint import signed_last_by
from audit.errors import KeyUnusable
from audit.event import SYSTEM, Actor, AuditEvent
from audit.keys import Keys, SigningKey
from audit.parts import KeyFacts


def keys_for(folder: Path, note: str) -> Keys:
    """Returns the keys in `folder` that go on after the checkpoint `note`.

    A rotation that was recorded and then cut off is finished.

    Raises:
        KeyUnusable: the key that signed last is not there.
    """
    found = keyfiles.load(folder)
    if not note or signed_last_by(note, found.signing):
        return found
    waiting = keyfiles.next_key(folder)
    if waiting is not None and signed_last_by(note, waiting):
        return keyfiles.end_rotation(folder, found.signing)
    raise KeyUnusable(
        "The signing key of the audit log was changed by another instance, or is lost. Copy"
        f" signing.key, log.vkey and retired.vkeys from where it was changed into {folder}."
    )


def rotated(old: SigningKey, new: SigningKey, actor: Actor = SYSTEM) -> AuditEvent:
    """Returns the event of the change, signed by both."""
    # The verifier's `rotation_text` says the same in its own words; a test holds them together.
    text = f"gatehouse key rotation\n{old.vkey}\n{new.vkey}\n".encode()
    return AuditEvent(
        type="key.rotated",
        actor=actor,
        outcome="success",
        summary=f"The signing key was changed from {old.id.hex()} to {new.id.hex()}.",
        parts=(
            KeyFacts(
                old=old.vkey,
                new=new.vkey,
                old_signature=base64.b64encode(old.sign(text)).decode(),
                new_signature=base64.b64encode(new.sign(text)).decode(),
            ),
        ),
    )
