"""``python -m dms_relay.bundle [NAME=MODULE:FUNCTION…]`` writes the bundle, and launchers that replace pip's scripts.

Run it with the interpreter of the environment in which the package is installed, when all files are in their final place,
and again after each installation; without it everything works, but starts more slowly. The bundle is written beside the
package's compiled files, each launcher to the directory of pip's scripts; the default is ``dms-relay=dms_relay.cli:run``.

A launcher starts Python without ``site``, which a virtual environment does not need, and without garbage collection, which a
short run does not need. If there is no bundle, or it is another interpreter's, modules are imported as usual.
Exit codes: 0 written; 73 a file cannot be written.

Known limits: ``.pth`` files have no effect on a launcher. So in an editable installation pip's script stays, and also if a
script's first line cannot name the interpreter.
"""

from __future__ import annotations

import marshal
import os
import pkgutil
import subprocess
import sys
import sysconfig
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import dms_relay
from dms_relay import deferral, log_lines
from dms_relay.bundle import finder
from dms_relay.errors import RelayError
from dms_relay.files import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType

    from dms_relay.bundle.record import Stage

#: What a boot may import: these, their imports, and all modules of our own packages.
_MODULES = (
    "dms_relay.cli",
    "dms_relay.commands.apply",
    "dms_relay.mask",
    "structlog",
    "yaml",
    "dotenv.parser",
)
#: What every boot imports.
_BOOT = ("dms_relay.cli", "dms_relay.commands.apply", "dms_relay.mask", "dms_relay.plan.complaints")
#: What a boot also imports where mail goes through transports.
_TRANSPORTS = (
    "dms_relay.merge.transports",
    "dms_relay.render.transports",
    "dms_relay.plan.interim",
    "dms_relay.plan.recipients",
)
#: What a boot also imports if there is a relay.yaml.
_RELAY_YAML = ("dms_relay.sources.relay_yaml", "yaml", "dms_relay.sources.relay_yaml.checks", *_TRANSPORTS)
_PACKAGES = ("container", "files", "merge", "model", "plan", "postfix", "render", "shape", "sources")
#: Names of structlog that a line needs (``log_lines.emitter``), beside ``structlog.dev``.
_LOGGER = ("BoundLogger", "PrintLogger")
_WAITING = deferral.NAMES | deferral.COLLECTORS
#: Until Python 3.12, datetime defines in Python what it then takes from here; that takes 1 ms.
_DATETIME = "from _datetime import *\nfrom _datetime import __doc__\n__all__ = {names}\n"
_LAUNCHERS = ("dms-relay=dms_relay.cli:run",)
#: Octets of a script's first line that every Linux reads (binfmt_script; 127 with the line end before Linux 5.1).
_FIRST_LINE = 126
#: Octets of the number for the length of the bundle's head.
_LENGTH = 8
#: Octets of a piece of a set. The pieces are read one after the other into the same memory; fresh memory for a whole set
#: would cost a page fault for each 4 KiB.
_PIECE = 48 * 1024
#: The bundle's place: whoever removes compiled files removes it too.
_BUNDLE = Path(dms_relay.__file__).with_name("__pycache__") / f"boot.{sys.implementation.cache_tag}.bundle"

_LAUNCHER = """\
#!{python} -IS
# Written by "python -m dms_relay.bundle", which says what this does.
import gc

gc.disable()

import marshal
import os
import sys

sys.path[:0] = {paths}
writer = None
try:
    file = open({bundle!r}, "rb", 0)
    version = sys.version.encode()
    if file.read(len(version)) == version:
        finder, lines, *content = marshal.loads(file.read(int.from_bytes(file.read({length}), "little")))
        exec(finder, finder := {{"__name__": "dms_relay.bundle.finder"}})
        exec(lines, lines := {{"__name__": "dms_relay.log_lines"}})
        if bundle := finder["install"](file, *content):
            writer = lines["start"](sys.argv, os.environ, bundle.load)
except (OSError, ValueError, EOFError, TypeError, OverflowError, MemoryError):
    pass  # there is none, or half of one

from {module} import {function}

{function}(writer)
"""


class _Loader(Protocol):
    """A loader of source files (importlib.abc.InspectLoader)."""

    def get_code(self, fullname: str) -> CodeType: ...


def main(launchers: Sequence[str]) -> int:
    """Write the bundle and the launchers, and say where."""
    try:
        _BUNDLE.parent.mkdir(exist_ok=True)
        _write(_BUNDLE, bundle(), 0o644)
        for launcher in launchers:
            name, _, called = launcher.partition("=")
            if text := launcher_text(*called.split(":")):
                _write(Path(sysconfig.get_path("scripts")) / name, text.encode(), 0o755)
    except (OSError, RelayError) as error:
        sys.stderr.write(f"the bundle is not written: {error} -- run this as the owner of the environment\n")
        return os.EX_CANTCREAT
    return os.EX_OK


def _write(path: Path, content: bytes, mode: int) -> None:
    replace(path, content, mode, (os.geteuid(), os.getegid()))
    print(path)  # noqa: T201 -- what it is for


def launcher_text(module: str, function: str) -> str | None:
    """Return a launcher of a function; ``None`` if it could not name the interpreter, or not find the package."""
    if len(f"#!{sys.executable} -IS") > _FIRST_LINE or any(character.isspace() for character in sys.executable):
        sys.stderr.write(f"a script cannot name {sys.executable} -- pip's scripts stay\n")
        return None
    paths = list(dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib")))
    if not any(Path(dms_relay.__file__).is_relative_to(path) for path in paths):
        sys.stderr.write(f"{dms_relay.__file__} is not below {' or '.join(paths)} -- pip's scripts stay\n")
        return None
    return _LAUNCHER.format(
        python=sys.executable, paths=paths, bundle=str(_BUNDLE), length=_LENGTH, module=module, function=function
    )


def bundle() -> bytes:
    """Return the bundle: version of the interpreter, length of the head, head, all code objects.

    The head has the code of ``finder`` and of ``log_lines``, and the arguments of ``finder.install``.
    """
    table: dict[str, finder.Entry] = {}
    content = bytearray()
    codes: dict[str, CodeType] = {}
    for name, spec in _boot_modules():
        source = str(spec.origin)
        if key := finder.size_and_time(source):
            codes[name] = _code(spec)
            code = marshal.dumps(codes[name])
            is_package = spec.submodule_search_locations is not None
            names = _names(name) if name in _WAITING else None
            table[name] = (source, *key, is_package, names, len(content), len(code))
            content += code
    sets: dict[str, list[tuple[int, int]]] = {}
    for name, whole in _sets(codes).items():
        sets[name] = []
        for piece in _pieces(whole):
            sets[name].append((len(content), len(piece)))
            content += piece
    head = marshal.dumps((_code(finder.__spec__), _code(log_lines.__spec__), table, sets, len(content)))
    return sys.version.encode() + len(head).to_bytes(_LENGTH, "little") + head + content


def _sets(codes: Mapping[str, CodeType]) -> dict[str, finder.Set]:
    """Return the sets: those of ``log_lines``, which a launcher loads in advance, and two named after their first module.

    They are empty if this interpreter compiles in a way that ``record`` does not know: then each module is searched for.
    """
    names = (*log_lines.SETS, _TRANSPORTS[0], _RELAY_YAML[0])
    collected = _names("structlog")
    try:
        both, boot, transports = _recorded(log_lines.BOTH, _BOOT, _TRANSPORTS)
        _, _, relay_yaml = _recorded(log_lines.BOTH, _BOOT, _RELAY_YAML)
        _, lines = _recorded(
            log_lines.BOTH, ("structlog.dev", *(collected[name] for name in _LOGGER if name in collected))
        )
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"the bundle is written without sets, so a start takes a few ms more: {error}\n")
        return dict.fromkeys(names, ({}, {}, {}))
    stages = (both, boot, lines, transports, relay_yaml)
    return {name: _ready(stage, codes) for name, stage in zip(names, stages, strict=True)}


def _names(package: str) -> dict[str, str]:
    """Return the names that a package of ``COLLECTORS`` takes from its modules, each with the module that defines it."""
    found: dict[str, str] = {}
    if package not in deferral.COLLECTORS:
        return found
    for name, value in vars(sys.modules[package]).items():
        module = getattr(value, "__module__", None) or ""
        if module.startswith(f"{package}.") and getattr(sys.modules.get(module), name, None) is value:
            found[name] = module
    return found


def _recorded(*stages: Sequence[str]) -> list[Stage]:
    """Return what a separate interpreter records while it imports the modules of each stage."""
    paths = [path for path in sys.path if path]
    asked: tuple[Any, ...] = (paths, _code(finder.__spec__), _WAITING, stages)
    script = Path(__file__).with_name("record.py")
    done = subprocess.run(  # noqa: S603 -- a file of ours
        [sys.executable, "-IS", script], input=marshal.dumps(asked), stdout=subprocess.PIPE, check=True
    )
    noted: list[Stage] = marshal.loads(done.stdout)  # noqa: S302 -- from the script
    return noted


def _ready(stage: Stage, codes: Mapping[str, CodeType]) -> finder.Set:
    names, texts, patterns = stage
    compiled = {text: compile(text, "<string>", mode, dont_inherit=True) for text, mode in texts.items()}
    return {name: codes[name] for name in names if name in codes}, compiled, patterns


def _pieces(whole: finder.Set) -> Iterator[bytes]:
    """Yield a set in pieces of about ``_PIECE`` octets: each in the form of a set, of whole modules."""
    codes, texts, patterns = whole
    piece: dict[str, CodeType] = {}
    for name, code in codes.items():
        piece[name] = code
        if len(marshal.dumps(piece)) > _PIECE:
            yield marshal.dumps((piece, {}, {}))
            piece = {}
    yield marshal.dumps((piece, texts, patterns))


def _code(spec: ModuleSpec | None) -> CodeType:
    assert spec is not None  # noqa: S101 -- each imported module has one
    if spec.name == "datetime" and sys.version_info < (3, 12) and find_spec("_datetime"):
        text = _DATETIME.format(names=import_module(spec.name).__all__)
        return compile(text, str(spec.origin), "exec", dont_inherit=True)
    return cast("_Loader", spec.loader).get_code(spec.name)


def _boot_modules() -> Iterator[tuple[str, ModuleSpec]]:
    """Import what a boot may import, and yield all modules that Python reads from a source file for it."""
    deferral.defer()
    for name in _MODULES:
        import_module(name)
    for package in _PACKAGES:
        for module in pkgutil.walk_packages(
            [str(Path(dms_relay.__file__).with_name(package))], f"dms_relay.{package}."
        ):
            if not module.name.endswith(".__main__"):  # a program
                import_module(module.name)
    for name in sorted(sys.modules):
        spec = getattr(sys.modules[name], "__spec__", None)
        if spec and name == spec.name and spec.has_location and str(spec.origin).endswith(".py"):
            yield name, spec


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or _LAUNCHERS))
