"""Modules of a bundle that wait until they are used, in a real installation: each behaves as without a bundle."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay.log import FORMATS
from tests.bundle.installation import ENV, write_relay_yaml

if TYPE_CHECKING:
    from tests.bundle.installation import Installation
    from tests.support.sandbox import Sandbox

#: An installation takes seconds.
pytestmark = pytest.mark.one_in(2)
#: What a line needs is imported, what it does not need waits until it is used, and then all is there.
WAITING = """
import sys
import _datetime
from dms_relay.log_lines import emitter

def run():
    emitter(sys.argv[2], sys.stdout)("an event", level="info", number=1)
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

run()
"""


@pytest.mark.parametrize("style", FORMATS)
def test_what_a_line_does_without(installation: Installation, style: str) -> None:
    """A line loads a part of structlog and of its imports; the rest waits, and works as ever when it is used."""
    line, modules = installation.code(WAITING, style).splitlines()
    assert "an event" in line
    assert "number" in line
    spared = {"pickle", "structlog._config", "structlog._native", "structlog.testing", "tokenize", "urllib.parse"}
    assert spared.intersection(modules.split()) == set()
    assert {"structlog._generic", "structlog._output"} < set(modules.split())


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
