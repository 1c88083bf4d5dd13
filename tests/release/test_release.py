"""``make release``: what it makes can be checked, installed and used, and names the repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import dms_relay
from tests.release.test_signature import check, encrypted_key
from tools import images, release

ROOT = Path(release.__file__).parent.parent
REPOSITORY = "https://example.org/us/dms_relay"
VERSION = dms_relay.__version__


@pytest.fixture(scope="module")
def helm() -> None:
    """Skip without helm, or fail where it must be there."""
    if not shutil.which("helm"):
        reason = "helm is not installed"
        if os.environ.get("REQUIRE_HELM_TESTS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def made(helm: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 -- needed first
    """Return the directory of a release of the last commit, signed, without images."""
    output = tmp_path_factory.mktemp("release") / "dist"
    key, passphrase = encrypted_key(output.parent)
    options = ("--repository", REPOSITORY, "--output", str(output), "--architectures", "none", "--draft")
    assert release.main((*options, "--key", str(key), "--passphrase-file", str(passphrase))) == 0
    return output


@pytest.mark.long
def test_it_is_all_there_and_can_be_checked(made: Path) -> None:
    """Each file stands in SHA256SUMS, as sha256sum takes it, and what the notes say verifies the signature of that file."""
    signed = {"SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.sigstore.json", "dms-relay.pub"}
    names = {path.name for path in made.iterdir()} - {".gitignore"}
    assert signed <= names
    names -= signed
    stem = f"dms_relay-{VERSION}"
    wheel = f"{stem}-py3-none-any.whl"
    assert names == {"RELEASE_NOTES.md", wheel, f"{stem}.tar.gz", f"{stem}.cdx.json", f"dms-relay-{VERSION}.tgz"}
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=made, check=True, capture_output=True, text=True)
    assert done.stdout.count(": OK\n") == len(names)
    checked = check(made)
    assert checked.stdout.startswith("Verified OK\n"), checked.stderr
    assert checked.stdout.count(": OK\n") == len(names)
    (made / "SHA256SUMS.der").unlink()


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_the_package_installs_and_runs(made: Path, tmp_path: Path, kind: str) -> None:
    """From the wheel, and from the source distribution: the command says its version, and has its manual page."""
    [package] = made.glob(kind)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(tmp_path),
    ]
    subprocess.run([*pip, str(package)], check=True, capture_output=True)
    command = [sys.executable, "-c", "import dms_relay.cli as c; print(c.__file__); c.run()", "--version"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environ, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [str(tmp_path / "dms_relay/cli.py"), f"dms-relay {VERSION}"]
    assert (tmp_path / "share/man/man1/dms-relay.1").is_file()


def test_the_package_names_the_repository(made: Path) -> None:
    """Its page on the index has the project's addresses, and no link that works in the repository alone."""
    [wheel] = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"dms_relay-{VERSION}.dist-info/METADATA").decode()
    assert f"Project-URL: Homepage, {REPOSITORY}\n" in metadata
    assert f"]({REPOSITORY}/blob/v{VERSION}/docs/oauth2.md)" in metadata
    links = re.findall(r"\]\(([^)]+)\)", metadata.partition("\n\n")[2])
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_the_sbom_has_what_is_installed(made: Path) -> None:
    """Each dependency that requirements.lock pins stands in it, with its version."""
    [path] = made.glob("*.cdx.json")
    found = json.loads(path.read_text("utf-8"))
    assert found["bomFormat"] == "CycloneDX"
    pinned = set(
        re.findall(r"^([A-Za-z0-9._-]+)==([^ ]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    )
    assert {(part["name"], part["version"]) for part in found["components"]} == pinned


def test_the_chart_renders(made: Path, tmp_path: Path) -> None:
    """The package of the chart is what helm takes, and names the image of this version."""
    [chart] = made.glob("dms-relay-*.tgz")
    with tarfile.open(chart) as archive:
        archive.extractall(tmp_path, filter="data")
    done = subprocess.run(["helm", "template", "relay", str(chart)], check=False, capture_output=True, text=True)
    assert f":{VERSION}" in done.stdout, done.stderr


def test_the_notes_are_those_of_the_changelog(made: Path) -> None:
    """They begin with the version, and hold what the changelog says of it."""
    text = (made / "RELEASE_NOTES.md").read_text("utf-8")
    assert text.startswith(f"# dms-relay {VERSION}\n\n### Added\n")
    assert text.endswith(f"\n\n{release.checking(is_signed=True)}")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--repository", "git@example.org:x"), 2, "write an address that begins with https://"),
        (
            ("--repository", REPOSITORY, "--draft", "--output", str(ROOT / "docs")),
            78,
            "is not empty -- remove its contents",
        ),
        (("--repository", REPOSITORY, "--draft", "--engine", "no-such-engine"), 69, "not installed: no-such-engine"),
        (
            ("--repository", REPOSITORY, "--architectures", "amd64,s390x"),
            2,
            "s390x: write amd64,arm64, one of them, or none",
        ),
        (
            ("--repository", REPOSITORY, "--draft", "--architectures", "none", "--key", "/no/such/key"),
            66,
            "/no/such/key: No such file or directory -- name a file that you can read",
        ),
        (("--repository", REPOSITORY), 78, f"no section for {VERSION} -- rename [Unreleased] to [{VERSION}] - DATE"),
    ],
)
@pytest.mark.usefixtures("helm")
def test_what_is_not_ready_is_said_first(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    """Nothing is made before everything is there."""
    output = () if "--output" in options else ("--output", str(tmp_path / "dist"))
    try:
        found = release.main((*options, *output))
    except SystemExit as ended:
        found = int(str(ended.code))
    assert found == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "dist").exists()


@pytest.mark.usefixtures("helm")
def test_a_builder_that_does_not_answer_is_said_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is said what docker says, and what else there is."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'ERROR: Cannot connect to the Docker daemon' >&2; exit 1\n", "ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    output = tmp_path / "dist"
    assert release.main(("--repository", REPOSITORY, "--draft", "--output", str(output))) == 69
    assert capsys.readouterr().err == (
        "release: docker buildx inspect --bootstrap: ERROR: Cannot connect to the Docker daemon --"
        " install docker with buildx, or name what you have: ENGINE=podman\n"
    )
    assert not output.exists()


#: What the kernel says of qemu for programs of arm64, as Debian 12 registers it.
EMULATOR = """\
enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""
FOREIGN = next(name for name, machine in images.ARCHITECTURES.items() if machine != os.uname().machine)
OF_FOREIGN = EMULATOR if FOREIGN == "arm64" else EMULATOR.replace("b700", "3e00")


@pytest.mark.parametrize(
    ("entry", "is_built"),
    [
        (OF_FOREIGN, True),
        (OF_FOREIGN.replace("POF", "PO"), False),  # a container has no qemu
        (OF_FOREIGN.replace("enabled", "disabled"), False),
        (OF_FOREIGN.replace("b700", "0000").replace("3e00", "0000"), False),
        ("", False),
    ],
    ids=["there", "not-in-containers", "disabled", "of-another-machine", "none"],
)
def test_an_emulator_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    entry: str,
    is_built: bool,  # noqa: FBT001 -- pytest's
) -> None:
    """With podman, it is this kernel that must run another machine's programs, in containers too."""
    for name in ("register", "status"):
        (tmp_path / name).write_text("enabled\n", "ascii")
    if entry:
        (tmp_path / "qemu").write_text(entry, "ascii")
    monkeypatch.setattr(images, "EMULATORS", tmp_path)
    assert images.not_built_here("podman", list(images.ARCHITECTURES)) == ([] if is_built else [FOREIGN])


@pytest.mark.parametrize(
    ("engine", "says", "remedy"),
    [
        ("podman", "", "sudo apt-get install qemu-user-static (in a container: on its host)"),
        (
            "docker",
            "Platforms: linux/s390x, linux/riscv64",
            "where docker runs: sudo apt-get install qemu-user-static, then docker buildx create --use",
        ),
    ],
)
@pytest.mark.usefixtures("helm")
def test_an_emulator_that_is_missing_is_said_first(  # noqa: PLR0913, PLR0917 -- pytest's
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    engine: str,
    says: str,
    remedy: str,
) -> None:
    """Nothing is made where an image cannot be built: what to install is said, and how to do without."""
    program = tmp_path / engine
    program.write_text(f"#!/bin/sh\necho '{says}'\n", "ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(images, "EMULATORS", tmp_path / "nothing")
    output = tmp_path / "dist"
    options = ("--repository", REPOSITORY, "--draft", "--architectures", FOREIGN, "--engine", engine)
    assert release.main((*options, "--output", str(output))) == 69
    assert capsys.readouterr().err == (
        f"release: {engine} cannot build the image for {FOREIGN} here: nothing runs programs of that architecture --"
        f" {remedy}; or do without that image: ARCHITECTURES=none\n"
    )
    assert not output.exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](docs/a.md)", "[a](R/blob/v1/docs/a.md)"),
        ("[a](docs/a.md#b-c)", "[a](R/blob/v1/docs/a.md#b-c)"),
        ("![a](docs/a.svg)", "![a](R/raw/v1/docs/a.svg)"),
        ("[a](#b) [c](https://d.test/e) [f](mailto:g@h.test)", "[a](#b) [c](https://d.test/e) [f](mailto:g@h.test)"),
    ],
)
def test_links(text: str, expected: str) -> None:
    """A link to a file of the project becomes an address, of a picture the file itself; others stay."""
    assert release.absolute_links(text, "R", "v1") == expected
