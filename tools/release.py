"""``make release REPOSITORY=URL``: build everything to publish of a version, in ``dist/``. A person publishes it.

Writes the wheel and the source distribution, the chart's package, an OCI archive of the image for each architecture, an SBOM
(CycloneDX), release notes from ``CHANGELOG.md``, and ``SHA256SUMS`` over all of them; with ``COSIGN_KEY``, the signature of
that file. It takes the last commit, not the working tree, so that the source of what is published can be found again.

``REPOSITORY`` is the public address of the source: the README's relative links then work on the package index too.

Exit codes: 0 done; 1 a step failed; 2 usage; 69 a program is missing; 78 version, changelog or working tree is not ready.
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

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parent.parent
_LINT = _ROOT / ".venv/lint/bin"
#: The default architectures of the image, as engines call them.
ARCHITECTURES = ("amd64", "arm64")
_PYPROJECT, _CHANGELOG, _README = "pyproject.toml", "CHANGELOG.md", "README.md"
_CHART = Path("charts/dms-relay")
_SUMS = "SHA256SUMS"
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
    except subprocess.CalledProcessError as error:
        return _say(f"{error.output}release: failed: {' '.join(map(str, error.cmd))}", 1)
    return os.EX_OK


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--repository", required=True, metavar="URL", help="where the source is: https://HOST/NAME/dms_relay"
    )
    parser.add_argument("--output", type=Path, default=_ROOT / "dist", metavar="DIR", help="an empty directory (dist)")
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES), help="of the images; none: no image")
    parser.add_argument("--engine", default="docker", help="builds the images: docker or podman")
    parser.add_argument(
        "--draft", action="store_true", help="build even from [Unreleased], and from a tree with changes"
    )
    options = parser.parse_args(argv)
    if not options.repository.startswith("https://"):
        parser.error("--repository: write an address that begins with https://")
    options.architectures = [] if options.architectures == "none" else options.architectures.split(",")
    return options


def _release(options: argparse.Namespace, directory: Path) -> None:
    version = _version()
    notes = _notes(version, is_draft=options.draft)
    _look_around(options)
    source = directory / f"dms_relay-{version}"
    _export(source)
    output = options.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    (output / "RELEASE_NOTES.md").write_text(notes, "utf-8")
    _packages(source, options.repository.rstrip("/"), version, output)
    _chart(source, output)
    _sbom(source, output / f"dms_relay-{version}.cdx.json")
    for architecture in options.architectures:
        _image(options.engine, source, architecture, output / f"dms-relay-{version}-{architecture}.oci.tar")
    _sum_up(output)
    _sign(output / _SUMS)
    _say(f"release: {version} is in {output}; sha256sum -c {_SUMS} checks it there")


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
    programs += ["cosign"] if os.environ.get("COSIGN_KEY") else []
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        raise NotReadyError(f"not installed: {', '.join(missing)} -- install them", os.EX_UNAVAILABLE)
    if options.output.exists() and any(options.output.iterdir()):
        raise NotReadyError(f"{options.output} is not empty -- remove its contents, or name another with --output")
    if not options.draft and _run("git", "status", "--porcelain", directory=_ROOT):
        raise NotReadyError("the working tree has changes -- commit them, or release a --draft")


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


def _image(engine: str, source: Path, architecture: str, target: Path) -> None:
    """Build the image for one architecture; the engine needs qemu for any other than this machine's."""
    build = ("--platform", f"linux/{architecture}", "--target", "relay")
    if engine == "podman":
        tag = f"localhost/dms-relay-release:{architecture}"
        _run("podman", "build", *build, "--tag", tag, ".", directory=source, environ=_of_build())
        _run("podman", "save", "--format", "oci-archive", "--output", str(target), tag, directory=source)
        _run("podman", "rmi", tag, directory=source)
        return
    _run(engine, "buildx", "build", *build, "--output", f"type=oci,dest={target}", ".", directory=source)


def _of_build() -> dict[str, str]:
    """Return the environment of a build, as in the tests (``tests/image/engine.py``)."""
    configuration = os.environ.get("IMAGE_BUILD_CONTAINERS_CONF")
    return os.environ | ({"CONTAINERS_CONF": configuration} if configuration else {})


def _sum_up(output: Path) -> None:
    files = sorted(path for path in output.iterdir() if path.name not in {_SUMS, ".gitignore"})
    lines = []
    for path in files:
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (output / _SUMS).write_text("".join(lines), "ascii")


def _sign(path: Path) -> None:
    """Sign with the key that ``COSIGN_KEY`` names, in cosign's syntax; cosign itself asks for its password."""
    key = os.environ.get("COSIGN_KEY")
    if not key:
        _say(f"release: {path.name} is not signed: COSIGN_KEY names no key")
        return
    _run(
        "cosign",
        "sign-blob",
        "--yes",
        "--key",
        key,
        "--output-signature",
        f"{path}.sig",
        str(path),
        directory=path.parent,
    )


def _run(*command: str, directory: Path, environ: dict[str, str] | None = None) -> str:
    """Run a program, and return its output, which is shown if it fails."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return str(subprocess.run(command, cwd=directory, env=environ, check=True, text=True, **both).stdout)  # type: ignore[call-overload]


def _say(text: str, code: int = os.EX_OK) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
