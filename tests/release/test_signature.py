"""What signs a release: openssl and cosign take what it writes, and nothing that was changed; a bad key gets a remedy."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import release, signature

ROOT = Path(release.__file__).parent.parent
PASSPHRASE = "correct horse"
#: Loads the key that is its argument.
LOAD = "import sys, pathlib; from tools.signature import load; print(load(pathlib.Path(sys.argv[1]), None).curve.name)"
#: What cosign needs instead of the network: nothing is looked up there for a key.
NO_TRUST = {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "tlogs": []}


def openssl(*arguments: str, code: int = 0) -> str:
    """Run openssl, and return what it says."""
    done = subprocess.run(["openssl", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def new_key(directory: Path, *encryption: str, algorithm: str = "EC", option: str = "ec_paramgen_curve:P-256") -> Path:
    """Have openssl make a key, as a remedy says."""
    path = directory / "release.key"
    openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option, *encryption, "-out", str(path))
    return path


def encrypted_key(directory: Path) -> tuple[Path, Path]:
    """Have openssl make an encrypted key; return it, and a file with its passphrase."""
    passphrase = directory / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n", "ascii")
    return new_key(directory, "-aes256", "-pass", f"file:{passphrase}"), passphrase


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """Return a directory with what is checked: sums of a file, and their signature."""
    (tmp_path / "a").write_text("something\n", "ascii")
    sums = subprocess.run(["sha256sum", "a"], cwd=tmp_path, check=True, capture_output=True).stdout
    (tmp_path / "SHA256SUMS").write_bytes(sums)
    signature.sign(signature.load(new_key(tmp_path), None), tmp_path / "SHA256SUMS", tmp_path / "dms-relay.pub")
    return tmp_path


def check(directory: Path) -> subprocess.CompletedProcess[str]:
    """Type what the notes have one type, without cosign."""
    typed = re.findall("^    (.*)$", release.checking(is_signed=True), re.MULTILINE)
    script = "\n".join(["set -e", *(line for line in typed if not line.startswith("cosign"))])
    return subprocess.run(["sh", "-c", script], cwd=directory, check=False, capture_output=True, text=True)


def test_what_the_notes_say_checks_it(signed: Path) -> None:
    """The signature is verified by openssl, and the files by sha256sum."""
    done = check(signed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Verified OK", "a: OK"]


def test_the_page_says_what_the_notes_say() -> None:
    """docs/release.md has each command of the notes, broken where it is long."""
    page = (ROOT / "docs/release.md").read_text("utf-8").replace("\\\n        ", "")
    commands = re.findall("^    .*$", release.checking(is_signed=True), re.MULTILINE)
    assert len(commands) == 5
    assert [command for command in commands if f"{command}\n" not in page] == []


def test_a_changed_file_is_found(signed: Path) -> None:
    """One that the sums name, and the sums themselves."""
    (signed / "a").write_text("something else\n", "ascii")
    assert "a: FAILED" in check(signed).stdout
    with (signed / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  b\n")
    done = check(signed)
    assert (done.returncode, done.stdout) == (1, "Verification failure\n")


def test_another_key_is_found(signed: Path, tmp_path: Path) -> None:
    """What somebody else has signed does not pass for ours."""
    other = new_key(tmp_path)
    openssl("pkey", "-in", str(other), "-pubout", "-out", str(signed / "dms-relay.pub"))
    done = check(signed)
    assert (done.returncode, done.stdout) == (1, "Verification failure\n")


@pytest.mark.parametrize("is_changed", [False, True])
@pytest.mark.parametrize("form", ["SHA256SUMS.sig", "SHA256SUMS.sigstore.json"])
def test_cosign_takes_both_forms(signed: Path, form: str, is_changed: bool) -> None:  # noqa: FBT001 -- pytest's
    """Cosign 2 verifies the signature, and the bundle as version 3 wants it; neither where the file has been changed."""
    if not shutil.which("cosign"):
        pytest.skip("cosign is not installed")
    [line] = re.findall(rf"^    (cosign .* {re.escape(form)} .*)$", release.checking(is_signed=True), re.MULTILINE)
    if "--bundle" in line:
        (signed / "trust.json").write_text(json.dumps(NO_TRUST), "ascii")
        line = line.replace("--bundle", "--trusted-root trust.json --new-bundle-format --bundle")
    if is_changed:
        with (signed / "SHA256SUMS").open("a") as file:
            file.write("\n")
    done = subprocess.run(line.split(), cwd=signed, check=False, capture_output=True, text=True)
    assert (done.returncode == 0) is not is_changed, done.stderr
    assert ("Verified OK" in done.stderr) is not is_changed


def test_the_passphrase_is_read_from_a_file(tmp_path: Path) -> None:
    """Of the file, the first line counts, as it does for openssl."""
    key, passphrase = encrypted_key(tmp_path)
    assert signature.load(key, passphrase).curve.name == "secp256r1"


def test_the_passphrase_is_asked_for(tmp_path: Path) -> None:
    """At the terminal, which does not show it."""
    key, _ = encrypted_key(tmp_path)
    child, terminal = pty.fork()
    if not child:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", LOAD, str(key)])  # noqa: S606 -- it has the terminal
    said = b""
    try:
        while not said.endswith(f"passphrase of {key}: ".encode()):
            said += os.read(terminal, 1024)
        os.write(terminal, f"{PASSPHRASE}\n".encode())
        said += _rest_of(terminal)
    finally:
        _, status = os.waitpid(child, 0)
    assert status == 0, said
    assert said.endswith(b"secp256r1\r\n")
    assert PASSPHRASE.encode() not in said


def _rest_of(terminal: int) -> bytes:
    """Read to the end, which a terminal has as an error."""
    said = b""
    try:
        while part := os.read(terminal, 1024):
            said += part
    except OSError:
        pass
    return said


def test_nobody_is_asked_where_nobody_is(tmp_path: Path) -> None:
    """Without a terminal it ends at once, and says what to write."""
    key, _ = encrypted_key(tmp_path)
    command = ["setsid", "--wait", sys.executable, "-c", LOAD, str(key)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    said = f"{key}: the key is encrypted, and there is no terminal to ask at -- name a file with its passphrase: "
    assert done.returncode == 1
    assert done.stderr.endswith(f"UnusableKeyError: {said}PASSPHRASE_FILE=FILE\n")


def test_a_wrong_passphrase_is_said(tmp_path: Path) -> None:
    """It is not repeated."""
    key, passphrase = encrypted_key(tmp_path)
    for wrong in ("battery staple", ""):
        passphrase.write_text(f"{wrong}\n", "ascii")
        with pytest.raises(signature.UnusableKeyError) as raised:
            signature.load(key, passphrase)
        assert str(raised.value) == f"{key}: the passphrase does not open the key -- use the right one"


@pytest.mark.parametrize(
    ("algorithm", "option"), [("RSA", "rsa_keygen_bits:2048"), ("EC", "ec_paramgen_curve:P-384")], ids=["RSA", "P-384"]
)
def test_another_kind_of_key_is_refused(tmp_path: Path, algorithm: str, option: str) -> None:
    """What openssl verifies and cosign may not; the remedy makes one that is taken."""
    key = new_key(tmp_path, algorithm=algorithm, option=option)
    with pytest.raises(signature.UnusableKeyError) as raised:
        signature.load(key, None)
    what, _, remedy = str(raised.value).partition(" -- make one: ")
    assert what == f"{key}: the key is not ECDSA on P-256"
    made, passphrase = tmp_path / "new.key", tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE, "ascii")
    openssl(*remedy.replace("FILE", str(made)).split()[1:], "-pass", f"file:{passphrase}")
    assert signature.load(made, passphrase)


def test_what_is_no_key_is_said(tmp_path: Path) -> None:
    """A file that is not there, one that is something else, and a key in cosign's own form."""
    path = tmp_path / "key"
    with pytest.raises(signature.UnusableKeyError, match="No such file or directory -- name a file that you can read"):
        signature.load(path, None)
    for text in (
        "",
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJr\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
    ):
        path.write_text(text, "ascii")
        with pytest.raises(
            signature.UnusableKeyError, match="there is no private key in it that openssl reads -- make one"
        ):
            signature.load(path, None)
