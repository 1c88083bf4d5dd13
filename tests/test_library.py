"""The package as a library, and how its rooms hang together."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay
from dms_relay import BusyError, InputError, Paths, apply, find, merge, plan, read, render

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
ENV = {"DEFAULT_RELAY_HOST": "[relay.test]:587", "RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}


def paths_of(sandbox: Sandbox) -> Paths:
    """Return the directories of the box as the library takes them."""
    return Paths(sandbox.config_dir, sandbox.postfix_dir)


def test_each_step_is_usable_without_the_command_line(sandbox: Sandbox) -> None:
    """Read, merge, render, plan, apply: what the command does, step by step."""
    paths = paths_of(sandbox)
    config = merge(read(paths, ENV))
    changes = plan(render(config, paths), find(paths))
    assert apply(changes, paths) is True
    assert sandbox.table("sasl_passwd") == {"[relay.test]:587": "user:s3cret"}
    assert plan(render(config, paths), find(paths)).is_empty


def test_nothing_is_written_before_apply(sandbox: Sandbox) -> None:
    """Every step before apply leaves the machine as it is."""
    before = sandbox.snapshot()
    paths = paths_of(sandbox)
    plan(render(merge(read(paths, ENV)), paths), find(paths))
    assert sandbox.snapshot() == before


def test_read_never_raises_and_merge_raises_all_problems(sandbox: Sandbox) -> None:
    """Problems of all inputs are handed on together, sorted by where they stand."""
    sandbox.write("postfix-relaymap.cf", "@a.test [relay.test:587\n@b.test [relay.test]:0\n")
    inputs = read(paths_of(sandbox), {"RELAY_PORT": "x", "RELAY_HOST": "relay.test"})
    with pytest.raises(InputError) as caught:
        merge(inputs)
    assert [str(problem.origin) for problem in caught.value.problems] == [
        "env RELAY_PORT",
        "postfix-relaymap.cf:1",
        "postfix-relaymap.cf:2",
    ]
    assert caught.value.exit_code == 78


def test_a_plan_is_refused_once_the_machine_has_changed(sandbox: Sandbox) -> None:
    """Check, lock, check again: a plan made from what is no longer there is not carried out."""
    paths = paths_of(sandbox)
    changes = plan(render(merge(read(paths, ENV)), paths), find(paths))
    sandbox.write_main_cf("relayhost = [other.test]\n")
    before = sandbox.snapshot()
    with pytest.raises(BusyError) as caught:
        apply(changes, paths)
    assert str(caught.value) == "Postfix's configuration has changed since the plan was made -- make a new plan"
    assert sandbox.snapshot() == before


def test_every_public_name_is_exported_and_nothing_else() -> None:
    """``from dms_relay import *`` gives the names of ``__all__``; what else the package holds is private or a submodule."""
    exported: dict[str, object] = {}
    exec("from dms_relay import *", exported)  # noqa: S102 -- the import that a user writes
    assert exported.keys() - {"__builtins__"} == set(dms_relay.__all__)
    submodules = {module.name for module in pkgutil.iter_modules(dms_relay.__path__)}
    public = {name for name in vars(dms_relay) if not name.startswith("_")}
    assert public - submodules - {"annotations"} <= set(dms_relay.__all__)  # ``from __future__ import annotations``


def test_no_submodule_takes_the_place_of_a_public_name() -> None:
    """Whatever else is imported, in whichever order, ``dms_relay.apply`` stays the function and not the module."""
    code = (
        "import importlib, inspect, pkgutil, sys\n"
        "import dms_relay\n"
        "names = [module.name for module in pkgutil.walk_packages(dms_relay.__path__, 'dms_relay.')]\n"
        "for name in sorted(names, reverse=sys.argv[1] == 'last first'):\n"
        "    if not name.endswith(('__main__', 'setup_relay')):\n"  # these two are programs
        "        importlib.import_module(name)\n"
        "print(*[name for name in dms_relay.__all__ if inspect.ismodule(getattr(dms_relay, name))])"
    )
    for order in ("first first", "last first"):
        done = subprocess.run([sys.executable, "-c", code, order], capture_output=True, text=True, check=True)
        assert done.stdout == "\n", order


def test_the_package_is_typed() -> None:
    """Its annotations count for whoever uses it (PEP 561)."""
    assert (Path(dms_relay.__file__).parent / "py.typed").exists()


def test_imports_point_down_only() -> None:
    """The rooms of the house, as pyproject.toml lists them."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_boot_path_imports_nothing_it_does_not_use(sandbox: Sandbox) -> None:
    """What is imported decides what a boot costs: no YAML, no dotenv, no argparse; structlog only to say something."""
    spared = {
        "argparse",
        "asyncio.events",
        "dataclasses",
        "difflib",
        "dotenv",
        "logging.handlers",
        "subprocess",
        "yaml",
    }
    code = (
        "import os, sys\n"
        "from dms_relay.cli import run\n"
        "end = os._exit\n"
        "def told(code):\n"
        f"    print(*sorted({spared | {'structlog'}!r} & sys.modules.keys()), flush=True)\n"
        "    end(code)\n"
        "os._exit = told\n"
        "run()"
    )
    environ = {"DEFAULT_RELAY_HOST": "relay.test", "RELAY_USER": "u", "RELAY_PASSWORD": "p", "PATH": os.environ["PATH"]}

    def imported(*options: str) -> str:
        command = [sys.executable, "-c", code, *options, *sandbox.arguments("apply")]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    first = imported()
    assert first.split() == ["dataclasses", "structlog"]  # which structlog makes its own classes with
    assert imported() == ""
