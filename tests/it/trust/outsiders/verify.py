"""Verifies, signs and follows with securesystemslib and python-tuf what runwrit made, and back."""

import base64
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType


def key_of(pem: str, keyid: str) -> SSlibKey:
    return SSlibKey(keyid, "ecdsa", "ecdsa-sha2-nistp256", {"public": Path(pem).read_text()})


def signer_of(private: str, key: SSlibKey) -> CryptoSigner:
    return CryptoSigner(load_pem_private_key(Path(private).read_bytes(), None), key)


def envelope_of(path: str) -> tuple[dict, Envelope, str]:
    bundle = json.loads(Path(path).read_text())
    hint = bundle["verificationMaterial"]["publicKey"]["hint"]
    return bundle, Envelope.from_dict(bundle["dsseEnvelope"]), hint


def bundle(path: str, public: str, other: str) -> None:
    """Verifies a file of a signer, and refuses it under another key and with another payload."""
    _, envelope, hint = envelope_of(path)
    envelope.verify([key_of(public, hint)], 1)
    changed = Envelope(envelope.payload + b" ", envelope.payload_type, envelope.signatures)
    for found, pem in [(envelope, other), (changed, public)]:
        try:
            found.verify([key_of(pem, hint)], 1)
        except VerificationError:
            continue
        sys.exit("it verifies what it should not")


def resign(path: str, private: str, public: str) -> None:
    """Signs the same payload anew, in place."""
    written, envelope, hint = envelope_of(path)
    envelope.signatures = {}
    envelope.sign(signer_of(private, key_of(public, hint)))
    written["dsseEnvelope"] = envelope.to_dict()
    assert base64.b64decode(written["dsseEnvelope"]["payload"]) == envelope.payload
    Path(path).write_text(json.dumps(written))


def chain(first: str, *later: str) -> None:
    """Follows roots, and refuses to skip the last one but one."""
    trusted = TrustedMetadataSet(Path(first).read_bytes(), EnvelopeType.METADATA)
    for path in later:
        root = trusted.update_root(Path(path).read_bytes())
        assert "runbook" in root.unrecognized_fields["x-runwrit-policy"]["roles"]
    if len(later) > 1:
        trusted = TrustedMetadataSet(Path(first).read_bytes(), EnvelopeType.METADATA)
        try:
            trusted.update_root(Path(later[-1]).read_bytes())
        except RepositoryError:
            return
        sys.exit("it skips a root")


def next_root(before: str, out: str, *people: str) -> None:
    """Makes and signs the next root; the field of runwrit comes along."""
    metadata = Metadata.from_file(before)
    metadata.signed.version += 1
    metadata.signatures.clear()
    keys = metadata.signed.keys.values()
    for name in people:
        pem = Path(f"{name}.pub").read_text().strip()
        key = next(key for key in keys if key.keyval["public"].strip() == pem)
        metadata.sign(signer_of(name, key), append=True)
    metadata.to_file(out)


if __name__ == "__main__":
    {"bundle": bundle, "resign": resign, "chain": chain, "next-root": next_root}[sys.argv[1]](
        *sys.argv[2:]
    )
