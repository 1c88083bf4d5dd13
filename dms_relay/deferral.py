"""Loads modules that an import brings along and a boot does not use only when they are used (``importlib.util.LazyLoader``).

structlog imports asyncio, logging, uuid and more for what it offers beside lines of text: 30 ms. This is for the process of
a boot alone: who uses the package as a library gets structlog as it is. A bundle has them wait without this module.

Known limits: before Python 3.12, two threads that are the first to use such a module at the same time may see half of it; a
boot has one thread.
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any

#: What structlog, dataclasses and urllib.parse import as a whole, for functions that a boot does not call.
NAMES = frozenset(
    {
        "asyncio",
        "inspect",
        "ipaddress",
        "linecache",
        "logging",
        "structlog.stdlib",
        "structlog.testing",
        "structlog.threadlocal",
        "textwrap",
    }
)


class _DeferringFinder:
    """Finds these modules as the other finders do, and has them loaded when they are used."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in NAMES:
            return None
        others: list[Any] = [finder for finder in sys.meta_path if finder is not self]
        spec = next((spec for finder in others if (spec := finder.find_spec(name, path, target))), None)
        if spec and spec.loader and not isinstance(spec.loader, LazyLoader):
            spec.loader = LazyLoader(spec.loader)
        return spec


def defer() -> None:
    """Import these modules so from now on, in the whole process."""
    sys.meta_path.insert(0, _DeferringFinder())
