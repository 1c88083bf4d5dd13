"""Signs what ``make release`` makes, so that openssl and cosign can verify it; cosign itself is not needed here.

Reads a private key in PEM, ECDSA on P-256, and the passphrase of one that is encrypted: from a file, or from whoever is at
the terminal; never from an argument or a variable. Of ``FILE`` it writes

- ``FILE.sig``: the signature in ASN.1 over SHA-256, in base64: what ``cosign sign-blob`` has always printed;
- ``FILE.sigstore.json``: the same as a bundle, version 0.3, which cosign 3 asks for;
- the public key, in PEM.

What is wrong with a key raises ``UnusableKeyError``. Known limits: the key of ``cosign generate-key-pair`` is encrypted in a
form that only cosign reads; no transparency log is told of a signature.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_TERMINAL = Path("/dev/tty")
_MAKE_ONE = "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -out FILE"
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class UnusableKeyError(Exception):
    """Nothing can be signed with the key; the text says why, and what to do."""


def load(path: Path, passphrase_file: Path | None) -> ec.EllipticCurvePrivateKey:
    """Return the key, ready to sign."""
    data = _read(path)
    try:
        key = _decode(path, data, None)
    except TypeError:  # it is encrypted
        key = _decode(path, data, _passphrase(path, passphrase_file))
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise UnusableKeyError(f"{path}: the key is not ECDSA on P-256 -- {_MAKE_ONE}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableKeyError(f"{path}: {error.strerror} -- name a file that you can read") from None


def _decode(path: Path, data: bytes, passphrase: bytes | None) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(data, passphrase)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        if passphrase is None and isinstance(error, TypeError):
            raise
        if passphrase is not None:
            raise UnusableKeyError(f"{path}: the passphrase does not open the key -- use the right one") from None
        raise UnusableKeyError(f"{path}: there is no private key in it that openssl reads -- {_MAKE_ONE}") from None


def _passphrase(path: Path, file: Path | None) -> bytes:
    """Return the passphrase: of a file the first line, as openssl takes it."""
    if file is not None:
        return _read(file).partition(b"\n")[0].removesuffix(b"\r")
    try:
        _TERMINAL.open("rb").close()
    except OSError:
        raise UnusableKeyError(
            f"{path}: the key is encrypted, and there is no terminal to ask at -- name a file with its passphrase:"
            " PASSPHRASE_FILE=FILE"
        ) from None
    return getpass.getpass(f"passphrase of {path}: ").encode()


def sign(key: ec.EllipticCurvePrivateKey, path: Path, public: Path) -> None:
    """Sign a file; write the signature beside it, in both forms, and the public key."""
    data = path.read_bytes()
    signature = base64.b64encode(key.sign(data, ec.ECDSA(hashes.SHA256()))).decode()
    Path(f"{path}.sig").write_text(f"{signature}\n", "ascii")
    Path(f"{path}.sigstore.json").write_text(f"{json.dumps(_bundle(key, data, signature))}\n", "ascii")
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _bundle(key: ec.EllipticCurvePrivateKey, data: bytes, signature: str) -> dict[str, object]:
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": _digest(public)}, "tlogEntries": []},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": _digest(data)},
            "signature": signature,
        },
    }


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
