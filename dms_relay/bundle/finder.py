"""Imports modules from a bundle, in place of their ``.pyc`` files; what is not right there is imported as ever.

A launcher runs the code of this module out of the bundle itself, so it imports nothing of the package. It looks at each
source file, as Python does for a ``.pyc`` file: where time or size is another, the code in the bundle is left alone. That
the interpreter is the one that wrote the bundle, the launcher has seen.
"""

import marshal
import os
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.abc import Loader
    from io import FileIO
    from types import ModuleType

    #: A module: source file, its size and time, whether it is a package, whether it waits until it is used (``deferral``);
    #: where its code begins among all, and its length.
    Entry = tuple[str, int, int, bool, bool, int, int]


class BundleFinder:
    """Finds and loads modules, as importlib has it (``importlib.abc.MetaPathFinder``, ``Loader``)."""

    def __init__(self, file: "FileIO", table: "Mapping[str, Entry]", begin: int) -> None:
        """Take the bundle, what it holds, and where the codes begin in it."""
        self._file = file
        self._table = table
        self._begin = begin

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Return how a module is imported; ``None`` where it is not in the bundle, or its source has changed."""
        if name not in self._table:
            return None
        source, size, mtime, is_package, waits, *_ = self._table[name]
        if size_and_time(source) != (size, mtime):
            return None
        loader: Loader = self  # type: ignore[assignment]  # it has what importlib calls
        spec = ModuleSpec(name, _lazy(loader) if waits else loader, origin=source, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(source)]  # noqa: PTH120 -- pathlib takes 2 ms
        return spec

    def create_module(self, _spec: ModuleSpec) -> None:
        """Leave it to importlib to make the module."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the code of a module."""
        *_, offset, length = self._table[module.__name__]
        # pread: a process that was forked reads the same file at the same time (``log_lines``).
        code = os.pread(self._file.fileno(), length, self._begin + offset)
        exec(marshal.loads(code), module.__dict__)  # noqa: S102, S302 -- as Python does a .pyc file


def _lazy(loader: "Loader") -> "Loader":
    from importlib.util import LazyLoader  # noqa: PLC0415 -- not every run has such a module

    return LazyLoader(loader)


def install(file: "FileIO", table: "Mapping[str, Entry]") -> bool:
    """Import from a bundle from now on; return False where it is cut short.

    It has been read up to its codes, and stays open.
    """
    begin = file.tell()
    if os.fstat(file.fileno()).st_size != begin + sum(length for *_, length in table.values()):
        return False
    sys.meta_path.insert(0, BundleFinder(file, table, begin))
    return True


def size_and_time(source: str) -> tuple[int, int] | None:
    """Return size and time of a file, which is not there where it is ``None``; whole seconds, as a layer of an image has."""
    try:
        status = os.stat(source)  # noqa: PTH116 -- pathlib takes 2 ms
    except OSError:
        return None
    return status.st_size, int(status.st_mtime)
