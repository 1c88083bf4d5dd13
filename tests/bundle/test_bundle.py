"""The bundle of a boot's byte code, in a real installation: it is used, it is never stale, and nothing depends on it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.runtime import Runtime
from dms_relay.log import FORMATS
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

#: An installation takes seconds, and so does each bundle.
pytestmark = pytest.mark.one_in(2)
ENV = {"DEFAULT_RELAY_HOST": "[relay.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}
RELAY_YAML = """\
version: 1
relays:
  service: {host: smtp.relay.test, port: 587, login: {username: user, password_env: RELAY_PASSWORD}}
senders: {a.test: service}
"""
#: Run by a launcher of its own: where modules come from, and a constant of one. A function that is imported late works.
PROBE = """
import sys
from pathlib import Path

def run(writer):
    from dms_relay import apply, cli
    from dms_relay.apply import LOCK_TIMEOUT
    import structlog.dev
    for name in ("dms_relay", "dms_relay.cli", "dms_relay.apply", "structlog.dev", "re"):
        print(name, type(sys.modules[name].__loader__).__name__)
    print(LOCK_TIMEOUT)
    assert Path("/a b").as_uri() == "file:///a%20b"
    assert "urllib.parse" in sys.modules
    if writer:
        writer.close()
"""
#: Run by another one: what a first boot has imported in its own process.
IMPORTS = """
import os, sys

def run(writer):
    from dms_relay.cli import main
    main(sys.argv[1:], os.environ, writer=writer)
    print(*sys.modules)
"""
#: Run by a third one: what a line needs is imported, what it does not need waits until it is used, and then all is there.
WAITING = """
import sys
import _datetime

def run(writer):
    from dms_relay.log_lines import emitter
    emitter(sys.argv[1], sys.stdout)("an event", level="info", number=1)
    print(*sys.modules)
    import datetime, structlog, threading, traceback
    assert structlog.PrintLogger is structlog._output.PrintLogger
    assert "structlog._config" not in sys.modules
    assert structlog.get_logger is sys.modules["structlog._config"].get_logger
    assert "structlog.testing" not in sys.modules
    assert structlog.testing.capture_logs and structlog.__version__ and structlog.stdlib.BoundLogger
    assert all(hasattr(structlog, name) for name in structlog.__all__)
    assert all(getattr(datetime, name) is getattr(_datetime, name) for name in vars(_datetime) if name[0] != "_")
    assert datetime.__doc__ and datetime.datetime.__module__ == "datetime"
    stack = structlog.tracebacks.extract(*raised())
    assert stack.stacks[0].frames[0].name == "raised"
    assert "raised" in structlog.processors.format_exc_info(None, "", {"exc_info": raised()})["exception"]
    assert isinstance(raised(structlog.PrintLogger(open("/dev/null")).__getstate__)[1], __import__("pickle").PicklingError)
    assert traceback.format_exc() == "NoneType: None\\n"

def raised(fail=lambda: 1 / 0):
    try:
        fail()
    except Exception:
        return sys.exc_info()
"""
#: Run by a fourth one: any code.
CODE = """
import sys

def run(writer):
    exec(sys.argv[1], {})
"""
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


class Installation:
    """The package as it is installed, with its launcher and its bundle."""

    def __init__(self, runtime: Runtime) -> None:
        """Find what is there, and add the probe."""
        self.runtime = runtime
        [self.bundle] = runtime.directory.rglob("boot.*.bundle")
        self.package = self.bundle.parents[1]
        (self.package.parent / "probe.py").write_text(PROBE)
        (self.package.parent / "imports.py").write_text(IMPORTS)
        (self.package.parent / "waiting.py").write_text(WAITING)
        (self.package.parent / "code.py").write_text(CODE)
        names = ("probe", "imports", "waiting", "code")
        self.build("dms-relay=dms_relay.cli:run", *(f"{name}={name}:run" for name in names))

    def build(self, *launchers: str) -> list[str]:
        """Write the bundle and return the files that were written."""
        command = [str(self.runtime.python), "-I", "-m", "dms_relay.bundle", *launchers]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def probe(self) -> dict[str, str]:
        """Return by module what loads it, and the constant."""
        done = subprocess.run([self.runtime.command.with_name("probe")], capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        return dict(line.split() for line in lines[:-1]) | {"constant": lines[-1]}

    def code(self, code: str) -> str:
        """Run code in a process that a launcher has started, and return what it says."""
        command = [str(self.runtime.command.with_name("code")), code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def run(self, sandbox: Sandbox, *command: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        words = [str(self.runtime.command), *sandbox.arguments(*command)]
        environ = ENV | {"PATH": os.environ["PATH"]}
        return subprocess.run(words, env=environ, capture_output=True, text=True, check=False)


def write_relay_yaml(sandbox: Sandbox, text: str = RELAY_YAML) -> None:
    """Write it, if there is a text, and the services of Postfix, which transports need."""
    if text:
        sandbox.write("relay.yaml", text)
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return an installation, made once."""
    return Installation(Runtime(tmp_path_factory.mktemp("installed")))


@pytest.fixture
def installation(installed: Installation) -> Iterator[Installation]:
    """Return the installation, and put back what a test changes."""
    kept = installed.bundle.read_bytes()
    yield installed
    installed.bundle.write_bytes(kept)


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


@pytest.mark.parametrize("style", FORMATS)
def test_what_a_line_does_without(installation: Installation, style: str) -> None:
    """A line loads a part of structlog and of its imports; the rest waits, and works as ever when it is used."""
    command = [str(installation.runtime.command.with_name("waiting")), style]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line, modules = done.stdout.splitlines()
    assert "an event" in line
    assert "number" in line
    spared = {"pickle", "structlog._config", "structlog._native", "structlog.testing", "tokenize", "urllib.parse"}
    assert spared.intersection(modules.split()) == set()
    assert {"structlog._generic", "structlog._output"} < set(modules.split())


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


def test_a_package_that_waits_has_changed(installation: Installation) -> None:
    """Where structlog's own file is newer, it is imported as ever, and each of its modules once."""
    source = installation.package.parent / "structlog/__init__.py"
    status = source.stat()
    try:
        os.utime(source, (0, 0))
        code = (
            "import sys\n"
            "from dms_relay.log_lines import emitter\n"
            "emitter('console', sys.stdout)('said', level='info')\n"
            "import structlog\n"
            "print(structlog.PrintLogger is sys.modules['structlog._output'].PrintLogger)\n"
        )
        line, is_one = installation.code(code).splitlines()
        assert "said" in line
        assert is_one == "True"
    finally:
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_module_that_waits_is_used_by_many_threads(installation: Installation) -> None:
    """The first thread that uses it runs it, and the others wait until it has run."""
    code = (
        "import ipaddress, sys, threading\n"
        "sys.setswitchinterval(1e-6)\n"
        "start, failed = threading.Barrier(8), []\n"
        "def use():\n"
        "    start.wait()\n"
        "    try:\n"
        "        ipaddress.ip_network('192.0.2.0/24')\n"
        "    except Exception as error:\n"
        "        failed.append(error)\n"
        "threads = [threading.Thread(target=use) for _ in range(8)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
        "print(failed)\n"
    )
    assert installation.code(code) == "[]\n"


def test_what_is_set_on_a_module_that_waits(installation: Installation) -> None:
    """A value that is set before the module has run stays; a name that it does not have is an error, now and then."""
    code = (
        "import logging\n"
        "logging.raiseExceptions = False\n"
        "print(hasattr(logging, 'nothing'), logging.getLogger('x').name, logging.raiseExceptions, hasattr(logging, 'no'))\n"
    )
    assert installation.code(code) == "False x False False\n"


def test_all_names_of_datetime(installation: Installation) -> None:
    """The shorter one that the bundle has for Python 3.11 offers the same names."""
    assert installation.code("import datetime; print(sorted(datetime.__all__))") == f"{sorted(dt.__all__)}\n"


def test_beside_rich(installation: Installation, sandbox: Sandbox, tmp_path: Path) -> None:
    """Where rich is installed, structlog uses it, and imports its modules in another order."""
    found = [path.parent for path in Path(sys.prefix).glob("lint/lib/python*/site-packages/rich")]
    if not found:
        pytest.skip("rich is not there: it comes with make lint's environment")
    environment = tmp_path / "venv"
    shutil.copytree(installation.runtime.directory, environment, symlinks=True)
    [packages] = environment.glob("lib/python*/site-packages")
    for name in ("rich", "pygments", "markdown_it", "mdurl"):
        shutil.copytree(found[0] / name, packages / name)
    subprocess.run([environment / "bin/python", "-I", "-m", "dms_relay.bundle"], capture_output=True, check=True)
    command = [str(environment / "bin/dms-relay"), *sandbox.arguments("apply")]
    environ = ENV | {"PATH": os.environ["PATH"]}
    for cpus in (os.sched_getaffinity(0), {min(os.sched_getaffinity(0))}):  # lines of another process, and of the boot

        def limit(cpus: set[int] = cpus) -> None:
            os.sched_setaffinity(0, cpus)

        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, preexec_fn=limit)
        assert "parameter set" in done.stderr
        sandbox.run("apply", env={})


def test_a_module_that_may_be_missing(installation: Installation, sandbox: Sandbox) -> None:
    """Where PyYAML has lost its library for C, which it can do without, relay.yaml is read as well."""
    write_relay_yaml(sandbox)
    [library] = installation.package.parent.glob("yaml/_yaml*.so")
    hidden = library.rename(f"{library}.hidden")
    try:
        assert installation.run(sandbox, "apply").stdout.startswith("applied: ")
        assert (
            installation.code("import dms_relay.sources.relay_yaml, yaml; print(hasattr(yaml, 'cyaml'))") == "False\n"
        )
    finally:
        hidden.rename(library)


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
