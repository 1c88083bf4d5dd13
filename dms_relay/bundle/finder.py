"""Imports modules from a bundle, in place of their ``.pyc`` files; what is not right there is imported as ever.

A launcher runs the code of this module out of the bundle itself, so it imports nothing of the package. It looks at each
source file, as Python does for a ``.pyc`` file: where time or size is another, the code in the bundle is left alone. That
the interpreter is the one that wrote the bundle, the launcher has seen.
"""

from __future__ import annotations

import marshal
import os
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    #: A module: source file, its size and time, whether it is a package, and where its code begins among all codes.
    Entry = tuple[str, int, int, bool, int]


class BundleFinder:
    """Finds and loads modules, as importlib has it (``importlib.abc.MetaPathFinder``, ``Loader``)."""

    def __init__(self, table: Mapping[str, Entry], codes: memoryview) -> None:
        """Take what the bundle holds."""
        self._table = table
        self._codes = codes

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Return how a module is imported; ``None`` where it is not in the bundle, or its source has changed."""
        if name not in self._table:
            return None
        source, size, mtime, is_package, _ = self._table[name]
        if size_and_time(source) != (size, mtime):
            return None
        spec = ModuleSpec(name, self, origin=source, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(source)]  # noqa: PTH120 -- pathlib takes 2 ms
        return spec

    def create_module(self, _spec: ModuleSpec) -> None:
        """Leave it to importlib to make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the code of a module."""
        exec(marshal.loads(self._codes[self._table[module.__name__][-1] :]), module.__dict__)  # noqa: S102, S302 -- ours


def size_and_time(source: str) -> tuple[int, int] | None:
    """Return size and time of a file, which is not there where it is ``None``; whole seconds, as a layer of an image has."""
    try:
        status = os.stat(source)  # noqa: PTH116 -- pathlib takes 2 ms
    except OSError:
        return None
    return status.st_size, int(status.st_mtime)
