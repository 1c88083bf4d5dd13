"""``make release REPOSITORY=URL``: build everything to publish of a version, in ``dist/``. A person publishes it.

Writes the wheel and the source distribution, the chart's package, an OCI archive of the image for each architecture, an SBOM
(CycloneDX), release notes from ``CHANGELOG.md``, and ``SHA256SUMS`` over all of them; with ``--key``, the signature of that
file and the key's public half. It takes the last commit, not the working tree, so that what is published can be found again.

``REPOSITORY`` is the public address of the source: the README's relative links then work on the package index too.

Exit codes: 0 done; 1 a step failed; 2 usage; 66 the key cannot be used; 69 a program is missing; 78 version, changelog or
working tree are not ready.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools import images, signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_ROOT = Path(__file__).parent.parent
_LINT = _ROOT / ".venv/lint/bin"
_PYPROJECT, _CHANGELOG, _README = "pyproject.toml", "CHANGELOG.md", "README.md"
_CHART = Path("charts/dms-relay")
_NOTES = "RELEASE_NOTES.md"
_SUMS = "SHA256SUMS"
_PUBLIC = "dms-relay.pub"
#: What one types to check a release that is signed. The file of the signature is in base64, which openssl does not read.
_CHECK_SIGNED = """\
## Check it

    base64 -d SHA256SUMS.sig > SHA256SUMS.der
    openssl dgst -sha256 -verify dms-relay.pub -signature SHA256SUMS.der SHA256SUMS
    {sums}

`dms-relay.pub` is the same in every release: compare it with the one that you have. cosign does the same as the first two
commands, version 2 with the first of these lines, version 3 with the second:

    cosign verify-blob --key dms-relay.pub --insecure-ignore-tlog --signature SHA256SUMS.sig SHA256SUMS
    cosign verify-blob --key dms-relay.pub --insecure-ignore-tlog --bundle SHA256SUMS.sigstore.json SHA256SUMS
"""
#: A Markdown link or picture whose target is a file of the project.
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)#]+)(#[^)]*)?\)")


class NotReadyError(Exception):
    """The release cannot be built; the text says why, and what to do."""

    def __init__(self, text: str, code: int = os.EX_CONFIG) -> None:
        """Set the text and the exit code."""
        super().__init__(text)
        self.code = code


def main(argv: Sequence[str]) -> int:
    """Build the release, and return the exit code."""
    options = _options(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="dms-relay-release-") as directory:
            _release(options, Path(directory))
    except NotReadyError as error:
        return _say(f"release: {error}", error.code)
    except signature.UnusableKeyError as error:
        return _say(f"release: {error}", os.EX_NOINPUT)
    except subprocess.CalledProcessError as error:
        return _say(f"{error.output}release: failed: {' '.join(map(str, error.cmd))}", 1)
    return os.EX_OK


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--repository", required=True, metavar="URL", help="where the source is: https://HOST/NAME/dms_relay"
    )
    parser.add_argument("--output", type=Path, default=_ROOT / "dist", metavar="DIR", help="an empty directory (dist)")
    every = ",".join(images.ARCHITECTURES)
    parser.add_argument("--architectures", default=every, help=f"of the images ({every}); none: no image")
    parser.add_argument("--engine", default="docker", help="builds the images: docker or podman")
    parser.add_argument("--key", type=Path, metavar="FILE", help="sign with this private key: PEM, ECDSA on P-256")
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="with the key's passphrase (else asked for)"
    )
    parser.add_argument(
        "--draft", action="store_true", help="build even from [Unreleased], and from a tree with changes"
    )
    options = parser.parse_args(argv)
    if not options.repository.startswith("https://"):
        parser.error("--repository: write an address that begins with https://")
    options.architectures = [] if options.architectures == "none" else options.architectures.split(",")
    if unknown := set(options.architectures) - set(images.ARCHITECTURES):
        parser.error(f"--architectures: {', '.join(sorted(unknown))}: write {every}, one of them, or none")
    return options


def _release(options: argparse.Namespace, directory: Path) -> None:
    version = _version()
    notes = _notes(version, is_draft=options.draft)
    _look_around(options)
    key = signature.load(options.key, options.passphrase_file) if options.key else None
    source = directory / f"dms_relay-{version}"
    _export(source)
    output = options.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    (output / _NOTES).write_text(f"{notes}\n{checking(is_signed=key is not None)}", "utf-8")
    _packages(source, options.repository.rstrip("/"), version, output)
    _chart(source, output)
    _sbom(source, output / f"dms_relay-{version}.cdx.json")
    for architecture in options.architectures:
        target = output / f"dms-relay-{version}-{architecture}.oci.tar"
        for command in images.build(options.engine, architecture, f"dms-relay:{version}", target):
            _run(*command, directory=source, environ=images.environ())
    _sum_up(output)
    _sign(key, output / _SUMS)
    _say(f"release: {version} is in {output}; sha256sum -c {_SUMS} checks it there")


def checking(*, is_signed: bool) -> str:
    """Return what the notes say of how one checks a release: commands for a directory that has its files."""
    sums = "sha256sum -c --ignore-missing SHA256SUMS"
    if not is_signed:
        return f"## Check it\n\n    {sums}\n"
    return _CHECK_SIGNED.format(sums=sums)


def _version() -> str:
    """Return the version, which is written in three places."""
    texts = {
        _PYPROJECT: r'^version = "([^"]+)"',
        "dms_relay/__init__.py": r'^__version__ = "([^"]+)"',
        str(_CHART / "Chart.yaml"): r'^appVersion: "?([^"\n]+)"?',
    }
    found = {name: re.search(pattern, _read(name), re.MULTILINE) for name, pattern in texts.items()}
    versions = {name: match[1] if match else "none" for name, match in found.items()}
    if len(set(versions.values())) != 1:
        said = ", ".join(f"{name} {version}" for name, version in versions.items())
        raise NotReadyError(f"the version is not the same everywhere: {said} -- write one version in all of them")
    return versions[_PYPROJECT]


def _read(name: str) -> str:
    return (_ROOT / name).read_text("utf-8")


def _notes(version: str, *, is_draft: bool) -> str:
    """Return the changelog's section of a version."""
    sections = re.split(r"^## ", _read(_CHANGELOG), flags=re.MULTILINE)[1:]
    wanted = [f"[{version}]", *(["[Unreleased]"] if is_draft else [])]
    for head in wanted:
        for section in sections:
            if section.startswith(head):
                text = section.partition("\n")[2].strip()
                return f"# dms-relay {version}\n\n{text}\n"
    raise NotReadyError(f"{_CHANGELOG} has no section for {version} -- rename [Unreleased] to [{version}] - DATE")


def _look_around(options: argparse.Namespace) -> None:
    """Find everything that is missing before anything is built."""
    programs = ["git", "helm", *([options.engine] if options.architectures else [])]
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        raise NotReadyError(f"not installed: {', '.join(missing)} -- install them", os.EX_UNAVAILABLE)
    if options.output.exists() and any(options.output.iterdir()):
        raise NotReadyError(f"{options.output} is not empty -- remove its contents, or name another with --output")
    if not options.draft and _run("git", "status", "--porcelain", directory=_ROOT):
        raise NotReadyError("the working tree has changes -- commit them, or release a --draft")
    _look_for_emulators(options.engine, options.architectures)


def _look_for_emulators(engine: str, architectures: list[str]) -> None:
    try:
        elsewhere = images.not_built_here(engine, architectures)
    except images.NoBuilderError as error:
        remedy = "install docker with buildx, or name what you have: ENGINE=podman"
        raise NotReadyError(f"{error} -- {remedy}", os.EX_UNAVAILABLE) from None
    if elsewhere:
        names = ", ".join(elsewhere)
        text = f"{engine} cannot build the image for {names} here: nothing runs programs of that architecture"
        rest = ",".join(name for name in architectures if name not in elsewhere) or "none"
        remedy = f"{images.remedy(engine)}; or do without that image: ARCHITECTURES={rest}"
        raise NotReadyError(f"{text} -- {remedy}", os.EX_UNAVAILABLE)


def _export(directory: Path) -> None:
    """Write the files of the last commit."""
    archive = directory.with_suffix(".tar")
    _run("git", "archive", f"--prefix={directory.name}/", f"--output={archive}", "HEAD", directory=_ROOT)
    with tarfile.open(archive) as opened:
        opened.extractall(directory.parent, filter="data")


def _packages(source: Path, repository: str, version: str, output: Path) -> None:
    """Build wheel and source distribution, with the project's addresses in them."""
    copy = source.with_name("python") / source.name
    shutil.copytree(source, copy, symlinks=True)
    readme = copy / _README
    readme.write_text(absolute_links(readme.read_text("utf-8"), repository, f"v{version}"), "utf-8")
    urls = {
        "Homepage": "",
        "Documentation": "/tree/main/docs",
        "Changelog": f"/blob/main/{_CHANGELOG}",
        "Issues": "/issues",
    }
    table = "".join(f'{name} = "{repository}{path}"\n' for name, path in urls.items())
    with (copy / _PYPROJECT).open("a", encoding="utf-8") as file:
        file.write(f"\n[project.urls]\n{table}")
    _run(sys.executable, "-m", "hatchling", "build", "--directory", str(output), directory=copy)


def absolute_links(text: str, repository: str, revision: str) -> str:
    """Return Markdown with absolute links to files of the project; a picture's link is to the file itself."""

    def absolute(match: re.Match[str]) -> str:
        kind = "raw" if match[1] else "blob"
        return f"{match[1]}[{match[2]}]({repository}/{kind}/{revision}/{match[3]}{match[4] or ''})"

    return _LINK.sub(absolute, text)


def _chart(source: Path, output: Path) -> None:
    _run("helm", "package", str(source / _CHART), "--destination", str(output), directory=source)


def _sbom(source: Path, target: Path) -> None:
    """Write the SBOM of the dependencies, with versions and hashes: what requirements.lock pins."""
    options = ("--pyproject", _PYPROJECT, "--output-reproducible", "--of", "JSON", "-o", str(target))
    _run(str(_LINT / "cyclonedx-py"), "requirements", *options, "requirements.lock", directory=source)


def _sum_up(output: Path) -> None:
    files = sorted(path for path in output.iterdir() if path.name not in {_SUMS, ".gitignore"})
    lines = []
    for path in files:
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (output / _SUMS).write_text("".join(lines), "ascii")


def _sign(key: EllipticCurvePrivateKey | None, path: Path) -> None:
    if key is None:
        _say(f"release: {path.name} is not signed: no key is named (KEY=FILE)")
    else:
        signature.sign(key, path, path.with_name(_PUBLIC))


def _run(*command: str, directory: Path, environ: dict[str, str] | None = None) -> str:
    """Run a program, and return its output, which is shown if it fails."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return str(subprocess.run(command, cwd=directory, env=environ, check=True, text=True, **both).stdout)  # type: ignore[call-overload]


def _say(text: str, code: int = os.EX_OK) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
