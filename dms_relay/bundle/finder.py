"""Imports modules from a bundle instead of their ``.pyc`` files; a module that does not match is imported as usual.

A launcher runs the code of this module from the bundle itself, so it imports nothing of the package. It checks each source
file, as Python does for a ``.pyc`` file: if time or size differ, the code in the bundle is not used. The launcher has
already checked that this interpreter wrote the bundle.

The modules that a boot certainly needs are in sets (``BundleFinder.load``): a set is read in pieces, and its modules run
in the order in which they finished when the bundle was written, without a search for each. A set also has the compiled code
of their classes and their compiled regular expressions. A set with the name of a module is loaded when importlib
imports that module: it has what a boot imports with it.

A module that waits (``deferral``) runs when one of its attributes is asked for. A package that waits may only collect names
of its modules (``structlog.PrintLogger`` is that of ``structlog._output``): for such a name it still waits.
"""

import builtins
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec, module_from_spec
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.abc import Loader
    from io import FileIO
    from types import CodeType, ModuleType
    from typing import Any

    #: A module: source file, its size and time, if it is a package; if it waits until it is used, and then the names that
    #: it takes from its modules, with these modules; the offset of its code, and its length.
    Entry = tuple[str, int, int, bool, Mapping[str, str] | None, int, int]
    #: The arguments of ``_sre.compile``: expression, flags, code, number of groups, names of groups and their numbers.
    Pattern = tuple[str | bytes, int, list[int], int, dict[str, int], tuple[str | None, ...]]
    #: Expressions by text and flags.
    Patterns = dict[tuple[str | bytes, int], Pattern]
    #: Modules with their code, in the order in which they finish; texts and expressions that these compile.
    Set = tuple[dict[str, CodeType], dict[str, CodeType], Patterns]
    #: Where a set is: offset and length of each of its pieces.
    Places = Mapping[str, list[tuple[int, int]]]

#: Modules that compile text when they make a class, and the built-in function that they use.
COMPILERS = {"dataclasses": "exec", "collections": "eval", "typing": "compile", "dms_relay.model.values": "exec"}
#: Modules that take a function or an exception of another module when they are imported, though a boot does not call it.
TAKEN = {
    "pathlib": ("urllib.parse", "quote_from_bytes"),
    "structlog._output": ("pickle", "PicklingError"),
    "structlog.tracebacks": ("traceback", "walk_tb"),
}


class BundleFinder:
    """Finds and loads modules for importlib (``importlib.abc.MetaPathFinder``, ``Loader``)."""

    def __init__(self, file: "FileIO", table: "Mapping[str, Entry]", sets: "Places", begin: int) -> None:
        """Store the bundle, its table of modules, the places of its sets, and the offset where the code begins."""
        self._file = file
        self._table = table
        self._sets = sets
        self._begin = begin
        self._texts: dict[str, CodeType] = {}
        self._patterns: Patterns = {}

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Return the spec of a module; ``None`` if it is not in the bundle, or its source has changed."""
        if name not in self._table:
            return None
        source, size, mtime, is_package, *_ = self._table[name]
        if size_and_time(source) != (size, mtime):
            return None
        loader: Loader = self  # type: ignore[assignment]  # it has what importlib calls
        spec = ModuleSpec(name, loader, origin=source, is_package=is_package)
        spec.has_location = True
        spec.cached = self._file.name  # importlib would work out the name of a .pyc file
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(source)]  # noqa: PTH120 -- pathlib takes 2 ms
        return spec

    def create_module(self, _spec: ModuleSpec) -> None:
        """Return ``None``, so that importlib creates the module."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the code of a module, or let it wait."""
        *_, names, offset, length = self._table[module.__name__]
        if module.__name__ in self._sets and self.load(module.__name__, module):
            return
        if names is None:
            self._run(module, self._read(offset, length))
        else:
            wait(module, names, lambda: self._run(module, self._read(offset, length)))

    def load(self, name: str, begun: "ModuleType | None" = None) -> bool:
        """Import the modules of a set, one of which importlib may have begun to import.

        Return False if that one still has to run: the set is empty, or the source of one of its modules has changed. Then
        each is imported only on demand.
        """
        codes: dict[str, CodeType] = {}
        for place in self._sets[name]:
            some, texts, patterns = self._read(*place)
            codes |= some
            self._texts |= texts
            self._patterns |= patterns
        for parent in {name.rpartition(".")[0] for name in codes}.difference(codes, ("",)):
            __import__(parent)  # it waits, or its source has changed and it imports some of these itself
        specs = {name: self.find_spec(name) for name in codes if name not in sys.modules}
        if not all(specs.values()) or (begun and begun.__name__ not in codes):
            return False
        modules = {name: module_from_spec(spec) for name, spec in specs.items() if spec}
        sys.modules.update(modules)
        if begun:
            modules = {name: modules.get(name, begun) for name in codes if name in modules or name == begun.__name__}
        self._run_all(modules, codes, begun)
        return True

    def _run_all(
        self, modules: "dict[str, ModuleType]", codes: "Mapping[str, CodeType]", begun: "ModuleType | None"
    ) -> None:
        """Run modules that all exist already, because a package finishes after its modules.

        One that cannot be imported is left to whoever imports it, and knows whether that matters.
        """
        for name, module in modules.items():
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, module)
        left = dict(modules)
        sys.modules["nt"] = None  # type: ignore[assignment]  # Windows has it; ntpath would have it searched for five times
        try:
            for name, module in modules.items():
                try:
                    self._run(module, codes[name])
                except ImportError:
                    if module is begun:
                        raise
                    _forget(name)
                del left[name]
        finally:
            del sys.modules["nt"]
            for name in left:
                _forget(name)

    def _read(self, offset: int, length: int) -> "Any":  # noqa: ANN401 -- what marshal has
        # pread: a process that was forked reads the same file at the same time (``log_lines``).
        return marshal.loads(os.pread(self._file.fileno(), length, self._begin + offset))  # noqa: S302 -- as a .pyc file

    def _run(self, module: "ModuleType", code: "CodeType") -> None:
        name = module.__name__
        if mode := COMPILERS.get(name):
            module.__dict__[mode] = self._compiling(getattr(builtins, mode))
        execute(name, code, module.__dict__)
        if name == "re._compiler":
            functions: dict[str, Any] = module.__dict__
            functions["compile"] = self._compiling_patterns(functions["compile"], functions["_sre"].compile)

    def _compiling(self, run: "Callable[..., object]") -> "Callable[..., object]":
        """Return ``exec``, ``eval`` or ``compile`` that uses the texts compiled in the bundle."""
        texts = self._texts
        if run is compile:
            return lambda text, *given: texts.get(text) or run(text, *given)
        return lambda text, *namespaces: run(texts.get(text, text), *namespaces)

    def _compiling_patterns(
        self, compile_: "Callable[..., object]", ready: "Callable[..., object]"
    ) -> "Callable[..., object]":
        """Return ``re._compiler.compile`` that uses the expressions compiled in the bundle."""
        patterns = self._patterns

        def compiled(pattern: "str | bytes", flags: int = 0) -> object:
            found = patterns.get((pattern, flags))
            return ready(*found) if found else compile_(pattern, flags)

        return compiled


def _forget(name: str) -> None:
    sys.modules.pop(name, None)
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        vars(sys.modules[parent]).pop(child, None)


def wait(module: "ModuleType", names: "Mapping[str, str]", run: "Callable[[], object]") -> None:
    """Run a module when an attribute is asked for that it does not have (PEP 562), except ``names`` of other modules.

    Other threads wait until it has run. What was set on it before is kept, as by ``importlib.util.LazyLoader``.
    """
    lock, is_running = RLock(), False

    def find(name: str) -> object:
        nonlocal is_running
        if name in names:
            return getattr(__import__(names[name], fromlist=(name,)), name)
        with lock:
            if is_running:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module)
            if namespace.get("__getattr__") is find:
                is_running = True
                given = {name: value for name, value in namespace.items() if before.get(name, before) is not value}
                try:
                    run()
                finally:
                    is_running = False
                namespace.update(given)
                if namespace.get("__getattr__") is find:
                    del namespace["__getattr__"]
        return getattr(module, name)

    namespace = module.__dict__
    namespace["__getattr__"] = find
    before = dict(namespace)


def execute(name: str, code: "CodeType", namespace: "dict[str, Any]") -> None:
    """Run the code of a module, as Python does a .pyc file; what is in ``TAKEN`` is imported when it is called."""
    other, function = TAKEN.get(name, ("", ""))
    before = sys.modules.get(other)
    if not other or (before and function in before.__dict__):
        exec(code, namespace)  # noqa: S102 -- see above
        return

    def imported(*given: object) -> object:
        return getattr(__import__(other, fromlist=(function,)), function)(*given)

    stand_in = sys.modules[other] = type(sys)(other)
    setattr(stand_in, function, imported)
    try:
        exec(code, namespace)  # noqa: S102 -- see above
    finally:
        if before:
            sys.modules[other] = before  # it waits, or is yet to run
        else:
            del sys.modules[other]


def install(file: "FileIO", table: "Mapping[str, Entry]", sets: "Places", size: int) -> BundleFinder | None:
    """Import from a bundle from now on; return ``None`` if it is truncated. ``size`` is that of all code objects.

    ``file`` has been read up to the code, and stays open.
    """
    begin = file.tell()
    if os.fstat(file.fileno()).st_size != begin + size:
        return None
    finder = BundleFinder(file, table, sets, begin)
    sys.meta_path.insert(0, finder)
    return finder


def size_and_time(source: str) -> tuple[int, int] | None:
    """Return size and time of a file, or ``None`` if it does not exist; in whole seconds, as in an image's layer."""
    try:
        status = os.stat(source)  # noqa: PTH116 -- pathlib takes 2 ms
    except OSError:
        return None
    return status.st_size, int(status.st_mtime)
