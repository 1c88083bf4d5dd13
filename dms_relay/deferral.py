"""Loads modules that a boot imports but does not use only at their first use (``importlib.util.LazyLoader``).

structlog imports asyncio, logging, uuid and more for features other than lines of text: 30 ms. Only the process of a boot
uses this module: users of the library get structlog unchanged. A bundle defers them without this module (``bundle.finder``).

Known limits of ``LazyLoader``: before Python 3.12, if two threads are the first to use such a module at the same time, one
may see half of it; a boot has one thread.
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any

#: What structlog, dataclasses and urllib.parse import for functions that a boot does not call.
NAMES = frozenset(
    {
        "asyncio",
        "copy",
        "inspect",
        "ipaddress",
        "linecache",
        "logging",
        "structlog.stdlib",
        "structlog.testing",
        "structlog.threadlocal",
        "textwrap",
        "traceback",
    }
)
#: Packages that collect names of their modules; a line needs some of these modules, and nothing that such a package defines.
COLLECTORS = frozenset({"structlog"})


class _DeferringFinder:
    """Finds these modules as the other finders do, but loads them only when they are used."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in NAMES:
            return None
        others: list[Any] = [finder for finder in sys.meta_path if finder is not self]
        spec = next((spec for finder in others if (spec := finder.find_spec(name, path, target))), None)
        if spec and spec.loader and not isinstance(spec.loader, LazyLoader):
            spec.loader = LazyLoader(spec.loader)
        return spec


def defer() -> None:
    """Defer these modules from now on, in the whole process."""
    sys.meta_path.insert(0, _DeferringFinder())
