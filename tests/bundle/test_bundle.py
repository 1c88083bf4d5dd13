"""The bundle of a boot's byte code, in a real installation: it is used, it is never stale, and nothing depends on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bundle.installation import ENV, RELAY_YAML, write_relay_yaml
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.bundle.installation import Installation

#: An installation takes seconds, and so does each bundle.
pytestmark = pytest.mark.one_in(2)
#: Put into a launcher: what is compiled, from text and to regular expressions, in the process of a boot.
COUNTING = """
import sys

compiled = []
sys.addaudithook(lambda event, given: event == "compile" and given[1] == "<string>" and compiled.append(str(given[0])))
sys.setprofile(
    lambda frame, event, _: event == "call"
    and frame.f_code.co_filename.endswith("re/_parser.py")
    and frame.f_code.co_name == "parse"
    and compiled.append(frame.f_locals["str"])
)
"""


@pytest.mark.long
def test_it_is_used(installation: Installation) -> None:
    """Our modules, structlog and the standard library come out of the bundle."""
    found = installation.probe()
    assert found.pop("constant") == "30.0"
    assert set(found.values()) == {"BundleFinder"}


def test_an_editable_installation(installation: Installation, tmp_path: Path) -> None:
    """Where the package is not in the environment's own directories, a launcher could not import it: pip's script stays."""
    environment = tmp_path / "venv"
    shutil.copytree(installation.runtime.directory, environment, symlinks=True)
    [package] = environment.glob("lib/python*/site-packages/dms_relay")
    source = tmp_path / "source"
    source.mkdir()
    package.rename(source / "dms_relay")
    (package.parent / "editable.pth").write_text(f"{source}\n")
    script = environment / "bin/dms-relay"
    script.write_text("pip's\n")
    command = [str(environment / "bin/python"), "-I", "-m", "dms_relay.bundle"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert script.read_text() == "pip's\n"
    text = f"{source}/dms_relay/__init__.py is not below {package.parent} -- pip's scripts stay\n"
    assert done.stderr == text


@pytest.mark.parametrize("command", ["apply", "plan", "show", "--help", "nonsense"])
@pytest.mark.parametrize(
    "relay_yaml", ["", RELAY_YAML, RELAY_YAML.replace("host", "hots")], ids=["none", "right", "wrong"]
)
def test_the_command_is_the_same(installation: Installation, sandbox: Sandbox, command: str, relay_yaml: str) -> None:
    """Each command says and does what it does without: those of a boot, others, and wrong ones; for each way of routing."""
    outcomes = []
    for _ in range(2):
        write_relay_yaml(sandbox, relay_yaml)
        done = installation.run(sandbox, command)
        lines = [line.partition("Z ")[2] or line for line in done.stderr.splitlines()]
        # postconf(1) adds parameters in an order of its own; a new directory has a number of its own.
        files = {
            name: sorted(line for line in content.splitlines() if not line.strip(b" ,").isdigit())
            for name, (content, *_) in sandbox.snapshot().items()
        }
        outcomes.append((done.returncode, done.stdout, lines, files))
        installation.bundle.unlink(missing_ok=True)
        shutil.rmtree(sandbox.config_dir.parent)
        sandbox = Sandbox(sandbox.config_dir.parent)
    assert outcomes[0] == outcomes[1]


def test_what_a_first_boot_does_without(installation: Installation, sandbox: Sandbox) -> None:
    """Modules that take long to import stay out of a boot; structlog too where no line is written, or by another process."""
    command = [str(installation.runtime.command.with_name("imports")), *sandbox.arguments("apply")]
    environ = ENV | {"PATH": os.environ["PATH"], "LOG_LEVEL": "error"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    spared = {
        "argparse",
        "dataclasses",
        "datetime",
        "dotenv",
        "logging",
        "shutil",
        "structlog",
        "subprocess",
        "typing",
        "urllib.parse",
        "yaml",
    }
    assert spared.intersection(done.stdout.split()) == set()
    assert "dms_relay.apply" in done.stdout.split()


@pytest.mark.parametrize("routing", ["maps", "transports", "relay.yaml"])
def test_what_a_boot_compiles(installation: Installation, sandbox: Sandbox, routing: str) -> None:
    """Nothing: what its classes are made from, and its regular expressions, lie in the bundle."""
    write_relay_yaml(sandbox, RELAY_YAML if routing == "relay.yaml" else "")
    launcher = installation.runtime.command.with_name("imports")
    counting = launcher.with_name("counting")
    text = launcher.read_text().replace("gc.disable()\n", f"gc.disable()\n{COUNTING}")
    counting.write_text(f"{text}print(len(compiled), compiled)\n")
    counting.chmod(0o755)
    environ = ENV | {"PATH": os.environ["PATH"]} | ({"RELAY_ROUTING": routing} if routing == "transports" else {})
    command = [str(counting), *sandbox.arguments("apply")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    installation.bundle.unlink()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1].split()[0]) > 0


def test_an_interpreter_that_cannot_be_watched(installation: Installation, sandbox: Sandbox) -> None:
    """Where ``record`` does not know how Python compiles, the bundle has no sets, and all works as well."""
    record = installation.package / "bundle/record.py"
    text = record.read_text()
    try:
        record.write_text("raise AttributeError\n")
        installation.build()
    finally:
        record.write_text(text)
    found = installation.probe()
    assert found.pop("constant") == "30.0"
    assert set(found.values()) == {"BundleFinder"}
    assert installation.run(sandbox, "apply").returncode == 0
    write_relay_yaml(sandbox)
    assert installation.run(sandbox, "apply").returncode == 0


def test_a_source_that_has_changed(installation: Installation) -> None:
    """What is newer than the bundle counts: that module is imported as ever, all others from the bundle."""
    source = installation.package / "apply.py"
    text, status = source.read_text(), source.stat()
    try:
        source.write_text(f"{text}\nLOCK_TIMEOUT = 7.0\n")
        found = installation.probe()
        assert (found["dms_relay.apply"], found["constant"]) == ("SourceFileLoader", "7.0")
        assert found["dms_relay.cli"] == "BundleFinder"
        installation.build()
        found = installation.probe()
        assert (found["dms_relay.apply"], found["constant"]) == ("BundleFinder", "7.0")
    finally:
        source.write_text(text)
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_source_that_follows_has_changed(installation: Installation, sandbox: Sandbox) -> None:
    """Of what is imported for relay.yaml, the newer module counts as well."""
    write_relay_yaml(sandbox)
    source = installation.package / "sources/relay_yaml/keys.py"
    text, status = source.read_text(), source.stat()
    try:
        source.write_text(f"{text}\nprint('a newer one')\n")
        assert installation.run(sandbox, "apply").stdout.startswith("a newer one\napplied: ")
    finally:
        source.write_text(text)
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))


BROKEN = {
    "missing": None,
    "empty": b"",
    "of another interpreter": b"3.12.0 (main, Oct  7 2024, 00:00:00) [GCC 12.2.0]" + b"\0" * 100,
    "cut in its head": 0.001,
    "half of one": 0.5,
    "cut at its end": 0.9999,
    "noise": b"\xff" * 4096,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bundle_that_cannot_be_used(installation: Installation, name: str) -> None:
    """Without a word, all is imported as ever."""
    broken = BROKEN[name]
    content = installation.bundle.read_bytes()
    installation.bundle.unlink()
    if isinstance(broken, float):
        installation.bundle.write_bytes(content[: int(len(content) * broken)])
    elif isinstance(broken, bytes):
        installation.bundle.write_bytes(broken)
    found = installation.probe()
    assert found.pop("constant") == "30.0"
    assert "BundleFinder" not in found.values()


def test_what_is_written(installation: Installation) -> None:
    """The bundle can be read by all and written by its owner; the launcher replaces pip's script of that name."""
    written = installation.build()
    assert written == [str(installation.bundle), str(installation.runtime.command)]
    assert installation.bundle.stat().st_mode & 0o777 == 0o644
    assert installation.runtime.command.stat().st_mode & 0o777 == 0o755
    assert installation.runtime.command.read_text().startswith(f"#!{installation.runtime.python} -IS\n")


def test_a_boot_reads_no_compiled_file(installation: Installation, sandbox: Sandbox) -> None:
    """All that a boot imports is in the bundle: with no other byte code and no right to write any, it works as well."""
    compiled = [path for path in installation.package.parent.rglob("*.pyc") if "__pycache__" in path.parts]
    hidden = [path.rename(f"{path}.hidden") for path in compiled]
    try:
        assert installation.run(sandbox, "apply").returncode == 0
        assert [path for path in installation.package.rglob("*.pyc") if path.exists()] == []
    finally:
        for path in hidden:
            path.rename(Path(str(path).removesuffix(".hidden")))
